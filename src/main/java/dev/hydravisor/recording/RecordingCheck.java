package dev.hydravisor.recording;

import dev.hydravisor.host.Check;
import dev.hydravisor.operation.HydraException;
import java.util.ArrayList;
import java.util.List;
import org.springframework.stereotype.Component;

/** What {@code hydra doctor} says of recordings: what the recorder complains of. */
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
                findings.add(Finding.ok(SUBJECT, running.size() + " running"));
            }
            return findings;
        } catch (HydraException e) {
            return List.of(Finding.error(SUBJECT, e.text(), "see `hydra daemon logs`"));
        }
    }
}
