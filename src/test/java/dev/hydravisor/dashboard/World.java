package dev.hydravisor.dashboard;

import dev.hydravisor.dashboard.Known.Details;
import dev.hydravisor.dashboard.Known.Happened;
import dev.hydravisor.dashboard.Meters.Reading;
import dev.hydravisor.host.Check.Finding;
import dev.hydravisor.image.AllImages;
import dev.hydravisor.instance.Instance;
import dev.hydravisor.instance.Kind;
import dev.hydravisor.instance.State;
import dev.hydravisor.instance.VmSpec;
import dev.hydravisor.model.DialogTurn;
import dev.hydravisor.model.ModelInfo;
import dev.hydravisor.model.ModelRef;
import dev.hydravisor.model.Models;
import dev.hydravisor.operation.HydraException;
import dev.hydravisor.recording.Recording;
import dev.hydravisor.workspace.Workspace;
import java.time.Clock;
import java.time.Duration;
import java.time.Instant;
import java.time.ZoneOffset;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.UUID;
import org.jspecify.annotations.Nullable;

/** A screen over a small world that never changes by itself. */
final class World {
    static final Instant NOW = Instant.parse("2026-01-31T10:15:00Z");

    final Known known = new Known();
    final RecordedDeeds deeds = new RecordedDeeds();
    final Ui ui;
    final Painter painter;

    World() {
        this(Map.of());
    }

    World(Map<String, List<String>> keys) {
        var clock = Clock.fixed(NOW, ZoneOffset.UTC);
        ui = new Ui(
                known,
                new Keys(keys),
                deeds,
                new Forms(known, () -> List.of("alpine-3.22", "debian-13", "fedora-43")),
                clock);
        painter = new Painter(ui, "vera@desk");
    }

    /** Some of everything. */
    static World full() {
        var world = new World();
        var known = world.known;
        known.instances = List.of(
                instance("build", State.RUNNING, "192.168.122.17", "ollama:qwen3:8b", 2),
                instance("db", State.STOPPED, null, null, 60 * 26),
                instance("naïve-café", State.RUNNING, "192.168.122.20", null, 300),
                instance("東京", State.PAUSED, "192.168.122.21", null, 61),
                instance("test-🚀-x", State.CREATING, null, null, 0),
                instance("web", State.UNAVAILABLE, null, "ollama:llama3.2,bedrock:anthropic.claude-x", 9000));
        known.workspaces = List.of(
                new Workspace(
                        "build",
                        null,
                        id("build"),
                        Workspace.State.OPEN,
                        null,
                        "$1",
                        List.of(
                                new Workspace.Pane("shell", null, null, true, 100, 40),
                                new Workspace.Pane("dialog", "ollama:qwen3:8b", "status 1", true, 60, 40)),
                        List.of("ollama:qwen3:8b"),
                        "session-20260131T101300Z",
                        NOW.minus(Duration.ofMinutes(2)),
                        1),
                new Workspace(
                        "db",
                        null,
                        id("db"),
                        Workspace.State.ENDED,
                        "the tmux server ended; `hydra workspace open db` opens it anew",
                        null,
                        List.of(),
                        List.of(),
                        null,
                        NOW.minus(Duration.ofHours(5)),
                        0));
        known.models = new Models.Listing(
                List.of(
                        new ModelInfo(
                                ModelRef.parse("ollama:llama3.2"),
                                2_019_393_189L,
                                "llama",
                                "3.2B",
                                131_072,
                                true,
                                false,
                                List.of("tools"),
                                "this machine",
                                "",
                                null),
                        new ModelInfo(
                                ModelRef.parse("ollama:qwen3:8b"),
                                5_225_388_164L,
                                "qwen3",
                                "8.2B",
                                40_960,
                                false,
                                false,
                                List.of(),
                                "this machine",
                                "",
                                null)),
                Map.of(
                        "bedrock",
                        HydraException.unavailable(
                                "no AWS credentials were found; set AWS_PROFILE or run `aws configure`")));
        known.images = List.of(new AllImages.Entry(
                "debian-13",
                AllImages.Kind.VM,
                "qcow2",
                "4cf1d9b1d0a6f0f5b5b1a9a8f3c2b1e0d9c8b7a6958473625140fedcba987654",
                344_981_504L,
                3_221_225_472L,
                "https://cloud.debian.org/images/cloud/trixie/latest/debian-13-generic-amd64.qcow2",
                NOW.minus(Duration.ofDays(12)),
                List.of("build", "db")));
        known.recordings = List.of(
                recording("session-20260131T101300Z", "build", Recording.State.RECORDING, null),
                recording("session-20260130T081500Z", "db", Recording.State.ENDED, "closed by user"),
                recording("session-20260129T070000Z", "web", Recording.State.CUT_OFF, null));
        known.events = List.of(
                new Happened(NOW.minusSeconds(90), "build", "created", Role.TEXT),
                new Happened(NOW.minusSeconds(60), "build", "asked ollama:qwen3:8b", Role.DIM),
                new Happened(NOW.minusSeconds(2), "web", "start web: libvirt does not answer", Role.BAD));
        known.details = new Details(
                "build",
                List.of("hydra@build:~$ make", "cc -O2 -o \033[31mhello\033[0m hello.c", "hydra@build:~$"),
                List.of(
                        turn(DialogTurn.Role.USER, "why does the build fail?"),
                        turn(
                                DialogTurn.Role.ASSISTANT,
                                "It \033]0;owned\007does \033[2J\033[Hnot: `make` ended with 0. The warning before it is about a"
                                        + " variable that is set and never read.")));
        known.readings = Map.of(
                id("build"),
                new Reading(
                        List.of(0.1, 0.1, 0.4, 1.2, 1.9, 2.0, 2.0, 1.4, 0.3, 0.24),
                        List.of(300L << 20, 300L << 20, 700L << 20, 1900L << 20, 1200L << 20, 512L << 20)),
                id("naïve-café"),
                new Reading(List.of(), List.of(200L << 20)));
        known.findings = List.of(
                Finding.ok("tmux", "3.5a"),
                Finding.error("libvirt", "it does not answer", "start it"),
                Finding.warning("kvm", "is absent", ""));
        known.heard.addAll(Arrays.asList(View.values()));
        world.ui.changed(View.values());
        return world;
    }

