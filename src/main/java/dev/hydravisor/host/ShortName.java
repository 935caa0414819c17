package dev.hydravisor.host;

import dev.hydravisor.operation.HydraException;
import java.util.regex.Pattern;

/** The form of names that are a host name, a libvirt domain's name, a containerd id and a tmux session's name at once. */
public final class ShortName {
    private static final Pattern FORM = Pattern.compile("[A-Za-z0-9]+([_-][A-Za-z0-9]+)*");
    private static final int LONGEST = 63;

    private ShortName() {}

    public static boolean fits(String name) {
        return name.length() <= LONGEST && FORM.matcher(name).matches();
    }

    /**
     * Refuses a name that does not fit.
     *
     * @param what what would bear it, such as {@code an instance}
     * @throws HydraException USAGE
     */
    public static void check(String name, String what) {
        if (!fits(name)) {
            throw HydraException.usage("`" + PlainText.shorten(name) + "` is no name for " + what + "; use at most "
                    + LONGEST + " letters and digits with single - or _ between them");
        }
    }
}
