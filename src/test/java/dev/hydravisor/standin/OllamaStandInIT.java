package dev.hydravisor.standin;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.io.InputStream;
import java.net.ConnectException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.net.http.HttpTimeoutException;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.node.ArrayNode;
import tools.jackson.databind.node.ObjectNode;

/** The stand-in for Ollama as its clients see it: over its socket, from a process of its own. */
class OllamaStandInIT {

    private static final HttpClient CLIENT = HttpClient.newHttpClient();
    private static StandInProcess standIn;

    @BeforeAll
    static void start() throws IOException {
        standIn = StandInProcess.startWithTinyModel();
    }

    @AfterAll
    static void stop() {
        if (standIn != null) {
            standIn.close();
        }
    }

    // The routes and their shapes.

    @Test
    void saysThatItRuns() throws Exception {
        assertThat(get("/").body()).isEqualTo("Ollama is running");
        HttpResponse<String> head = send(request("/").method("HEAD", HttpRequest.BodyPublishers.noBody()));
        assertThat(head.statusCode()).isEqualTo(200);
        assertThat(head.body()).isEmpty();
        assertThat(json(get("/api/version")).path("version").asString()).matches("\\d+\\.\\d+\\.\\d+");
    }

    @Test
    void listsEveryModelWithSizeDigestAndDetails() throws Exception {
        JsonNode models = json(get("/api/tags")).path("models");
        Set<String> names = new HashSet<>();
        for (JsonNode model : models) {
            names.add(model.path("name").asString());
            assertThat(model.path("model")).isEqualTo(model.path("name"));
            assertThat(model.path("size").asLong()).isPositive();
            assertThat(model.path("digest").asString()).matches("[0-9a-f]{64}");
            assertThat(Instant.parse(model.path("modified_at").asString())).isBefore(Instant.now());
            assertThat(model.path("details").path("family").asString()).isEqualTo("llama");
            assertThat(model.path("details").path("parameter_size").asString()).matches("[\\d.]+[MB]");
        }
        assertThat(names).contains("tinychat:latest", "echo:latest", "slow:latest", "tool:latest", "big:cloud");
    }

    @Test
    void marksTheModelThatRunsOnAnotherMachine() throws Exception {
        JsonNode shown = json(post("/api/show", named("big:cloud")));
        assertThat(shown.path("remote_host").asString()).isEqualTo("https://ollama.com:443");
        assertThat(shown.path("remote_model").asString()).isEqualTo("big");
        assertThat(json(post("/api/show", named("echo"))).has("remote_host")).isFalse();
    }

    @Test
    void showsWhatAModelIsAbleTo() throws Exception {
        JsonNode tiny = json(post("/api/show", named("tinychat")));
        assertThat(tiny.path("model_info").path("llama.context_length").asInt()).isEqualTo(2048);
        assertThat(texts(tiny.path("capabilities"))).containsExactly("completion");
        assertThat(texts(json(post("/api/show", named("think"))).path("capabilities")))
                .containsExactly("completion", "thinking", "tools");
    }

    @Test
    void refusesAsOllamaDoes() throws Exception {
        assertRefused(post("/api/chat", named("nope")), 404, "model 'nope' not found");
        assertRefused(post("/api/generate", named("nope")), 404, "model 'nope' not found");
        assertRefused(post("/api/show", named("nope")), 404, "model 'nope:latest' not found");
        assertRefused(post("/api/chat", named("tinychat:other")), 404, "model 'tinychat:other' not found");
        assertRefused(post("/api/chat", ""), 400, "missing request body");
        assertRefused(post("/api/chat", "{}"), 400, "model is required");
        assertRefused(
                post("/api/chat", chat("echo", "user", "hi").put("think", true)),
                400,
                "\"echo\" does not support thinking");
        assertRefused(
                post("/api/chat", withTool(chat("no-tools", "user", "hi"))),
                400,
                "no-tools:latest does not support tools");
        assertRefused(
                post("/api/chat", chat("echo", "user", "hi").put("keep_alive", "soon")),
                400,
                "time: invalid duration \"soon\"");
        assertThat(get("/api/chat").statusCode()).isEqualTo(405);
        assertThat(get("/api/nothing").statusCode()).isEqualTo(404);
        assertThat(post("/api/embed", named("echo")).statusCode()).isEqualTo(501);
    }

