package dev.hydravisor.client;

import dev.hydravisor.wire.Frame;
import dev.hydravisor.wire.Rendezvous;
import java.io.IOException;
import java.nio.file.Files;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/** {@code hydra daemon …}: what must work whether there is a daemon or not, and whatever its version. */
final class DaemonCommand {
    private static final String HELP = """
            look after the daemon that does hydra's work in the background

            Usage: hydra daemon start | status | stop | restart | logs

              start     start it, if it is not running; every other command does so too
              status    say whether it runs, its process id, version and memory
              stop      end it; instances, workspaces and recorders go on
              restart   stop and start, as after an update
              logs      print what it logged; `-f` goes on as it logs more

            Example:
              hydra daemon status
            """;
    private static final int STOP_LIMIT_SECONDS = 15;

    private final Rendezvous rendezvous;
    private final DaemonStart daemon;

    DaemonCommand(Rendezvous rendezvous) {
        this.rendezvous = rendezvous;
        this.daemon = new DaemonStart(rendezvous);
    }

    int run(List<String> arguments) throws IOException {
        var verb = arguments.isEmpty() ? "" : arguments.getFirst();
        if (arguments.contains("-h") || arguments.contains("--help")) {
            System.out.print(HELP);
            return 0;
        }
        return switch (verb) {
            case "start" -> start();
            case "status" -> status();
            case "stop" -> stop();
            case "restart" -> {
                stop();
                yield start();
            }
            case "logs" -> logs(arguments.contains("-f") || arguments.contains("--follow"));
            default -> {
                System.err.print(verb.isEmpty() ? HELP : "error: `daemon " + verb + "` is no command\n\n" + HELP);
                yield 2;
            }
        };
    }

    private int start() throws IOException {
        daemon.connect().close();
        return status();
    }

    private int status() throws IOException {
        var reply = control("status");
        System.out.print(reply == null ? "hydrad is not running\n" : reply);
        return reply == null ? 3 : 0;
    }

    private int stop() throws IOException {
        var reply = control("stop");
        if (reply == null) {
            System.out.println("hydrad is not running");
            return 0;
        }
        var process = ProcessHandle.of(Long.parseLong(reply.strip()));
        if (process.isPresent()) {
            try {
                process.get().onExit().get(STOP_LIMIT_SECONDS, TimeUnit.SECONDS);
            } catch (java.util.concurrent.TimeoutException e) {
                System.err.println(
                        "error: hydrad does not end; `kill -9 " + process.get().pid() + "` ends it, nothing is lost");
                return 1;
            } catch (InterruptedException | java.util.concurrent.ExecutionException e) {
                return 1;
            }
        }
        System.out.println("hydrad stopped; instances and workspaces go on");
        return 0;
    }

    private int logs(boolean follow) throws IOException {
        if (!Files.exists(rendezvous.log())) {
            System.err.println("error: there is no log yet at `" + rendezvous.log() + "`");
            return 3;
        }
        var argv = follow
                ? List.of("tail", "-n", "+1", "-f", rendezvous.log().toString())
                : List.of("cat", rendezvous.log().toString());
        try {
            return new ProcessBuilder(argv).inheritIO().start().waitFor();
        } catch (InterruptedException e) {
            return 130;
        }
    }

    private @Nullable String control(String verb) throws IOException {
        var channel = daemon.connectIfUp();
        if (channel == null) {
            return null;
        }
        try (channel) {
            channel.write(Frame.of(Frame.Type.CONTROL, verb));
            return channel.read().text();
        } catch (IOException e) {
            return null; // it went away just now
        }
    }
}
