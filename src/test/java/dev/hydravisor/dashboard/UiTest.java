package dev.hydravisor.dashboard;

import static org.assertj.core.api.Assertions.assertThat;

import dev.hydravisor.instance.State;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;

class UiTest {
    @Test
    void keysActOnTheSelection() {
        var world = World.full();
        world.press("enter", "j", "s", "k", "s", "t", "c", "p", "r", "R", "y");
        assertThat(world.deeds.asked)
                .containsExactly(
                        "open build",
                        "start db",
                        "stop build",
                        "shell build",
                        "console build",
                        "pause build",
                        "record build false",
                        "replay build",
                        "copy build");
    }

    @Test
    void deletingAsksForTheName() {
        var world = World.full().press("x");
        assertThat(world.screen()).contains("delete `build` for good? type its name:");
        world.type("bild").press("enter");
        assertThat(world.deeds.asked).isEmpty();
        assertThat(world.screen()).contains("`build` is kept");
        world.press("x").type("build").press("enter");
        assertThat(world.deeds.asked).containsExactly("delete instances build");
    }

    @Test
    void aFilterNarrowsTheListAsItIsTypedAndEscapeShowsAll() {
        var world = World.full().press("/").type("run");
        assertThat(world.ui.rows().size()).isEqualTo(2);
        world.press("enter");
        assertThat(world.screen()).contains("/run").doesNotContain("○ stopped");
        world.press("q");
        assertThat(world.ui.rows().size()).isEqualTo(6);
        assertThat(world.ui.left()).isFalse();
    }

    @Test
    void colonGoesToAViewByTheBeginningOfItsName() {
        var world = World.full().press(":").type("rec").press("enter");
        assertThat(world.ui.view()).isEqualTo(View.RECORDINGS);
        world.press(":").type("nowhere").press("enter");
        assertThat(world.screen()).contains("there is no view `nowhere`");
        world.press("7");
        assertThat(world.ui.view()).isEqualTo(View.JOBS);
        world.press("q");
        assertThat(world.ui.view()).isEqualTo(View.INSTANCES);
        world.press("q");
        assertThat(world.ui.left()).isTrue();
    }

    @Test
    void ctrlCLeavesFromAnywhere() {
        assertThat(World.full().press("?", "ctrl-c").ui.left()).isTrue();
        assertThat(World.full().press("/", "a", "ctrl-c").ui.left()).isTrue();
        assertThat(World.full().press("n", "ctrl-c").ui.left()).isTrue();
    }

    @Test
    void attachingOffersTheModelsThereAre() {
        var world = World.full().press("a");
        assertThat(world.screen()).contains("attach a model to build", "ollama:llama3.2", "ollama:qwen3:8b");
        world.type("qw").press("enter");
        assertThat(world.deeds.asked).containsExactly("attach build ollama:qwen3:8b");
        assertThat(world.ui.over()).isNull();
    }

    @Test
    void detachingAsksOnlyWhereThereAreSeveral() {
        var world = World.full().press("d");
        assertThat(world.deeds.asked).containsExactly("detach build ollama:qwen3:8b");
        world.press("G", "d");
        assertThat(world.screen()).contains("detach a model from web");
        world.press("down", "enter");
        assertThat(world.deeds.asked).contains("detach web bedrock:anthropic.claude-x");
    }

    @Test
    void theFormChecksAndCompletesAndShowsThePlanBeforeAnythingIsDone() {
        var world = World.full().press("n").type("build");
        assertThat(world.screen()).contains("there is one of this name");
        world.press("ctrl-u").type("bad name");
        assertThat(world.screen()).contains("letters, digits, single - or _");
        world.press("ctrl-u").type("new").press("enter").type("deb");
        assertThat(world.screen()).contains("debian-13");
        world.press("tab", "enter", "ctrl-u").type("many").press("enter", "enter", "enter", "enter", "enter", "enter");
        world.press("enter");
        assertThat(world.deeds.asked).isEmpty();
        assertThat(world.screen()).contains("a whole number, 1 to 512");
        world.press("ctrl-u").type("4").press("down", "down", "down", "down", "down", "down", "enter");
        assertThat(world.screen()).contains("this will be done", "create vm `new`");
        assertThat(world.deeds.asked).containsExactly("plan");
        world.press("enter");
        assertThat(world.deeds.asked.getLast())
                .startsWith("create {name=new, image=debian-13, cpus=4, memory=2G, disk=, user=hydra, network=default");
        assertThat(world.ui.over()).isInstanceOf(Watch.class);
    }

    @Test
    void boundKeysShowInHintsAndHelp() {
        var world = new World(Map.of("create", List.of("+")));
        assertThat(world.screen()).contains("+ create");
        assertThat(world.press("?").frame(80, 40).toString()).contains("+              create a VM");
    }

    @Test
    void aTerminalThatIsTooSmallIsTold() {
        assertThat(World.full().frame(40, 10).toString())
                .startsWith("the dashboard needs 60x16\nthis terminal is 40x10\nCtrl-C leaves\n");
    }

    @Test
    void everySizeIsDrawnWithoutAFault() {
        for (var view : View.values()) {
            var world = World.full();
            world.ui.go(view);
            for (int columns = 1; columns <= 300; columns += 7) {
                for (int rows = 1; rows <= 100; rows += 9) {
                    world.frame(columns, rows);
                }
            }
        }
    }

    @Test
    void aThousandInstancesScrollInAFewMilliseconds() {
        var world = World.crowded(1000);
        for (int i = 0; i < 300; i++) {
            world.press("j").frame(200, 50);
        }
        var start = System.nanoTime();
        for (int i = 0; i < 100; i++) {
            world.press("j").frame(200, 50);
        }
        var each = Duration.ofNanos((System.nanoTime() - start) / 100);
        assertThat(each).isLessThan(Duration.ofMillis(16));
        assertThat(world.screen()).contains("vm-0400").contains("401/1000");
    }

    @Test
    void newsLeavesTheSelectionWhereItWas() {
        var world = World.full().press("j", "j");
        world.known.instances =
                List.of(World.instance("aaa", State.RUNNING, null, null, 0), world.known.instances.get(2));
        world.ui.changed(View.INSTANCES);
        assertThat(world.press("y").deeds.asked).containsExactly("copy naïve-café");
    }

    @Test
    void whatAModelSaysCannotSteerTheTerminal() {
        var screen = World.full().frame(160, 45).toString();
        assertThat(screen)
                .contains("It does not: `make` ended with 0")
                .contains("cc -O2 -o hello hello.c")
                .doesNotContain("owned");
        assertThat(screen.codePoints().filter(c -> c != '\n').noneMatch(Character::isISOControl))
                .isTrue();
    }
}