    @Test
    void loadsAndUnloadsOnEmptyMessages() throws Exception {
        JsonNode loaded = json(post("/api/chat", named("echo:load=20").put("keep_alive", "10m")));
        assertThat(loaded.path("done_reason").asString()).isEqualTo("load");
        JsonNode running = running("echo:load=20");
        assertThat(Instant.parse(running.path("expires_at").asString()))
                .isBetween(Instant.now().plusSeconds(590), Instant.now().plusSeconds(610));
        JsonNode unloaded = json(post("/api/chat", named("echo:load=20").put("keep_alive", 0)));
        assertThat(unloaded.path("done_reason").asString()).isEqualTo("unload");
        assertThat(running("echo:load=20").isMissingNode()).isTrue();
        json(post("/api/generate", named("echo").put("keep_alive", -1)));
        assertThat(Instant.parse(running("echo:latest").path("expires_at").asString()))
                .isAfter(Instant.now().plus(Duration.ofDays(10_000)));
    }

    @Test
    void copiesAndDeletesModels() throws Exception {
        ObjectNode copy = Wire.JSON.createObjectNode().put("source", "echo").put("destination", "other:mine");
        assertThat(post("/api/copy", copy).statusCode()).isEqualTo(200);
        assertThat(content(lines(post("/api/chat", chat("other:mine", "user", "hi")))))
                .isEqualTo("hi");
        HttpRequest.Builder delete = request("/api/delete")
                .method(
                        "DELETE",
                        HttpRequest.BodyPublishers.ofString(named("other:mine").toString()));
        assertThat(send(delete).statusCode()).isEqualTo(200);
        assertRefused(send(delete), 404, "model 'other:mine' not found");
    }

    // Answers that go well.

    @Test
    void streamsOneTokenALine() throws Exception {
        HttpResponse<String> response = post("/api/chat", chat("echo", "user", "hello over there"));
        assertThat(response.headers().firstValue("Content-Type")).contains("application/x-ndjson");
        List<JsonNode> lines = lines(response);
        assertThat(lines).hasSize(4);
        assertThat(lines.get(1).path("message").path("content").asString()).isEqualTo(" over");
        assertThat(lines.get(1).path("done").asBoolean()).isFalse();
        JsonNode last = lines.getLast();
        assertThat(last.path("done_reason").asString()).isEqualTo("stop");
        assertThat(last.path("eval_count").asInt()).isEqualTo(3);
        assertThat(last.path("total_duration").asLong())
                .isGreaterThanOrEqualTo(last.path("eval_duration").asLong());
    }

    @Test
    void answersInOneObjectWhenNoStreamIsWanted() throws Exception {
        HttpResponse<String> response =
                post("/api/chat", chat("echo", "user", "a b").put("stream", false));
        assertThat(response.headers().firstValue("Content-Type")).contains("application/json; charset=utf-8");
        assertThat(json(response).path("message").path("content").asString()).isEqualTo("a b");
        ObjectNode prompt = named("echo").put("prompt", "c d").put("stream", false);
        assertThat(json(post("/api/generate", prompt)).path("response").asString())
                .isEqualTo("c d");
    }

    @Test
    void stopsAtTheLimitOfTokens() throws Exception {
        for (String model : List.of("long:gap=0", "tinychat")) {
            ObjectNode request = chat(model, "user", "hello");
            request.putObject("options").put("num_predict", 2);
            List<JsonNode> lines = lines(post("/api/chat", request));
            assertThat(lines.getLast().path("done_reason").asString()).isEqualTo("length");
            assertThat(lines.getLast().path("eval_count").asInt()).isEqualTo(2);
        }
    }

    @Test
    void tellsWhatItWasSent() throws Exception {
        ObjectNode request = chat("count", "system", "s", "user", "a", "assistant", "b", "user", "c");
        assertThat(content(lines(post("/api/chat", request)))).isEqualTo("system 1 user 2 assistant 1 tool 0");
        request.put("model", "recite");
        assertThat(content(lines(post("/api/chat", request)))).isEqualTo("system: s\nuser: a\nassistant: b\nuser: c\n");
    }

    @Test
    void thinksUnlessToldNotTo() throws Exception {
        List<JsonNode> lines = lines(post("/api/chat", chat("think", "user", "hi")));
        assertThat(lines.getFirst().path("message").path("thinking").asString()).isEqualTo("the");
        assertThat(content(lines)).isEqualTo("hi");
        lines = lines(post("/api/chat", chat("think", "user", "hi").put("think", false)));
        assertThat(lines).noneMatch(line -> line.path("message").has("thinking"));
    }

