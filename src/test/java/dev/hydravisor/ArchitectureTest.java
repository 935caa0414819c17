package dev.hydravisor;

import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.noClasses;

import com.tngtech.archunit.core.domain.JavaClasses;
import com.tngtech.archunit.core.importer.ClassFileImporter;
import com.tngtech.archunit.core.importer.ImportOption;
import com.tngtech.archunit.lang.ArchRule;
import org.junit.jupiter.api.Test;
import org.springframework.modulith.core.ApplicationModules;

/** The module boundaries of docs/architecture.md. */
class ArchitectureTest {
    private static final JavaClasses CLASSES = new ClassFileImporter()
            .withImportOption(ImportOption.Predefined.DO_NOT_INCLUDE_TESTS)
            .importPackages("dev.hydravisor");

    @Test
    void modulesUseOneAnotherByTheirFacesOnlyAndNotInCircles() {
        ApplicationModules.of(HydraApplication.class).verify();
    }

    @Test
    void clientAndWireKnowNoLibrary() {
        check(noClasses()
                .that()
                .resideInAnyPackage("dev.hydravisor.client..", "dev.hydravisor.wire..")
                .should()
                .dependOnClassesThat()
                .resideOutsideOfPackages(
                        "java..", "sun.misc..", "org.jspecify..", "dev.hydravisor.client..", "dev.hydravisor.wire.."));
    }

    @Test
    void onlyVmKnowsLibvirt() {
        check(only("dev.hydravisor.vm..", "org.libvirt..", "com.sun.jna.."));
    }

    @Test
    void onlyContainerKnowsGrpc() {
        check(only("dev.hydravisor.container..", "io.grpc.."));
    }

    @Test
    void onlyModelKnowsSpringAi() {
        check(only("dev.hydravisor.model..", "org.springframework.ai.."));
    }

    @Test
    void whatAUserTouchesHoldsNoLogicOfItsOwn() {
        check(noClasses()
                .that()
                .resideInAnyPackage("dev.hydravisor.console..", "dev.hydravisor.dashboard..", "dev.hydravisor.launch..")
                .should()
                .dependOnClassesThat()
                .resideInAnyPackage(
                        "dev.hydravisor.inventory..",
                        "dev.hydravisor.vm..",
                        // Its face, what a container has beyond other instances, is a service like any other.
                        "dev.hydravisor.container.*..",
                        "jakarta.persistence..",
                        "org.springframework.data.."));
    }

    @Test
    void whatAUserTouchesKnowsNoBackend() {
        check(noClasses()
                .that()
                .resideInAnyPackage("dev.hydravisor.console..", "dev.hydravisor.dashboard..", "dev.hydravisor.launch..")
                .should()
                .dependOnClassesThat()
                .areAssignableTo(dev.hydravisor.instance.Backend.class));
    }

    private static ArchRule only(String module, String... packages) {
        return noClasses()
                .that()
                .resideOutsideOfPackage(module)
                .should()
                .dependOnClassesThat()
                .resideInAnyPackage(packages);
    }

    private static void check(ArchRule rule) {
        rule.allowEmptyShould(true).check(CLASSES);
    }
}
