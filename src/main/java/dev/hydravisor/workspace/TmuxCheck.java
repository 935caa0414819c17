package dev.hydravisor.workspace;

import dev.hydravisor.host.Check;
import dev.hydravisor.operation.HydraException;
import dev.hydravisor.workspace.tmux.Tmux;
import java.util.ArrayList;
import java.util.List;
import java.util.regex.Pattern;
import org.springframework.stereotype.Component;

/** Whether tmux is there and new enough, its server answers, and its panes are recorded. */
@Component
class TmuxCheck implements Check {
    private static final String SUBJECT = "tmux";
    private static final Pattern NUMBERS = Pattern.compile("(\\d+)\\.(\\d+)");

    private final Tmux tmux;
    private final WorkspaceService workspaces;

    TmuxCheck(Tmux tmux, WorkspaceService workspaces) {
        this.tmux = tmux;
        this.workspaces = workspaces;
    }

    @Override
    public List<Finding> findings() {
        var findings = new ArrayList<Finding>();
        try {
            var version = Tmux.version();
            if (!isEnough(version)) {
                return List.of(Finding.error(SUBJECT, version, "install tmux 3.2 or newer"));
            }
            var server = tmux.panes().isPresent() ? "server on `" + tmux.socket() + "`" : "no server yet";
            findings.add(Finding.ok(SUBJECT, version + ", " + server));
            for (var name : workspaces.unrecorded()) {
                findings.add(Finding.warning(
                        "recording",
                        "the recorder of workspace `" + name + "` stopped",
                        "look for a full disk; it is started again by itself"));
            }
        } catch (HydraException e) {
            findings.add(Finding.error(SUBJECT, e.text(), "run bin/setup"));
        }
        return findings;
    }

    /** 3.2 brought `new-session -e`. What carries no number, such as {@code master}, is newer. */
    static boolean isEnough(String version) {
        var numbers = NUMBERS.matcher(version);
        if (!numbers.find()) {
            return true;
        }
        var major = Integer.parseInt(numbers.group(1));
        return major > 3 || (major == 3 && Integer.parseInt(numbers.group(2)) >= 2);
    }
}