    @Test
    void callsToolsOneByOneAndUsesTheirResults() throws Exception {
        String prompt = "run_command touch it\nrun_command {\"command\": \"ls\", \"wait\": 5}";
        JsonNode first = firstCall(post("/api/chat", withTool(chat("tool", "user", prompt))));
        assertThat(first.path("name").asString()).isEqualTo("run_command");
        assertThat(first.path("arguments").path("command").asString()).isEqualTo("touch it");
        JsonNode second =
                firstCall(post("/api/chat", withTool(chat("tool", "user", prompt, "assistant", "", "tool", "done"))));
        assertThat(second.path("arguments").path("wait").asInt()).isEqualTo(5);
        ObjectNode both = withTool(chat("tool", "user", prompt, "assistant", "", "tool", "done", "tool", "it"));
        assertThat(content(lines(post("/api/chat", both)))).isEqualTo("run_command said: done\nrun_command said: it");
        JsonNode strange = firstCall(post("/api/chat", withTool(chat("tool", "user", "call rm_all {\"x\":1}"))));
        assertThat(strange.path("name").asString()).isEqualTo("rm_all");
    }

    @Test
    void callsToolsAtOnceAndUnstreamed() throws Exception {
        ObjectNode request = withTool(chat("tools-at-once", "user", "run_command a\nrun_command b"));
        JsonNode message = json(post("/api/chat", request.put("stream", false))).path("message");
        assertThat(message.path("tool_calls")).hasSize(2);
        assertThat(message.path("tool_calls")
                        .path(1)
                        .path("function")
                        .path("index")
                        .asInt())
                .isEqualTo(1);
    }

    @Test
    void keepsCharactersWholeThatItTearsApartOnTheWire() throws Exception {
        assertThat(content(lines(post("/api/chat", chat("unicode", "user", "hi")))))
                .isEqualTo("grüße, 日本語 👩‍🔧🎉 e\u0301 עברית");
    }

    @Test
    void saysEscapesAndHugeTokens() throws Exception {
        String text = content(lines(post("/api/chat", chat("escapes", "user", "hi"))));
        assertThat(text).startsWith("before ").endsWith("after").contains("\u001b]52;c;", "\u001b[201~", "\u009b");
        List<JsonNode> huge = lines(post("/api/chat", chat("huge", "user", "hi")));
        assertThat(huge).hasSize(2);
        assertThat(content(huge)).hasSize(1_000_000);
    }

    @Test
    void takesTheTimeItIsToldTo() throws Exception {
        long start = System.nanoTime();
        lines(post("/api/chat", chat("slow:first=300,gap=100", "user", "a b c")));
        lines(post("/api/chat", chat("slow:first300-gap100", "user", "a b c")));
        assertThat(Duration.ofNanos(System.nanoTime() - start)).isBetween(Duration.ofSeconds(1), Duration.ofSeconds(4));
    }

    // Answers that go wrong.

    @Test
    void neverAnswersWhenItHangs() throws Exception {
        assertThatThrownBy(() ->
                        send(posting("/api/chat", chat("hang", "user", "hi").toString())
                                .timeout(Duration.ofMillis(500))))
                .isInstanceOf(HttpTimeoutException.class);
        HttpResponse<InputStream> open = CLIENT.send(
                posting("/api/chat", chat("hang-open", "user", "hi").toString()).build(),
                HttpResponse.BodyHandlers.ofInputStream());
        assertThat(open.statusCode()).isEqualTo(200);
        open.body().close();
        await("a client that left is noted", () -> standIn.requests().stream().anyMatch(line -> line.has("left")));
    }

    @Test
    void stallsAfterTheFirstTokens() throws Exception {
        HttpResponse<InputStream> response = CLIENT.send(
                posting("/api/chat", chat("stall:n=2", "user", "hi").toString()).build(),
                HttpResponse.BodyHandlers.ofInputStream());
        try (InputStream body = response.body()) {
            StringBuilder came = new StringBuilder();
            await("two tokens came", () -> {
                came.append(new String(body.readNBytes(body.available()), StandardCharsets.UTF_8));
                return came.chars().filter(c -> c == '\n').count() == 2;
            });
            Thread.sleep(200);
            assertThat(body.available()).isZero();
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"cut", "torn", "reset", "drop"})
    void breaksOffTheConnection(String model) {
        for (boolean stream : new boolean[] {true, false}) {
            assertThatThrownBy(() -> post("/api/chat", chat(model, "user", "hi").put("stream", stream)))
                    .isInstanceOf(IOException.class);
        }
    }

