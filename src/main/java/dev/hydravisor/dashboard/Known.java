package dev.hydravisor.dashboard;

import dev.hydravisor.host.Check.Finding;
import dev.hydravisor.image.AllImages;
import dev.hydravisor.instance.Instance;
import dev.hydravisor.model.DialogTurn;
import dev.hydravisor.model.Models;
import dev.hydravisor.recording.Recording;
import dev.hydravisor.workspace.Workspace;
import java.time.Instant;
import java.util.EnumMap;
import java.util.EnumSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.UUID;

/** What the screen knows of the world: the last answer of each service. Belongs to the screen's thread. */
final class Known {
    /** Something that happened, for the list of events. */
    record Happened(Instant at, String subject, String what, Role role) {}

    /** What is read of one instance alone: the last lines of its terminal, and of its dialog. */
    record Details(String instance, List<String> terminal, List<DialogTurn> turns) {
        static final Details NONE = new Details("", List.of(), List.of());
    }

    List<Instance> instances = List.of();
    List<Workspace> workspaces = List.of();
    Models.Listing models = new Models.Listing(List.of(), Map.of());
    List<AllImages.Entry> images = List.of();
    List<Recording> recordings = List.of();
    List<Happened> events = List.of();
    List<Job> jobs = List.of();
    List<Finding> findings = List.of();
    Details details = Details.NONE;

    /** What running instances used of late, by id. */
    Map<UUID, Meters.Reading> readings = Map.of();

    /** What was heard of at all; the rest is still being asked. */
    final Set<View> heard = EnumSet.of(View.EVENTS, View.JOBS);

    /** Why the last answer is none. */
    final Map<View, String> errors = new EnumMap<>(View.class);
}
