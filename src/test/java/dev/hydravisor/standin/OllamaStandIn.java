package dev.hydravisor.standin;

import java.io.BufferedWriter;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import tools.jackson.core.JacksonException;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.node.ArrayNode;
import tools.jackson.databind.node.ObjectNode;

/**
 * A program that speaks Ollama's HTTP protocol on the loopback address, for tests and for the demo where no Ollama is.
 *
 * <p>It answers with a tiny but real model through llama.cpp ({@code tinychat}), and with scripted models whose names
 * say how they behave; each behaviour is a row of {@link Scripts} or {@link Pulls}, and {@code --list} prints them.
 *
 * <pre>
 * --port N          listen there; 0, the default, is any free port
 * --port-file F     write the port into F once it listens
 * --model-file F    the model of the tiny engine, GGUF
 * --engine E        tiny, script, or tiny,script (the default: script, and tiny where a model file is given)
 * --parent-pid P    end when this process ends
 * --work DIR        a folder of this process alone, for the native library; else one of its own under the system's
 * --journal F       write each request into F, one JSON object a line: at, method, path, body; and at, left, path when
 *                   a client left in the middle of its answer
 * --list            print the scripted models and end
 * </pre>
 *
 * <p>The first line it prints is {@code listening on http://127.0.0.1:PORT}. SIGTERM ends it with status 0. It ends by
 * {@link Runtime#halt}, because threads of the native library keep a JVM from ending by itself.
 */
public final class OllamaStandIn {

    private static final String VERSION = "0.30.0";
    private static final String TEXT = "text/plain; charset=utf-8";
    private static final Duration KEEP_ALIVE = Duration.ofMinutes(5);
    private static final Pattern DURATION = Pattern.compile("(-?)((?:\\d+(?:\\.\\d+)?(?:ns|us|µs|ms|s|m|h))+|0)");
    private static final Pattern DURATION_PART = Pattern.compile("(\\d+(?:\\.\\d+)?)(ns|us|µs|ms|s|m|h)");

    /** Refuses a request, in Ollama's shape of an error. */
    private static final class Refused extends RuntimeException {
        private static final long serialVersionUID = 1L;
        private final int status;

        Refused(int status, String error) {
            super(error);
            this.status = status;
        }
    }

    private final Scripts scripts = new Scripts();
    private final Catalogue catalogue = new Catalogue();
    private final Pulls pulls = new Pulls(catalogue);
    private final TinyEngine tiny;
    private final BufferedWriter journal;

    private OllamaStandIn(TinyEngine tiny, BufferedWriter journal) {
        this.tiny = tiny;
        this.journal = journal;
    }

    public static void main(String[] arguments) throws IOException {
        Map<String, String> options = new LinkedHashMap<>();
        for (int i = 0; i < arguments.length; i++) {
            switch (arguments[i]) {
                case "--port", "--port-file", "--model-file", "--engine", "--parent-pid", "--work", "--journal" -> {
                    if (i + 1 == arguments.length) {
                        usage(arguments[i] + " needs a value");
                    }
                    options.put(arguments[i], arguments[++i]);
                }
                case "--list" -> {
                    new Scripts()
                            .rows()
                            .values()
                            .forEach(row -> System.out.printf("%-14s %s%n", row.name(), row.seen()));
                    Pulls.ROWS.forEach((name, seen) -> System.out.printf("%-14s (pull) %s%n", name, seen));
                    return;
                }
                default -> usage("unknown option `" + arguments[i] + "`");
            }
        }
        run(options);
    }

    private static void usage(String error) {
        System.err.println("ollama stand-in: " + error);
        System.exit(2);
    }