    /** So many instances. */
    static World crowded(int count) {
        var world = new World();
        var all = new ArrayList<Instance>();
        for (int i = 0; i < count; i++) {
            all.add(instance("vm-%04d".formatted(i), State.RUNNING, "10.0.0." + i % 250, null, i));
        }
        world.known.instances = all;
        world.known.heard.add(View.INSTANCES);
        world.ui.changed(View.INSTANCES);
        return world;
    }

    World press(String... keys) {
        for (var key : keys) {
            ui.key(key);
        }
        return this;
    }

    World type(String text) {
        text.codePoints().forEach(c -> ui.key(c == ' ' ? "space" : Character.toString(c)));
        return this;
    }

    Frame frame(int columns, int rows) {
        var frame = new Frame(columns, rows);
        painter.draw(frame);
        return frame;
    }

    String screen() {
        return frame(80, 24).toString();
    }

    static Instance instance(
            String name, State state, @Nullable String address, @Nullable String model, int minutesOld) {
        return new Instance(
                id(name),
                name,
                Kind.VM,
                state,
                state == State.UNAVAILABLE ? "libvirt does not answer; `hydra doctor` says more" : null,
                new VmSpec("debian-13", 2, 2048, 0, "hydra", null, "default"),
                address,
                model,
                NOW.minus(Duration.ofMinutes(minutesOld)));
    }

    private static UUID id(String name) {
        return UUID.nameUUIDFromBytes(name.getBytes(java.nio.charset.StandardCharsets.UTF_8));
    }

    private static Recording recording(String id, String instance, Recording.State state, @Nullable String reason) {
        return new Recording(
                id,
                instance,
                id(instance).toString(),
                "vm",
                "debian-13",
                "",
                "vera",
                "desk",
                "vm " + instance,
                100,
                40,
                NOW.minus(Duration.ofHours(3)),
                state == Recording.State.RECORDING ? null : NOW.minus(Duration.ofHours(2)),
                reason,
                state,
                3723.4,
                918_273,
                "/home/vera/.hydravisor/logs/" + id);
    }

    private static DialogTurn turn(DialogTurn.Role role, String text) {
        return new DialogTurn(
                "build", role, ModelRef.parse("ollama:qwen3:8b"), null, null, text, DialogTurn.Finish.COMPLETE, NOW);
    }
}
