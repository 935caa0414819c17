package dev.hydravisor.image;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import dev.hydravisor.env.TestLibvirt;
import dev.hydravisor.host.HydraHome;
import dev.hydravisor.host.Processes;
import dev.hydravisor.instance.Backend.Ref;
import dev.hydravisor.instance.VmSpec;
import dev.hydravisor.inventory.Images;
import dev.hydravisor.inventory.InstanceRow;
import dev.hydravisor.inventory.Instances;
import dev.hydravisor.operation.ExitCode;
import dev.hydravisor.operation.HydraException;
import dev.hydravisor.operation.Operation;
import dev.hydravisor.vm.VmBackend;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;
import java.util.UUID;
import org.assertj.core.api.ThrowableAssert.ThrowingCallable;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestInstance;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.springframework.boot.autoconfigure.EnableAutoConfiguration;
import org.springframework.boot.builder.SpringApplicationBuilder;
import org.springframework.boot.persistence.autoconfigure.EntityScan;
import org.springframework.context.ConfigurableApplicationContext;
import org.springframework.context.annotation.ComponentScan;
import org.springframework.context.annotation.Configuration;
import org.springframework.data.jpa.repository.config.EnableJpaRepositories;
import tools.jackson.databind.json.JsonMapper;

/** Images from files and from a web server, in a real database and a real storage pool. */
@TestInstance(TestInstance.Lifecycle.PER_CLASS)
@Timeout(120)
class ImageServiceIT {
    @Configuration
    @EnableAutoConfiguration
    @EntityScan("dev.hydravisor.inventory")
    @EnableJpaRepositories("dev.hydravisor.inventory")
    @ComponentScan({"dev.hydravisor.image", "dev.hydravisor.vm"})
    static class Application {}

    @TempDir
    private Path folder;

    private TestLibvirt libvirt;
    private ConfigurableApplicationContext context;
    private ImageService images;
    private HydraHome home;
    private String pool;
    private HttpServer server;

    @SuppressWarnings("NullAway.Init") // filled in by JUnit
    ImageServiceIT() {}

