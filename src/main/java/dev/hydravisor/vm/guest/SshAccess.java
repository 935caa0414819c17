package dev.hydravisor.vm.guest;

import dev.hydravisor.host.Processes;
import dev.hydravisor.operation.HydraException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;

/**
 * The way into a guest over SSH, with the VM's own key and none of the user's own SSH settings.
 *
 * @param netns the network namespace the guest is reached in; null for this one
 * @param address of the guest; for a forwarded port, this host's
 */
public record SshAccess(
        Keys keys,
        String name,
        String user,
        String address,
        int port,
        @Nullable String netns) {
    /** An interactive login. */
    public List<String> login() {
        return argv(List.of());
    }

    /** Runs a program in the guest; a status of 255 is SSH's own, and an error. */
    public Processes.Result exec(List<String> program, byte[] input, Duration limit) {
        var argv = argv(List.of("-T", "-o", "BatchMode=yes", "-o", "ConnectTimeout=5"));
        // SSH joins its arguments for a shell of the guest's: quoted, each is one word there again.
        argv.add(program.stream().map(a -> "'" + a.replace("'", "'\\''") + "'").collect(Collectors.joining(" ")));
        var result = Processes.run(limit, argv, input);
        if (result.status() == 255) {
            throw HydraException.unavailable("ssh into `" + name + "` failed: " + result.reason() + "; use its shell");
        }
        return result;
    }

    /** Waits until a login with the key works; false when it does not within {@code limit}. */
    public boolean await(Duration limit) {
        var end = System.nanoTime() + limit.toNanos();
        // What SSH itself says is the only answer that counts: a port that is open may lead to a server that is not
        // ready,
        // or to one that does not know the key yet.
        var probe = argv(List.of("-o", "BatchMode=yes", "-o", "ConnectTimeout=3"));
        probe.add("true");
        while (true) {
            var left = Duration.ofNanos(end - System.nanoTime());
            if (left.isNegative()) {
                return false;
            }
            try {
                if (Processes.run(left.plusSeconds(1), probe).ok()) {
                    return true;
                }
            } catch (HydraException e) {
                if (e.exitCode() != dev.hydravisor.operation.ExitCode.FAILED) {
                    throw e;
                }
            }
            try {
                Thread.sleep(300);
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
                throw HydraException.interrupted();
            }
        }
    }

    private List<String> argv(List<String> options) {
        var argv = new ArrayList<String>();
        if (netns != null) {
            argv.addAll(List.of("ip", "netns", "exec", netns));
        }
        argv.addAll(List.of("ssh", "-F", "none", "-i", keys.privateKey(name).toString()));
        argv.addAll(List.of("-o", "IdentitiesOnly=yes"));
        // ssh splits the value at blanks unless it is quoted.
        argv.addAll(List.of("-o", "UserKnownHostsFile=\"" + keys.knownHosts(name) + "\""));
        argv.addAll(List.of("-o", "StrictHostKeyChecking=accept-new", "-o", "LogLevel=ERROR"));
        if (port != 22) {
            argv.addAll(List.of("-p", Integer.toString(port)));
        }
        argv.addAll(options);
        argv.addAll(List.of("-l", user, address));
        return argv;
    }
}
