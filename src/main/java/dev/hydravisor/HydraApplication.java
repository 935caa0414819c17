package dev.hydravisor;

import dev.hydravisor.client.Client;
import dev.hydravisor.daemon.Hydrad;
import dev.hydravisor.host.HydraHome;
import dev.hydravisor.wire.FrameChannel;
import dev.hydravisor.wire.Rendezvous;
import java.io.IOException;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.concurrent.atomic.AtomicReference;
import org.springframework.boot.SpringApplication;
import org.springframework.boot.autoconfigure.SpringBootApplication;
import org.springframework.context.ConfigurableApplicationContext;
import org.springframework.context.annotation.Bean;
import org.springframework.core.io.DefaultResourceLoader;
import org.springframework.core.io.Resource;
import org.springframework.core.type.classreading.MetadataReader;

/**
 * The daemon's program: {@code --daemon} serves the home's socket; {@code --in-process} serves one client in this very process, by the
 * same code over the same wire.
 */
@SpringBootApplication
public class HydraApplication {
    /** Starts the application; see the class. Behind {@code --in-process} stand the arguments of {@link Client#main}. */
    public static void main(String[] args) throws IOException {
        var home = Rendezvous.home();
        System.setProperty("hydra.home", home.toString());
        // Halted, not exited: what has to be closed is closed by now, and a keyboard being read would be waited for.
        Runtime.getRuntime()
                .halt(
                        args[0].equals("--in-process")
                                ? inProcess(home, args)
                                : Hydrad.run(home, HydraApplication::start));
    }

    private static int inProcess(Path home, String[] args) throws IOException {
        // Standard output is the command's.
        System.setProperty("logging.threshold.console", "off");
        System.setProperty("logging.file.name", Rendezvous.in(home).log().toString());
        var folder = Files.createTempDirectory("hydra");
        var address = UnixDomainSocketAddress.of(folder.resolve("socket"));
        try (var server = ServerSocketChannel.open(StandardProtocolFamily.UNIX)) {
            server.bind(address);
            var client = SocketChannel.open(address);
            var served = server.accept();
            Files.delete(address.getPath());
            Files.delete(folder);
            var daemon = Thread.ofPlatform().start(() -> {
                try {
                    Hydrad.serveInProcess(home, served, HydraApplication::start);
                } catch (IOException e) {
                    throw new java.io.UncheckedIOException(e);
                }
            });
            var arguments = List.of(args);
            var status = Client.relay(
                    new FrameChannel(client),
                    args[1].substring("tty=".length()),
                    args[2].substring("size=".length()),
                    arguments.subList(3, arguments.size()));
            client.close();
            daemon.join();
            return status;
        } catch (InterruptedException e) {
            return 130;
        }
    }

    @Bean
    HydraHome home() {
        return HydraHome.fromEnvironment();
    }

    private static ConfigurableApplicationContext start() {
        var application = new SpringApplication(HydraApplication.class);
        var read = new AtomicReference<Map<Resource, MetadataReader>>(Map.of());
        application.addInitializers(
                context -> read.set(((DefaultResourceLoader) context).getResourceCache(MetadataReader.class)));
        var context = application.run();
        // What was read of each class to find the beans, 14 MB: the context forgets it by now, but its scanner does
        // not.
        read.get().clear();
        return context;
    }
}