    @Test
    void failsInMidStreamUnderStatus200() throws Exception {
        HttpResponse<String> response = post("/api/chat", chat("errorline", "user", "hi"));
        assertThat(response.statusCode()).isEqualTo(200);
        assertThat(lines(response)).hasSize(4);
        assertThat(lines(response).getLast().path("error").asString())
                .isEqualTo("llama runner process has terminated: exit status 2");
        assertThat(post("/api/chat", chat("errorline", "user", "hi").put("stream", false))
                        .statusCode())
                .isEqualTo(500);
    }

    @Test
    void saysThingsThatAreNoAnswer() throws Exception {
        assertThat(post("/api/chat", chat("badjson", "user", "hi")).body().lines())
                .hasSize(6)
                .contains("{\"model\":\"badjson\",\"message\":{\"role\":");
        HttpResponse<String> page = post("/api/chat", chat("wrongtype", "user", "hi"));
        assertThat(page.headers().firstValue("Content-Type")).contains("text/html; charset=utf-8");
        assertThat(lines(post("/api/chat", chat("no-done", "user", "hi"))))
                .hasSize(3)
                .noneMatch(line -> line.path("done").asBoolean());
        HttpResponse<String> whole = post("/api/chat", chat("nostream", "user", "hi"));
        assertThat(whole.headers().firstValue("Content-Type")).contains("application/json; charset=utf-8");
    }

    @Test
    void isBusyAndThrottlesInTurn() throws Exception {
        String busy = "server busy, please try again.  maximum pending requests exceeded";
        assertRefused(post("/api/chat", chat("busy", "user", "hi")), 503, busy);
        assertRefused(post("/api/chat", chat("busy-once", "user", "hi")), 503, busy);
        assertThat(post("/api/chat", chat("busy-once", "user", "hi")).statusCode())
                .isEqualTo(200);
        HttpResponse<String> throttled = post("/api/chat", chat("throttled:after=7", "user", "hi"));
        assertRefused(throttled, 429, "too many requests");
        assertThat(throttled.headers().firstValue("Retry-After")).contains("7");
        assertThat(post("/api/chat", chat("throttled:after=7", "user", "hi")).statusCode())
                .isEqualTo(200);
    }

    @Test
    void goesWrongWhereThePromptSaysSo() throws Exception {
        assertRefused(
                post("/api/chat", chat("echo", "user", "[[broken]]")),
                500,
                "llama runner process has terminated: exit status 2");
        ObjectNode next = chat("echo", "user", "[[broken]]", "assistant", "", "user", "and now?");
        assertThat(content(lines(post("/api/chat", next)))).isEqualTo("and now?");
        assertThat(content(lines(post("/api/chat", chat("echo", "user", "[[long:n=3,gap=0]]")))))
                .isEqualTo("1 2 3");
    }

    // Downloads.

    @Test
    void pullsAModelThatIsThenInstalled() throws Exception {
        List<JsonNode> lines = lines(post("/api/pull", named("fresh:gap=1")));
        assertThat(lines.getFirst().path("status").asString()).isEqualTo("pulling manifest");
        assertThat(lines.get(5).path("status").asString()).matches("pulling [0-9a-f]{12}");
        assertThat(lines.get(5).path("digest").asString()).matches("sha256:[0-9a-f]{64}");
        assertThat(lines.get(5).path("total").asLong()).isEqualTo(8_000_000);
        assertThat(lines.get(5).path("completed").asLong()).isBetween(1L, 7_999_999L);
        assertThat(lines.stream().map(line -> line.path("status").asString()))
                .endsWith("verifying sha256 digest", "writing manifest", "success");
        assertThat(content(lines(post("/api/chat", chat("fresh:gap=1", "user", "hi")))))
                .isEqualTo("hi");
        assertThat(json(post("/api/pull", named("echo").put("stream", false)))
                        .path("status")
                        .asString())
                .isEqualTo("success");
    }