    @BeforeAll
    void start(@TempDir Path root) throws IOException {
        libvirt = TestLibvirt.shared();
        pool = "hydra-" + UUID.randomUUID().toString().substring(0, 8);
        home = new HydraHome(root);
        context = new SpringApplicationBuilder(Application.class)
                .initializers(c -> c.getBeanFactory().registerSingleton("hydraHome", home))
                .run(
                        "--hydra.home=" + home.root(),
                        "--spring.datasource.url=jdbc:h2:mem:" + pool + ";DB_CLOSE_DELAY=-1",
                        "--vm.uri=" + libvirt.uri(),
                        "--vm.pool=" + pool,
                        "--vm.pool-path=" + libvirt.folder(pool));
        images = context.getBean(ImageService.class);
        server = HttpServer.create(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0), 0);
        server.start();
    }

    @AfterAll
    void stop() {
        if (context != null) {
            libvirt.virsh("pool-destroy", pool);
            libvirt.virsh("pool-undefine", pool);
            context.close();
            server.stop(0);
        }
    }

    @BeforeEach
    @AfterEach
    void empty() {
        context.getBean(Instances.class).deleteAll();
        images.list().forEach(i -> images.delete(i.name()));
        assertThat(volumes()).isBlank();
    }

    @Test
    void aFileIsImportedOnceHoweverOftenItIsAskedFor() throws IOException {
        var file = disk("a.qcow2", 1);
        var image = images.importDisk(Operation.silent(), "a", file.toString(), null);
        assertThat(images.importDisk(Operation.silent(), "a", file.toString(), image.sha256()))
                .isEqualTo(image);
        assertThat(images.list()).containsExactly(image);
        assertThat(image.format()).isEqualTo("qcow2");
        assertThat(image.virtualSize()).isEqualTo(8L << 20);
        assertThat(image.sha256()).isEqualTo(DiskFile.sha256(Operation.silent(), file, "a"));
        assertThat(volumes()).contains(image.volume());
    }

    @Test
    void anotherFileUnderATakenNameIsAConflict() throws IOException {
        images.importDisk(Operation.silent(), "a", disk("a.qcow2", 1).toString(), null);
        fails(
                ExitCode.CONFLICT,
                () -> images.importDisk(
                        Operation.silent(), "a", disk("b.qcow2", 2).toString(), null));
    }

    @Test
    void aFileWithAnotherDigestThanAskedForIsRefused() throws IOException {
        var file = disk("a.qcow2", 1).toString();
        fails(ExitCode.FAILED, () -> images.importDisk(Operation.silent(), "a", file, "0".repeat(64)));
        fails(ExitCode.USAGE, () -> images.importDisk(Operation.silent(), "a", file, "0".repeat(63)));
        assertThat(images.list()).isEmpty();
    }

    @Test
    void whatIsNoImageIsRefusedAndLeavesNothing() throws IOException {
        var text = Files.writeString(folder.resolve("text"), "hello").toString();
        fails(ExitCode.FAILED, () -> images.importDisk(Operation.silent(), "a", text, null));
        fails(ExitCode.USAGE, () -> images.importDisk(Operation.silent(), "../a", text, null));
        fails(ExitCode.USAGE, () -> images.importDisk(Operation.silent(), "a", "relative", null));
        assertThat(images.list()).isEmpty();
    }

    @Test
    void aRawDiskIsKeptAsQcow2() throws IOException {
        var file = folder.resolve("disk.raw");
        var bytes = new byte[4 << 20];
        bytes[510] = 0x55;
        bytes[511] = (byte) 0xAA;
        Files.write(file, bytes);
        var image = images.resolve(Operation.silent(), file.toString());
        assertThat(image.name()).isEqualTo("disk");
        assertThat(image.format()).isEqualTo("raw");
        assertThat(image.virtualSize()).isEqualTo(4L << 20);
        assertThat(libvirt.virsh("vol-dumpxml", image.volume(), pool)).contains("<format type='qcow2'/>");
        assertThat(home.images()).isEmptyDirectory();
    }

    @Test
    void aPathIsImportedUnderItsOwnNameOrOneWithItsDigest() throws IOException {
        var first =
                images.resolve(Operation.silent(), disk("x/my disk.qcow2", 1).toString());
        var second =
                images.resolve(Operation.silent(), disk("y/my disk.qcow2", 2).toString());
        assertThat(first.name()).isEqualTo("my-disk");
        assertThat(second.name()).isEqualTo("my-disk-" + second.sha256().substring(0, 8));
        assertThat(images.resolve(
                        Operation.silent(), folder.resolve("y/my disk.qcow2").toString()))
                .isEqualTo(second);
        assertThat(images.resolve(Operation.silent(), "my-disk")).isEqualTo(first);
        fails(ExitCode.NOT_FOUND, () -> images.resolve(Operation.silent(), "nothing"));
        fails(ExitCode.NOT_FOUND, () -> images.resolve(Operation.silent(), "/nothing"));
    }

    @Test
    void anImageWhoseDiskIsGoneIsImportedAgain() throws IOException {
        var image = images.resolve(Operation.silent(), disk("a.qcow2", 1).toString());
        libvirt.virsh("vol-delete", image.volume(), pool);
        assertThat(images.resolve(Operation.silent(), "a")).isEqualTo(image);
        assertThat(volumes()).contains(image.volume());
    }

    @Test
    void anImageStaysWhileADiskIsBasedOnIt() throws IOException {
        var image = images.resolve(Operation.silent(), disk("a.qcow2", 1).toString());
        var spec = new VmSpec("a", 1, 128, 0, "hydra", null, "default");
        var row = new InstanceRow(
                UUID.randomUUID(), "web", "VM", new JsonMapper().writeValueAsString(spec), Instant.now());
        var instances = context.getBean(Instances.class);
        instances.save(row);
        fails(ExitCode.CONFLICT, () -> images.delete("a"));
        instances.deleteAll();

        // Also when this inventory knows nothing of the VM, which may be another user's.
        var backend = context.getBean(VmBackend.class);
        var ref = new Ref(UUID.randomUUID(), "other");
        backend.create(Operation.silent(), ref, spec);
        fails(ExitCode.CONFLICT, () -> images.delete("a"));
        backend.delete(Operation.silent(), ref);

        images.delete("a");
        assertThat(context.getBean(Images.class).findAll()).isEmpty();
        fails(ExitCode.NOT_FOUND, () -> images.delete("a"));
        assertThat(volumes()).doesNotContain(image.volume());
    }

    @Test
    void aDownloadThatBreaksOffGoesOnWhereItWas() throws IOException {
        var content = Files.readAllBytes(disk("a.qcow2", 1));
        var ranges = new ArrayList<@Nullable String>();
        var url = serve("/tiny.qcow2", exchange -> {
            var range = exchange.getRequestHeaders().getFirst("Range");
            ranges.add(range);
            exchange.getResponseHeaders().set("ETag", "\"1\"");
            if (range == null) {
                exchange.sendResponseHeaders(200, content.length);
                exchange.getResponseBody().write(content, 0, 100_000);
                exchange.getResponseBody().flush();
            } else {
                var from = Integer.parseInt(range.replaceAll("bytes=(\\d+)-", "$1"));
                exchange.sendResponseHeaders(206, content.length - from);
                exchange.getResponseBody().write(content, from, content.length - from);
            }
        });
        var image = images.importDisk(
                Operation.silent(),
                "a",
                url,
                HexFormat.of().formatHex(DiskFile.newDigest("SHA-256").digest(content)));
        assertThat(image.size()).isEqualTo(content.length);
        assertThat(image.source()).isEqualTo(url);
        assertThat(ranges).hasSize(2).startsWith((String) null).endsWith("bytes=100000-");
        assertThat(home.images()).isEmptyDirectory();
    }

    @Test
    void anAddressThatIsNotThereIsSaid() {
        var url = serve("/gone", exchange -> exchange.sendResponseHeaders(404, -1));
        assertThatThrownBy(() -> images.importDisk(Operation.silent(), "a", url, null))
                .isInstanceOf(HydraException.class)
                .hasMessageContaining("status 404");
    }

    @Test
    void anImageOfTheCatalogIsCheckedAgainstItsPublishersSums() throws IOException {
        var content = Files.readAllBytes(disk("a.qcow2", 1));
        var url = serve("/cloud.qcow2", exchange -> send(exchange, content));
        var sum = HexFormat.of().formatHex(DiskFile.newDigest("SHA-512").digest(content));
        var good = serve("/GOOD", exchange -> send(exchange, (sum + "  cloud.qcow2\n").getBytes()));
        var bad = serve("/BAD", exchange -> send(exchange, ("0".repeat(128) + " *cloud.qcow2\n").getBytes()));
        Files.writeString(home.root().resolve("images.yaml"), """
                images:
                  - {name: good, url: %1$s, checksums: %2$s}
                  - {name: bad, url: %1$s, checksums: %3$s}
                """.formatted(url, good, bad));
        try {
            assertThat(images.available()).contains("good", "debian-13");
            assertThat(images.resolve(Operation.silent(), "good").source()).isEqualTo(url);
            assertThat(images.available()).doesNotContain("good");
            assertThatThrownBy(() -> images.resolve(Operation.silent(), "bad"))
                    .hasMessageContaining("not what its checksum says");
        } finally {
            Files.delete(home.root().resolve("images.yaml"));
        }
    }

    private interface Answer {
        void to(HttpExchange exchange) throws IOException;
    }

    private String serve(String path, Answer answer) {
        server.createContext(path, exchange -> {
            try (exchange) {
                answer.to(exchange);
            }
        });
        return "http://" + server.getAddress().getAddress().getHostAddress() + ":"
                + server.getAddress().getPort() + path;
    }

    private static void send(HttpExchange exchange, byte[] content) throws IOException {
        exchange.sendResponseHeaders(200, content.length);
        exchange.getResponseBody().write(content);
    }

    private String volumes() {
        return Processes.run(Duration.ofSeconds(10), List.of("virsh", "-q", "-c", libvirt.uri(), "vol-list", pool))
                .out();
    }

    /** A qcow2 image with half a MiB of content that depends on {@code seed}. */
    private Path disk(String name, int seed) throws IOException {
        var file = folder.resolve(name);
        Files.createDirectories(file.getParent());
        var raw = folder.resolve("raw");
        var content = new byte[8 << 20];
        var random = new byte[512 << 10];
        new java.util.Random(seed).nextBytes(random);
        System.arraycopy(random, 0, content, 0, random.length);
        Files.write(raw, content);
        Processes.require(
                Duration.ofSeconds(20),
                List.of("qemu-img", "convert", "-f", "raw", "-O", "qcow2", raw.toString(), file.toString()));
        return file;
    }

    private static void fails(ExitCode code, ThrowingCallable call) {
        assertThatThrownBy(call)
                .isInstanceOfSatisfying(
                        HydraException.class, e -> assertThat(e.exitCode()).isEqualTo(code));
    }
}
