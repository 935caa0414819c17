package dev.hydravisor.console;

import dev.hydravisor.image.AllImages;
import dev.hydravisor.image.Image;
import dev.hydravisor.image.ImageService;
import dev.hydravisor.instance.InstanceService;
import dev.hydravisor.instance.Kind;
import dev.hydravisor.model.Endpoint;
import dev.hydravisor.model.Models;
import dev.hydravisor.recording.Recording;
import dev.hydravisor.recording.RecordingService;
import dev.hydravisor.workspace.Workspace;
import dev.hydravisor.workspace.WorkspaceService;
import java.util.Objects;
import java.util.stream.Stream;
import org.springframework.stereotype.Component;

/** Live names for Tab: what there is right now. */
@Component
class Names {
    private final InstanceService instances;
    private final ImageService disks;
    private final AllImages images;
    private final Models models;
    private final RecordingService recordings;
    private final WorkspaceService workspaces;

    Names(
            InstanceService instances,
            ImageService disks,
            AllImages images,
            Models models,
            RecordingService recordings,
            WorkspaceService workspaces) {
        this.instances = instances;
        this.disks = disks;
        this.images = images;
        this.models = models;
        this.recordings = recordings;
        this.workspaces = workspaces;
    }

    /** Names of all instances. */
    Values instances() {
        return _ -> instances.names();
    }

    /** Names of the instances, and their workspaces' own. */
    Values workspaces() {
        return _ -> Stream.concat(
                        instances.names().stream(),
                        workspaces.list().stream().map(Workspace::called).filter(Objects::nonNull))
                .toList();
    }

    /** Names of the instances of one kind. */
    Values instances(Kind kind) {
        return _ -> instances.names(kind);
    }

    /** Images VMs start from. */
    Values images() {
        return _ -> disks.list().stream().map(Image::name).toList();
    }

    /** Images containers start from. */
    Values containerImages() {
        return _ -> images.names(AllImages.Kind.CONTAINER);
    }

    Values allImages() {
        return _ -> images.names(AllImages.Kind.values());
    }

    /** {@code provider:id} of all models in reach. */
    Values models() {
        return session -> models.list(Endpoint.of(session::environment)).models().stream()
                .map(m -> m.model().toString())
                .toList();
    }

    Values recordings() {
        return _ -> recordings.list().stream().map(Recording::id).toList();
    }
}
