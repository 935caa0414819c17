package dev.hydravisor.image;

import dev.hydravisor.host.PlainText;
import dev.hydravisor.operation.HydraException;
import java.util.Locale;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/**
 * The name of a container image in full, such as {@code docker.io/library/alpine:latest}.
 *
 * @param registry host, with its port where one was given; {@code docker.io} for short names
 * @param repository path below it
 * @param tag null when there is a digest and no tag
 * @param digest {@code sha256:} and 64 hex digits; null when a tag says it all
 */
public record Reference(
        String registry,
        String repository,
        @Nullable String tag,
        @Nullable String digest) {
    private static final String HUB = "docker.io";
    private static final Pattern HOST = Pattern.compile(
            "(?:[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?(?:\\.[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?)*|\\[[0-9A-Fa-f:]+])(?::[0-9]{1,5})?");
    private static final Pattern REPOSITORY =
            Pattern.compile("[a-z0-9]+(?:(?:\\.|__?|-+)[a-z0-9]+)*(?:/[a-z0-9]+(?:(?:\\.|__?|-+)[a-z0-9]+)*)*");
    private static final Pattern TAG = Pattern.compile("[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}");
    private static final Pattern DIGEST = Pattern.compile("sha256:[0-9a-f]{64}");
    private static final Pattern ID = Pattern.compile("[0-9a-f]{64}");
    private static final int LONGEST_NAME = 255;

    /**
     * Reads what a user typed, with Docker's defaults for what was left out.
     *
     * @throws HydraException USAGE when it is no reference
     */
    public static Reference parse(String typed) {
        if (typed.contains("://")) {
            throw refused(typed, "leave out the part up to `://`");
        }
        var at = typed.indexOf('@');
        var digest = at < 0 ? null : typed.substring(at + 1);
        if (digest != null && !DIGEST.matcher(digest).matches()) {
            throw refused(typed, "a digest is `sha256:` and 64 hex digits in lower case");
        }
        var name = at < 0 ? typed : typed.substring(0, at);
        // A colon before the last slash belongs to a port.
        var colon = name.indexOf(':', name.lastIndexOf('/') + 1);
        var tag = colon < 0 ? null : name.substring(colon + 1);
        if (tag != null && !TAG.matcher(tag).matches()) {
            throw refused(typed, "a tag has up to 128 letters, digits, `_`, `.` and `-`");
        }
        return of(typed, colon < 0 ? name : name.substring(0, colon), tag, digest);
    }

    private static Reference of(String typed, String name, @Nullable String tag, @Nullable String digest) {
        var slash = name.indexOf('/');
        var first = slash < 0 ? "" : name.substring(0, slash);
        var isHost = first.contains(".") || first.contains(":") || first.equals("localhost");
        var registry = isHost ? first.toLowerCase(Locale.ROOT) : HUB;
        var repository = isHost ? name.substring(slash + 1) : name;
        if (isHost && !HOST.matcher(first).matches()) {
            throw refused(typed, "`" + PlainText.shorten(first) + "` is no host");
        }
        if (registry.equals("index.docker.io") || registry.equals("registry-1.docker.io")) {
            registry = HUB;
        }
        if (!REPOSITORY.matcher(repository).matches()) {
            throw refused(
                    typed,
                    repository.equals(repository.toLowerCase(Locale.ROOT))
                            ? "write [HOST[:PORT]/]NAME[:TAG][@DIGEST], such as `debian:13`"
                            : "the name must be in lower case");
        }
        if (!isHost && ID.matcher(repository).matches()) {
            throw refused(typed, "it looks like an image's id; write its name, or NAME@sha256:… for a digest");
        }
        if (registry.equals(HUB) && !repository.contains("/")) {
            repository = "library/" + repository;
        }
        if (registry.length() + 1 + repository.length() > LONGEST_NAME) {
            throw refused(typed, "a name has at most " + LONGEST_NAME + " characters");
        }
        return new Reference(registry, repository, tag == null && digest == null ? "latest" : tag, digest);
    }

    /** The whole, nothing left out: what containerd and others call the image. */
    public String name() {
        return registry + "/" + repository + suffix();
    }

    /** As a user would write it: without what {@link #parse} adds by itself, but with the tag. */
    public String familiar() {
        var shown = !registry.equals(HUB)
                ? registry + "/" + repository
                : repository.startsWith("library/") ? repository.substring("library/".length()) : repository;
        return shown + suffix();
    }

    /** What a registry is asked for: the digest where there is one, else the tag. */
    public String version() {
        return digest != null ? digest : tag != null ? tag : "latest";
    }

    private String suffix() {
        return (tag == null ? "" : ":" + tag) + (digest == null ? "" : "@" + digest);
    }

    private static HydraException refused(String typed, String remedy) {
        return HydraException.usage("`" + PlainText.shorten(typed) + "` is no name of a container image; " + remedy);
    }
}
