package dev.hydravisor.dashboard;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.TimeZone;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.TestFactory;

/** How each view looks. {@code -Ddashboard.write=true} writes the files anew, for a change that is meant. */
class LookTest {
    private static final Path FOLDER = Path.of("src/test/resources/dev/hydravisor/dashboard");
    private static final TimeZone ZONE = TimeZone.getDefault();

    @BeforeAll
    static void inGreenwich() {
        TimeZone.setDefault(TimeZone.getTimeZone("UTC"));
    }

    @AfterAll
    static void home() {
        TimeZone.setDefault(ZONE);
    }

    @TestFactory
    List<DynamicTest> everyViewLooksAsItDid() {
        var tests = new ArrayList<DynamicTest>();
        for (var view : View.values()) {
            var world = World.full();
            world.ui.go(view);
            tests.add(looks(view.word(), world));
        }
        tests.add(looks("help", World.full().press("?")));
        tests.add(looks(
                "create", World.full().press("n").type("new").press("enter").type("d")));
        tests.add(looks(
                "plan",
                World.full()
                        .press("n")
                        .type("new")
                        .press("enter")
                        .type("debian-13")
                        .press("down", "down", "down", "down", "down", "down", "down", "enter")));
        tests.add(looks("attach", World.full().press("a")));
        tests.add(looks("delete", World.full().press("x").type("bu")));
        tests.add(looks("empty", new World()));
        return tests;
    }

    private static DynamicTest looks(String name, World world) {
        return DynamicTest.dynamicTest(name, () -> {
            looks(name, world, 80, 24);
            looks(name, world, 160, 45);
        });
    }

    private static void looks(String name, World world, int columns, int rows) throws IOException {
        var file = FOLDER.resolve(name + "-" + columns + "x" + rows + ".txt");
        var screen = world.frame(columns, rows).toString();
        if (Boolean.getBoolean("dashboard.write")) {
            Files.createDirectories(FOLDER);
            Files.writeString(file, screen);
        }
        assertThat(screen).isEqualTo(Files.readString(file));
    }
}