    @ParameterizedTest
    @ValueSource(strings = {"fresh-cut:gap=1", "fresh-error:gap=1"})
    void resumesADownloadThatWasBrokenOff(String model) throws Exception {
        try {
            assertThat(lines(post("/api/pull", named(model)))
                            .getLast()
                            .path("error")
                            .asString())
                    .isEqualTo("max retries exceeded: unexpected EOF");
        } catch (IOException e) {
            assertThat(model).startsWith("fresh-cut");
        }
        List<JsonNode> lines = lines(post("/api/pull", named(model)));
        assertThat(lines.get(1).path("completed").asLong()).isEqualTo(4_000_000);
        assertThat(lines.getLast().path("status").asString()).isEqualTo("success");
    }

    @Test
    void failsToPullWhatIsNowhere() throws Exception {
        assertThat(lines(post("/api/pull", named("nope")))
                        .getLast()
                        .path("error")
                        .asString())
                .isEqualTo("pull model manifest: file does not exist");
        assertThat(lines(post("/api/pull", named("fresh-offline")))
                        .getLast()
                        .path("error")
                        .asString())
                .contains("no such host");
    }

    // The real engine.

    @Test
    void recallsANameToldEarlierInTheDialog() throws Exception {
        List<String> dialog = new ArrayList<>();
        for (String said : List.of("My name is Vera.", "please list the files", "what is my name ?")) {
            dialog.addAll(List.of("user", said));
            List<JsonNode> lines = lines(post("/api/chat", chat("tinychat", dialog.toArray(String[]::new))));
            assertThat(lines).hasSizeGreaterThan(3);
            dialog.addAll(List.of("assistant", content(lines)));
        }
        assertThat(dialog.get(7)).contains("ls -la");
        assertThat(dialog.getLast()).contains("vera");
        assertThat(content(lines(post("/api/chat", chat("tinychat:latest", "user", "what is my name ?")))))
                .as("without the history it cannot know")
                .doesNotContain("vera");
    }

    @Test
    void answersManyDialogsAtOnceWithoutMixingThem() throws Exception {
        List<String> names = List.of("anna", "ben", "carla", "emma", "felix", "gina", "hugo", "iris");
        List<Thread> threads = new ArrayList<>();
        List<String> wrong = new ArrayList<>();
        for (String name : names) {
            threads.add(Thread.ofVirtual().start(() -> {
                try {
                    String[] dialog = {
                        "user",
                        "my name is " + name,
                        "assistant",
                        "nice to meet you , " + name + " .",
                        "user",
                        "what is my name ?"
                    };
                    String answer = content(lines(post("/api/chat", chat("tinychat", dialog))));
                    if (!answer.contains(name)) {
                        note(wrong, name + ": " + answer);
                    }
                } catch (IOException | InterruptedException e) {
                    note(wrong, name + ": " + e);
                }
            }));
        }
        for (Thread thread : threads) {
            thread.join();
        }
        assertThat(wrong).isEmpty();
    }

    private static void note(List<String> list, String line) {
        synchronized (list) {
            list.add(line);
        }
    }

    // The process.

    @Test
    void diesComesBackOnItsPortAndEndsCleanly() throws Exception {
        try (StandInProcess other = StandInProcess.start()) {
            URI uri = URI.create(other.url() + "/api/tags");
            HttpRequest tags = HttpRequest.newBuilder(uri).build();
            assertThat(CLIENT.send(tags, HttpResponse.BodyHandlers.ofString()).body())
                    .doesNotContain("tinychat");
            other.kill();
            assertThatThrownBy(() -> CLIENT.send(tags, HttpResponse.BodyHandlers.ofString()))
                    .isInstanceOf(IOException.class);
            other.restart();
            assertThat(CLIENT.send(tags, HttpResponse.BodyHandlers.ofString()).statusCode())
                    .isEqualTo(200);
            HttpRequest crash = HttpRequest.newBuilder(URI.create(other.url() + "/api/chat"))
                    .POST(HttpRequest.BodyPublishers.ofString(
                            chat("crash", "user", "hi").toString()))
                    .build();
            assertThatThrownBy(() -> CLIENT.send(crash, HttpResponse.BodyHandlers.ofString()))
                    .isInstanceOf(IOException.class);
            other.restart();
            assertThat(other.stop()).isZero();
            assertThatThrownBy(() -> CLIENT.send(tags, HttpResponse.BodyHandlers.ofString()))
                    .isInstanceOf(ConnectException.class);
        }
    }