    private static void run(Map<String, String> options) throws IOException {
        String modelFile = options.get("--model-file");
        List<String> engines = List.of(options.getOrDefault("--engine", modelFile == null ? "script" : "tiny,script")
                .split(","));
        if (engines.contains("tiny") && (modelFile == null || !Files.isReadable(Path.of(modelFile)))) {
            usage("the engine `tiny` needs a readable --model-file");
        }
        boolean ownWork = !options.containsKey("--work");
        Path work = ownWork
                ? Files.createTempDirectory("ollama-standin-")
                : Files.createDirectories(Path.of(options.get("--work")));
        Path scratch = Files.createDirectories(work.resolve("native"));
        BufferedWriter journal = options.containsKey("--journal")
                ? Files.newBufferedWriter(
                        Path.of(options.get("--journal")), StandardOpenOption.CREATE, StandardOpenOption.APPEND)
                : null;
        OllamaStandIn standIn = new OllamaStandIn(
                engines.contains("tiny") ? new TinyEngine(Path.of(modelFile), scratch) : null, journal);
        if (engines.contains("tiny")) {
            standIn.catalogue.addTiny(Path.of(modelFile));
        }
        if (engines.contains("script")) {
            standIn.catalogue.addScripted(standIn.scripts.rows().values());
        }
        LoopbackServer server =
                new LoopbackServer(Integer.parseInt(options.getOrDefault("--port", "0")), standIn::handle);
        Path portFile = options.containsKey("--port-file") ? Path.of(options.get("--port-file")) : null;
        Runtime.getRuntime().addShutdownHook(new Thread(() -> {
            try {
                server.close();
                if (portFile != null) {
                    Files.deleteIfExists(portFile);
                }
                remove(ownWork ? work : scratch);
            } catch (IOException | UncheckedIOException e) {
                System.err.println("while ending: " + e.getMessage());
            }
            Runtime.getRuntime().halt(0);
        }));
        if (options.containsKey("--parent-pid")) {
            endWith(Long.parseLong(options.get("--parent-pid")));
        }
        server.start();
        System.out.println("listening on http://127.0.0.1:" + server.port());
        System.out.flush();
        // Nobody need read on after that line: what the native library's loader prints goes elsewhere.
        System.setOut(System.err);
        if (portFile != null) {
            Path whole =
                    Files.writeString(portFile.resolveSibling(portFile.getFileName() + ".new"), server.port() + "\n");
            Files.move(whole, portFile, StandardCopyOption.ATOMIC_MOVE);
        }
    }

    private static void endWith(long pid) {
        Thread.ofVirtual().name("parent").start(() -> {
            ProcessHandle.of(pid).ifPresent(parent -> parent.onExit().join());
            System.exit(0);
        });
    }

    private static void remove(Path folder) throws IOException {
        try (Stream<Path> all = Files.walk(folder)) {
            for (Path path : all.sorted(Comparator.reverseOrder()).toList()) {
                Files.deleteIfExists(path);
            }
        }
    }

    private void handle(LoopbackServer.Exchange exchange) throws IOException, InterruptedException {
        note(exchange);
        try {
            route(exchange);
        } catch (Refused e) {
            exchange.send(e.status, Reply.JSON, Map.of(), bytes(error(e.getMessage())));
        } catch (LoopbackServer.PeerLeft e) {
            note(Wire.JSON
                    .createObjectNode()
                    .put("at", Instant.now().toString())
                    .put("left", exchange.method())
                    .put("path", exchange.path()));
            throw e;
        } catch (LoopbackServer.BrokenOff e) {
            throw e;
        } catch (IOException | RuntimeException e) {
            if (exchange.started()) {
                throw e;
            }
            exchange.send(500, Reply.JSON, Map.of(), bytes(error(String.valueOf(e.getMessage()))));
        }
    }

