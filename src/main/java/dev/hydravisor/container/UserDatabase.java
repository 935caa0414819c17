package dev.hydravisor.container;

import dev.hydravisor.host.PlainText;
import dev.hydravisor.operation.HydraException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/** The accounts of an image: its {@code /etc/passwd} and {@code /etc/group}, read from the layers its root is made of. */
final class UserDatabase {
    /** Who a process runs as. */
    record User(long uid, long gid, List<Long> groups, String home) {}

    private static final int MAX_FILE = 4 << 20;

    private final List<Path> layers;

    /** For a root file system whose upper layers come first. */
    UserDatabase(List<Path> layers) {
        this.layers = layers;
    }

    /**
     * Who is meant.
     *
     * @param asked {@code user[:group]}, names or numbers; empty for root
     * @throws HydraException USAGE for a name that the image does not know
     */
    User find(String asked) {
        var parts = asked.split(":", 2);
        var name = parts[0].isEmpty() ? "0" : parts[0];
        var entry = entries("passwd").stream()
                .filter(e -> e.length >= 6 && (e[0].equals(name) || e[2].equals(name)))
                .findFirst();
        long uid = entry.map(e -> id(e[2])).orElseGet(() -> id(name, "user"));
        long gid = entry.map(e -> id(e[3])).orElse(0L);
        var groups = new ArrayList<Long>();
        if (parts.length == 2) {
            gid = entries("group").stream()
                    .filter(e -> e.length >= 3 && (e[0].equals(parts[1]) || e[2].equals(parts[1])))
                    .findFirst()
                    .map(e -> id(e[2]))
                    .orElseGet(() -> id(parts[1], "group"));
        } else if (entry.isPresent()) {
            for (var group : entries("group")) {
                if (group.length == 4 && List.of(group[3].split(",", -1)).contains(entry.get()[0])) {
                    groups.add(id(group[2]));
                }
            }
        }
        var home = entry.map(e -> e[5]).filter(h -> !h.isEmpty()).orElse(uid == 0 ? "/root" : "/");
        return new User(uid, gid, groups, home);
    }

    private static long id(String number) {
        return number.matches("[0-9]{1,9}") ? Long.parseLong(number) : 0;
    }

    private static long id(String text, String what) {
        if (!text.matches("[0-9]{1,9}")) {
            throw HydraException.usage("the image knows no " + what + " `" + PlainText.shorten(text)
                    + "`; give its number, or one of its /etc/" + (what.equals("user") ? "passwd" : "group"));
        }
        return Long.parseLong(text);
    }

    private List<String[]> entries(String name) {
        for (var layer : layers) {
            var etc = layer.resolve("etc");
            var file = etc.resolve(name);
            // A link in an image would lead to the host's files.
            if (Files.isDirectory(etc, LinkOption.NOFOLLOW_LINKS)
                    && Files.isRegularFile(file, LinkOption.NOFOLLOW_LINKS)) {
                return lines(file);
            }
        }
        return List.of();
    }

    private static List<String[]> lines(Path file) {
        try {
            if (Files.size(file) > MAX_FILE) {
                return List.of();
            }
            return new String(Files.readAllBytes(file), java.nio.charset.StandardCharsets.UTF_8)
                    .lines()
                    .map(l -> l.split(":", -1))
                    .toList();
        } catch (IOException e) {
            throw HydraException.failed("cannot read `" + file + "`: " + e.getMessage(), e);
        }
    }
}