    @Test
    void endsWithItsParent() throws Exception {
        Process parent = new ProcessBuilder("sleep", "60").start();
        try (StandInProcess other = StandInProcess.start("--parent-pid", Long.toString(parent.pid()))) {
            parent.destroyForcibly().waitFor(10, TimeUnit.SECONDS);
            await("the stand-in is gone", () -> !other.isAlive());
        } finally {
            parent.destroyForcibly();
        }
    }

    @Test
    void keepsAJournalOfWhatItWasAsked() throws Exception {
        post("/api/chat", chat("echo", "user", "for the journal"));
        assertThat(standIn.requests("/api/chat"))
                .anyMatch(body ->
                        body.path("messages").path(0).path("content").asString().equals("for the journal"));
    }

    // Requests and what came of them.

    private interface Condition {
        boolean holds() throws IOException;
    }

    private static void await(String what, Condition condition) throws IOException, InterruptedException {
        long end = System.nanoTime() + TimeUnit.SECONDS.toNanos(10);
        while (!condition.holds()) {
            assertThat(System.nanoTime()).as(what).isLessThan(end);
            Thread.sleep(20);
        }
    }

    private static HttpRequest.Builder request(String path) {
        return HttpRequest.newBuilder(URI.create(standIn.url() + path)).timeout(Duration.ofSeconds(30));
    }

    private static HttpRequest.Builder posting(String path, String body) {
        return request(path).header("Content-Type", "application/json").POST(HttpRequest.BodyPublishers.ofString(body));
    }

    private static HttpResponse<String> send(HttpRequest.Builder request) throws IOException, InterruptedException {
        return CLIENT.send(request.build(), HttpResponse.BodyHandlers.ofString());
    }

    private static HttpResponse<String> get(String path) throws IOException, InterruptedException {
        return send(request(path).GET());
    }

    private static HttpResponse<String> post(String path, Object body) throws IOException, InterruptedException {
        return send(posting(path, body.toString()));
    }

    private static ObjectNode named(String model) {
        return Wire.JSON.createObjectNode().put("model", model);
    }

    /** A request to chat; roles and texts in turn. */
    private static ObjectNode chat(String model, String... rolesAndTexts) {
        ObjectNode request = named(model);
        ArrayNode messages = request.putArray("messages");
        for (int i = 0; i < rolesAndTexts.length; i += 2) {
            messages.addObject().put("role", rolesAndTexts[i]).put("content", rolesAndTexts[i + 1]);
        }
        return request;
    }

    private static ObjectNode withTool(ObjectNode request) {
        ObjectNode function = request.putArray("tools")
                .addObject()
                .put("type", "function")
                .putObject("function")
                .put("name", "run_command");
        function.putObject("parameters")
                .put("type", "object")
                .putObject("properties")
                .putObject("command")
                .put("type", "string");
        return request;
    }

    private static JsonNode json(HttpResponse<String> response) {
        assertThat(response.statusCode()).as(response.body()).isEqualTo(200);
        return Wire.JSON.readTree(response.body());
    }

    private static List<JsonNode> lines(HttpResponse<String> response) {
        assertThat(response.statusCode()).as(response.body()).isEqualTo(200);
        try (Stream<String> lines = response.body().lines()) {
            return lines.map(Wire.JSON::readTree).toList();
        }
    }

    private static String content(List<JsonNode> lines) {
        StringBuilder content = new StringBuilder();
        lines.forEach(
                line -> content.append(line.path("message").path("content").asString("")));
        return content.toString();
    }

    private static JsonNode firstCall(HttpResponse<String> response) {
        return lines(response)
                .getFirst()
                .path("message")
                .path("tool_calls")
                .path(0)
                .path("function");
    }

    private static List<String> texts(JsonNode array) {
        List<String> texts = new ArrayList<>();
        array.forEach(node -> texts.add(node.asString()));
        return texts;
    }

    private static JsonNode running(String name) throws IOException, InterruptedException {
        for (JsonNode model : json(get("/api/ps")).path("models")) {
            if (model.path("name").asString().equals(name)) {
                return model;
            }
        }
        return Wire.JSON.missingNode();
    }

    private static void assertRefused(HttpResponse<String> response, int status, String error) {
        assertThat(response.statusCode()).as(response.body()).isEqualTo(status);
        assertThat(Wire.JSON.readTree(response.body()).path("error").asString()).isEqualTo(error);
    }
}