    private void route(LoopbackServer.Exchange exchange) throws IOException, InterruptedException {
        String method = exchange.method().equals("HEAD") ? "GET" : exchange.method();
        switch (exchange.path()) {
            case "/" -> {
                if (allowed(exchange, method, "GET")) {
                    exchange.send(200, TEXT, Map.of(), "Ollama is running".getBytes(StandardCharsets.UTF_8));
                }
            }
            case "/api/version" -> {
                if (allowed(exchange, method, "GET")) {
                    answer(exchange, Wire.JSON.createObjectNode().put("version", VERSION));
                }
            }
            case "/api/tags" -> {
                if (allowed(exchange, method, "GET")) {
                    ObjectNode node = Wire.JSON.createObjectNode();
                    ArrayNode models = node.putArray("models");
                    catalogue.installed().forEach(model -> models.add(model.listed()));
                    answer(exchange, node);
                }
            }
            case "/api/ps" -> {
                if (allowed(exchange, exchange.method(), "GET")) {
                    ObjectNode node = Wire.JSON.createObjectNode();
                    ArrayNode models = node.putArray("models");
                    catalogue.running().forEach(models::add);
                    answer(exchange, node);
                }
            }
            case "/api/show" -> {
                if (allowed(exchange, method, "POST")) {
                    show(exchange, body(exchange));
                }
            }
            case "/api/chat" -> {
                if (allowed(exchange, method, "POST")) {
                    chat(exchange, body(exchange), Reply.Shape.CHAT);
                }
            }
            case "/api/generate" -> {
                if (allowed(exchange, method, "POST")) {
                    chat(exchange, body(exchange), Reply.Shape.GENERATE);
                }
            }
            case "/api/embed", "/api/embeddings" -> {
                if (allowed(exchange, method, "POST")) {
                    installed(body(exchange), 404);
                    throw new Refused(501, "this model does not support embeddings");
                }
            }
            case "/api/pull" -> {
                if (allowed(exchange, method, "POST")) {
                    JsonNode body = body(exchange);
                    String name = name(body);
                    if (name.isEmpty()) {
                        throw new Refused(400, "invalid model name");
                    }
                    pulls.pull(exchange, name, body.path("stream").asBoolean(true));
                }
            }
            case "/api/copy" -> {
                if (allowed(exchange, method, "POST")) {
                    JsonNode body = body(exchange);
                    String source = body.path("source").asString("");
                    Catalogue.Model model = catalogue
                            .find(source)
                            .orElseThrow(() -> new Refused(404, "model \"" + source + "\" not found"));
                    catalogue.copy(model, body.path("destination").asString(""));
                    exchange.send(200, TEXT, Map.of(), new byte[0]);
                }
            }
            case "/api/delete" -> {
                if (allowed(exchange, method, "DELETE")) {
                    String name = name(body(exchange));
                    if (!catalogue.delete(name)) {
                        throw new Refused(404, "model '" + name + "' not found");
                    }
                    exchange.send(200, TEXT, Map.of(), new byte[0]);
                }
            }
            default -> exchange.send(404, TEXT, Map.of(), "404 page not found".getBytes(StandardCharsets.UTF_8));
        }
    }

    private static boolean allowed(LoopbackServer.Exchange exchange, String method, String wanted) throws IOException {
        if (method.equals(wanted)) {
            return true;
        }
        exchange.send(405, TEXT, Map.of("Allow", wanted), "405 method not allowed".getBytes(StandardCharsets.UTF_8));
        return false;
    }

    private static JsonNode body(LoopbackServer.Exchange exchange) {
        if (new String(exchange.body(), StandardCharsets.UTF_8).isBlank()) {
            throw new Refused(400, "missing request body");
        }
        try {
            JsonNode body = Wire.JSON.readTree(exchange.body());
            if (body.isObject()) {
                return body;
            }
        } catch (JacksonException e) {
            // Said below, in words like the server's own.
        }
        throw new Refused(400, "invalid character looking for beginning of value");
    }

    private static String name(JsonNode body) {
        String model = body.path("model").asString("");
        return model.isEmpty() ? body.path("name").asString("") : model;
    }

    private Catalogue.Model installed(JsonNode body, int statusWithoutName) {
        String name = name(body);
        if (name.isEmpty()) {
            throw new Refused(statusWithoutName, statusWithoutName == 400 ? "model is required" : "model '' not found");
        }
        return catalogue.find(name).orElseThrow(() -> new Refused(404, "model '" + name + "' not found"));
    }

    private void show(LoopbackServer.Exchange exchange, JsonNode body) throws IOException {
        String name = name(body);
        if (name.isEmpty()) {
            throw new Refused(400, "model is required");
        }
        Catalogue.Model model = catalogue
                .find(name)
                .orElseThrow(() -> new Refused(404, "model '" + Catalogue.full(name) + "' not found"));
        answer(exchange, model.shown());
    }

