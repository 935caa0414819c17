package dev.hydravisor.console;

import dev.hydravisor.image.Image;
import dev.hydravisor.image.ImageService;
import dev.hydravisor.instance.InstanceService;
import dev.hydravisor.model.Endpoint;
import dev.hydravisor.model.Models;
import dev.hydravisor.recording.Recording;
import dev.hydravisor.recording.RecordingService;
import org.springframework.stereotype.Component;

/** The names of what there is right now, as the services know it. */
@Component
class LiveNames implements Names {
    private final InstanceService instances;
    private final ImageService images;
    private final Models models;
    private final RecordingService recordings;

    LiveNames(InstanceService instances, ImageService images, Models models, RecordingService recordings) {
        this.instances = instances;
        this.images = images;
        this.models = models;
        this.recordings = recordings;
    }

    @Override
    public Values instances() {
        return _ -> instances.names();
    }

    @Override
    public Values images() {
        return _ -> images.list().stream().map(Image::name).toList();
    }

    @Override
    public Values models() {
        return session -> models.list(Endpoint.of(session::environment)).models().stream()
                .map(m -> m.model().toString())
                .toList();
    }

    @Override
    public Values recordings() {
        return _ -> recordings.list().stream().map(Recording::id).toList();
    }
}
