package dev.hydravisor.recording;

import dev.hydravisor.host.Check;
import dev.hydravisor.host.Processes;
import dev.hydravisor.operation.HydraException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import org.springframework.stereotype.Component;

/** What {@code hydra doctor} says of recordings: whether the recorder can run, and what running ones complain of. */
@Component
class RecordingCheck implements Check {
    private static final String SUBJECT = "recording";

    private final RecordingService recordings;

    RecordingCheck(RecordingService recordings) {
        this.recordings = recordings;
    }

    @Override
    public List<Finding> findings() {
        try {
            var perl = Processes.run(Duration.ofSeconds(5), List.of("perl", "-e", "printf '%vd', $^V"));
            if (!perl.ok()) {
                return List.of(Finding.error(SUBJECT, "perl does not run: " + perl.reason(), "install perl-base"));
            }
            var findings = new ArrayList<Finding>();
            var running = recordings.list().stream()
                    .filter(r -> r.state() == Recording.State.RECORDING)
                    .toList();
            for (var recording : running) {
                recordings.complaints(recording.id()).stream()
                        .reduce((_, last) -> last)
                        .ifPresent(last -> findings.add(Finding.warning(
                                SUBJECT,
                                recording.id() + " lost output: " + last.substring(last.indexOf(' ') + 1),
                                "make room under " + recording.folder())));
            }
            if (findings.isEmpty()) {
                findings.add(Finding.ok(SUBJECT, running.size() + " running, perl " + perl.out()));
            }
            return findings;
        } catch (HydraException e) {
            return List.of(Finding.error(SUBJECT, e.text(), "see `hydra daemon logs`"));
        }
    }
}
