package dev.hydravisor.image;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.hydravisor.host.Processes;
import dev.hydravisor.operation.ExitCode;
import dev.hydravisor.operation.HydraException;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class DiskFileTest {
    @TempDir
    private Path folder;

    @SuppressWarnings("NullAway.Init") // filled in by JUnit
    DiskFileTest() {}

    @BeforeEach
    void qemuImgIsThere() {
        assumeTrue(
                Files.isExecutable(Path.of("/usr/bin/qemu-img")), "qemu-img is not installed; bin/setup installs it");
    }

    @Test
    void aQcow2ImageIsTakenWithTheSizeTheGuestSees() throws IOException {
        assertThat(inspect(qcow2("good"))).isEqualTo(new DiskFile("qcow2", 64L << 20));
    }

    @Test
    void aRawDiskWithABootSectorIsTaken() throws IOException {
        var file = folder.resolve("raw");
        var bytes = new byte[1 << 20];
        bytes[510] = 0x55;
        bytes[511] = (byte) 0xAA;
        Files.write(file, bytes);
        assertThat(inspect(file)).isEqualTo(new DiskFile("raw", 1 << 20));
    }

    @Test
    void whatIsNoImageIsRefused() throws IOException {
        refuses(Files.writeString(folder.resolve("text"), "hello\n"), "is no disk image");
        refuses(Files.write(folder.resolve("zeros"), new byte[4096]), "is no disk image");
        refuses(Files.createFile(folder.resolve("empty")), "is no disk image");
        refuses(Files.createDirectory(folder.resolve("folder")), "is no disk image");
        var vmdk = folder.resolve("vmdk");
        qemuImg("create", "-q", "-f", "vmdk", vmdk.toString(), "8M");
        refuses(vmdk, "is no disk image");
    }

    @Test
    void anImageThatIsBasedOnAnotherFileIsRefused() throws IOException {
        var clone = folder.resolve("clone");
        qemuImg("create", "-q", "-f", "qcow2", "-b", qcow2("base").toString(), "-F", "qcow2", clone.toString());
        refuses(clone, "is based on another file");
    }

    @Test
    void anImageThatKeepsItsDataElsewhereIsRefused() throws IOException {
        var file = folder.resolve("split");
        qemuImg("create", "-q", "-f", "qcow2", "-o", "data_file=" + folder.resolve("data"), file.toString(), "8M");
        refuses(file, "keeps its data in another file");
    }

    @Test
    void anEncryptedImageIsRefused() throws IOException {
        var file = folder.resolve("secret");
        qemuImg(
                "create",
                "-q",
                "--object",
                "secret,id=s,data=x",
                "-f",
                "qcow2",
                "-o",
                "encrypt.format=luks,encrypt.key-secret=s,encrypt.iter-time=10",
                file.toString(),
                "8M");
        refuses(file, "is encrypted");
    }

    @Test
    void aDamagedImageIsRefused() throws IOException {
        var file = qcow2("damaged");
        try (var channel = FileChannel.open(file, StandardOpenOption.READ, StandardOpenOption.WRITE)) {
            var header = ByteBuffer.allocate(72);
            channel.read(header, 0);
            // The L1 table now lies far outside of the file.
            channel.write(ByteBuffer.allocate(8).putLong(0, 1L << 50), 40);
        }
        refuses(file, "is damaged");
        var cut = folder.resolve("cut");
        Files.write(cut, java.util.Arrays.copyOf(Files.readAllBytes(qcow2("whole")), 200));
        refuses(cut, "is damaged");
    }

    @Test
    void aFileThatIsNotThereIsNotFound() {
        assertThatThrownBy(() -> inspect(folder.resolve("nothing")))
                .isInstanceOfSatisfying(
                        HydraException.class, e -> assertThat(e.exitCode()).isEqualTo(ExitCode.NOT_FOUND));
    }

    private Path qcow2(String name) {
        var file = folder.resolve(name);
        qemuImg("create", "-q", "-f", "qcow2", file.toString(), "64M");
        return file;
    }

    private static DiskFile inspect(Path file) {
        return DiskFile.inspect(file, "x");
    }

    private static void refuses(Path file, String why) {
        assertThatThrownBy(() -> inspect(file))
                .isInstanceOf(HydraException.class)
                .hasMessageContaining("`x`")
                .hasMessageContaining(why);
    }

    private static void qemuImg(String... arguments) {
        var argv = new ArrayList<>(List.of("qemu-img"));
        argv.addAll(List.of(arguments));
        // It times the processor to choose the cost of a key, and gives up where the clock is too coarse for it.
        for (int attempt = 0; attempt < 50; attempt++) {
            var made = Processes.run(Duration.ofSeconds(20), argv);
            if (made.ok()) {
                return;
            }
            assertThat(made.reason()).contains("CPU usage");
        }
        throw new AssertionError("qemu-img never made it: " + argv);
    }
}