    private void chat(LoopbackServer.Exchange exchange, JsonNode body, Reply.Shape shape)
            throws IOException, InterruptedException {
        long start = System.nanoTime();
        Catalogue.Model model = installed(body, shape == Reply.Shape.CHAT ? 400 : 404);
        String name = body.path("model").asString();
        Duration keepAlive = keepAlive(body.path("keep_alive"));
        List<Scripts.Message> messages = shape == Reply.Shape.CHAT ? messages(body) : prompt(body);
        if (messages.isEmpty() && keepAlive.isZero()) {
            unload(model);
            answer(exchange, bare(name, shape, "unload"));
            return;
        }
        boolean able = model.abilities().contains("thinking");
        boolean asked = wantsThinking(body.path("think"), able);
        if (asked && !able) {
            throw new Refused(400, "\"" + name + "\" does not support thinking");
        }
        Map<String, String> tools = tools(body);
        if (!tools.isEmpty() && !model.abilities().contains("tools")) {
            throw new Refused(400, Catalogue.full(name) + " does not support tools");
        }
        boolean scripted = !model.script().equals(Catalogue.TINY);
        String script = scripted ? model.script() : "";
        String tag = Catalogue.full(name).substring(Catalogue.full(name).lastIndexOf(':') + 1);
        Options options = Options.NONE;
        Scripts.Row row = null;
        if (scripted) {
            Map.Entry<Scripts.Row, Options> chosen =
                    scripts.choose(script, tag, new Scripts.Asked(messages, tools, asked, options).lastUser());
            row = chosen.getKey();
            options = chosen.getValue();
        }
        long loadStart = System.nanoTime();
        load(exchange, model, keepAlive, options);
        long loadTook = System.nanoTime() - loadStart;
        if (messages.isEmpty()) {
            answer(exchange, bare(name, shape, "load"));
            return;
        }
        int limit = body.path("options").path("num_predict").asInt(0);
        boolean stream = body.path("stream").asBoolean(true);
        Reply reply = new Reply(exchange, start, shape, name, stream, options, limit, model.remote());
        reply.loadTook(loadTook);
        if (row != null) {
            reply.read(messages.stream()
                    .mapToInt(message -> Wire.tokens(message.content()).size() + 4)
                    .sum());
            reply.run(row.script(), new Scripts.Asked(messages, tools, asked, options));
        } else {
            answerForReal(reply, messages, body.path("options"), limit);
        }
        if (keepAlive.isZero()) {
            unload(model);
        }
    }

    private void answerForReal(Reply reply, List<Scripts.Message> messages, JsonNode options, int limit)
            throws IOException, InterruptedException {
        List<TinyEngine.Turn> dialog = messages.stream()
                .map(message -> new TinyEngine.Turn(message.role(), message.content()))
                .toList();
        int context = options.path("num_ctx").asInt(TinyEngine.CONTEXT);
        TinyEngine.Outcome outcome = tiny.answer(dialog, context, limit, reply::say);
        reply.read(outcome.promptTokens());
        reply.done(outcome.cutByLimit() ? "length" : "stop");
    }

    private void load(LoopbackServer.Exchange exchange, Catalogue.Model model, Duration keepAlive, Options options)
            throws IOException, InterruptedException {
        if (model.script().equals(Catalogue.TINY)) {
            tiny.load();
        } else if (!catalogue.isLoaded(model)) {
            exchange.pause(options.get("load", 0));
        }
        catalogue.load(model, keepAlive);
    }

    private void unload(Catalogue.Model model) throws IOException, InterruptedException {
        catalogue.unload(model);
        if (model.script().equals(Catalogue.TINY)) {
            tiny.unload();
        }
    }

    /** The one object that answers a request to load or unload. */
    private static ObjectNode bare(String model, Reply.Shape shape, String reason) {
        ObjectNode node = Wire.JSON
                .createObjectNode()
                .put("model", model)
                .put("created_at", Instant.now().toString());
        if (shape == Reply.Shape.CHAT) {
            node.putObject("message").put("role", "assistant").put("content", "");
        } else {
            node.put("response", "");
        }
        return node.put("done", true).put("done_reason", reason);
    }

