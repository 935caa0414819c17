package dev.hydravisor.image.registry;

import dev.hydravisor.image.ImageProperties;
import dev.hydravisor.image.Reference;
import java.util.regex.Pattern;

/** The registries there are, as this host is set up to speak to them. */
public final class Registries {
    private static final Pattern LOOPBACK =
            Pattern.compile("(localhost|127\\.\\d+\\.\\d+\\.\\d+|\\[(?:0*:)*0*1])(:\\d+)?");

    static {
        // The JDK's client reads 16 KiB at a time, each through two threads: a fourth of the work of a pull. It looks
        // at this once.
        if (System.getProperty("jdk.httpclient.bufsize") == null) {
            System.setProperty("jdk.httpclient.bufsize", "131072");
        }
    }

    private final ImageProperties properties;

    public Registries(ImageProperties properties) {
        this.properties = properties;
    }

    /** The repository of an image. Nothing is sent yet. */
    public Repository open(Reference reference) {
        return new Repository(this, reference);
    }

    ImageProperties properties() {
        return properties;
    }

    /** The logins, as they are now: the user may log in at any time. */
    DockerConfig logins() {
        return new DockerConfig(properties.dockerConfig());
    }

    /** Whether a host, with its port where it has one, may be spoken to without TLS. */
    boolean mayBePlain(String host) {
        return LOOPBACK.matcher(host).matches()
                || properties.insecureRegistries().contains(host);
    }
}