    private static List<Scripts.Message> messages(JsonNode body) {
        List<Scripts.Message> messages = new ArrayList<>();
        for (JsonNode message : body.path("messages")) {
            messages.add(new Scripts.Message(
                    message.path("role").asString(""),
                    message.path("content").asString(""),
                    message.path("tool_name").asString("")));
        }
        return messages;
    }

    private static List<Scripts.Message> prompt(JsonNode body) {
        String prompt = body.path("prompt").asString("");
        String system = body.path("system").asString("");
        List<Scripts.Message> messages = new ArrayList<>();
        if (!prompt.isEmpty()) {
            if (!system.isEmpty()) {
                messages.add(new Scripts.Message("system", system, ""));
            }
            messages.add(new Scripts.Message("user", prompt, ""));
        }
        return messages;
    }

    private static boolean wantsThinking(JsonNode think, boolean otherwise) {
        if (think.isMissingNode() || think.isNull()) {
            return otherwise;
        }
        return think.isString() ? !think.asString().isEmpty() : think.asBoolean();
    }

    private static Map<String, String> tools(JsonNode body) {
        Map<String, String> tools = new LinkedHashMap<>();
        for (JsonNode tool : body.path("tools")) {
            JsonNode function = tool.path("function");
            String parameter = "";
            for (Map.Entry<String, JsonNode> property :
                    function.path("parameters").path("properties").properties()) {
                if (parameter.isEmpty()
                        && property.getValue().path("type").asString("").equals("string")) {
                    parameter = property.getKey();
                }
            }
            tools.put(function.path("name").asString(""), parameter);
        }
        return tools;
    }

    /** Reads a time as Ollama does: seconds as a number, a number with a unit as a text, below zero without an end. */
    private static Duration keepAlive(JsonNode value) {
        if (value.isMissingNode() || value.isNull()) {
            return KEEP_ALIVE;
        }
        if (value.isNumber()) {
            return value.asDouble() < 0 ? Catalogue.FOREVER : Duration.ofMillis((long) (value.asDouble() * 1000));
        }
        String text = value.asString("");
        Matcher whole = DURATION.matcher(text);
        if (!whole.matches()) {
            throw new Refused(400, "time: invalid duration \"" + text + "\"");
        }
        double seconds = 0;
        Matcher part = DURATION_PART.matcher(whole.group(2));
        while (part.find()) {
            seconds += Double.parseDouble(part.group(1))
                    * switch (part.group(2)) {
                        case "ns" -> 1e-9;
                        case "us", "µs" -> 1e-6;
                        case "ms" -> 1e-3;
                        case "s" -> 1;
                        case "m" -> 60;
                        default -> 3600;
                    };
        }
        return whole.group(1).isEmpty() ? Duration.ofMillis((long) (seconds * 1000)) : Catalogue.FOREVER;
    }

    private static ObjectNode error(String text) {
        return Wire.JSON.createObjectNode().put("error", text);
    }

    private static void answer(LoopbackServer.Exchange exchange, ObjectNode node) throws IOException {
        exchange.send(200, Reply.JSON, Map.of(), bytes(node));
    }

    private static byte[] bytes(ObjectNode node) {
        return Wire.JSON.writeValueAsString(node).getBytes(StandardCharsets.UTF_8);
    }

    private void note(LoopbackServer.Exchange exchange) throws IOException {
        ObjectNode node = Wire.JSON
                .createObjectNode()
                .put("at", Instant.now().toString())
                .put("method", exchange.method().toUpperCase(Locale.ROOT))
                .put("path", exchange.path());
        try {
            node.set("body", Wire.JSON.readTree(exchange.body()));
        } catch (JacksonException e) {
            node.put("body", new String(exchange.body(), StandardCharsets.UTF_8));
        }
        note(node);
    }

    private synchronized void note(ObjectNode node) throws IOException {
        if (journal != null) {
            journal.write(Wire.JSON.writeValueAsString(node) + "\n");
            journal.flush();
        }
    }
}
