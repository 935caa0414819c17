package dev.hydravisor.standin;

import java.io.BufferedWriter;
import java.io.IOException;
import java.net.URLDecoder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.time.Instant;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import tools.jackson.core.JacksonException;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.node.ArrayNode;
import tools.jackson.databind.node.ObjectNode;

/**
 * A program that speaks Amazon Bedrock's ConverseStream and Converse, and lists models, on the loopback address; every signature is verified. The
 * scripted models of {@link Scripts} answer under their own names.
 *
 * <pre>
 * --port N, --parent-pid P, --journal F, --work DIR    as {@link OllamaStandIn}
 * </pre>
 *
 * <p>It knows the access key {@value #ACCESS_KEY} with the secret {@value #SECRET_KEY}; {@value #EXPIRED_KEY} has expired.
 */
public final class BedrockStandIn {
    public static final String ACCESS_KEY = "AKIASTANDIN";
    public static final String SECRET_KEY = "stand-in/secret+key";
    public static final String EXPIRED_KEY = "ASIAEXPIRED";

    private final Scripts scripts = new Scripts();
    private final BufferedWriter journal;

    private BedrockStandIn(BufferedWriter journal) {
        this.journal = journal;
    }

    public static void main(String[] arguments) throws IOException {
        Map<String, String> options = new LinkedHashMap<>();
        for (int i = 0; i + 1 < arguments.length; i += 2) {
            options.put(arguments[i], arguments[i + 1]);
        }
        BedrockStandIn standIn = new BedrockStandIn(
                options.containsKey("--journal")
                        ? Files.newBufferedWriter(
                                Path.of(options.get("--journal")), StandardOpenOption.CREATE, StandardOpenOption.APPEND)
                        : null);
        LoopbackServer server =
                new LoopbackServer(Integer.parseInt(options.getOrDefault("--port", "0")), standIn::handle);
        if (options.containsKey("--parent-pid")) {
            Thread.ofVirtual().start(() -> {
                ProcessHandle.of(Long.parseLong(options.get("--parent-pid")))
                        .ifPresent(parent -> parent.onExit().join());
                Runtime.getRuntime().halt(0);
            });
        }
        server.start();
        System.out.println("listening on http://127.0.0.1:" + server.port());
        System.out.flush();
    }

    private void handle(LoopbackServer.Exchange exchange) throws IOException, InterruptedException {
        note(exchange, "method");
        try {
            String authorization = String.valueOf(exchange.header("authorization"));
            if (authorization.contains("Credential=" + EXPIRED_KEY + "/")) {
                refuse(exchange, 403, "ExpiredTokenException: The security token included in the request is expired");
                return;
            }
            String problem = SigV4.problem(exchange, ACCESS_KEY, SECRET_KEY);
            if (problem != null) {
                refuse(exchange, 403, problem);
                return;
            }
            route(exchange);
        } catch (LoopbackServer.PeerLeft e) {
            note(exchange, "left");
            throw e;
        }
    }

    private static void refuse(LoopbackServer.Exchange exchange, int status, String problem) throws IOException {
        String[] parts = problem.split(": ", 2);
        BedrockReply.refuse(exchange, status, parts[1], Map.of("x-amzn-ErrorType", parts[0]));
    }

    private void route(LoopbackServer.Exchange exchange) throws IOException, InterruptedException {
        String path = exchange.path();
        if (exchange.method().equals("GET") && path.equals("/foundation-models")) {
            ObjectNode node = Wire.JSON.createObjectNode();
            ArrayNode models = node.putArray("modelSummaries");
            for (String name : scripts.rows().keySet()) {
                ObjectNode model = models.addObject()
                        .put("modelId", name)
                        .put("modelArn", "arn:aws:bedrock:eu-central-1::foundation-model/" + name)
                        .put("modelName", name)
                        .put("providerName", "Stand-in")
                        .put("responseStreamingSupported", true);
                model.putArray("inferenceTypesSupported").add("ON_DEMAND");
            }
            answer(exchange, node);
        } else if (exchange.method().equals("GET") && path.equals("/inference-profiles")) {
            ObjectNode node = Wire.JSON.createObjectNode();
            node.putArray("inferenceProfileSummaries")
                    .addObject()
                    .put("inferenceProfileId", "eu.echo")
                    .put("inferenceProfileArn", "arn:aws:bedrock:eu-central-1:111122223333:inference-profile/eu.echo");
            answer(exchange, node);
        } else if (exchange.method().equals("POST") && path.matches("/model/[^/]+/converse(-stream)?")) {
            converse(exchange, URLDecoder.decode(path.split("/")[2], StandardCharsets.UTF_8), path.endsWith("-stream"));
        } else {
            refuse(exchange, 404, "UnknownOperationException: there is no " + path);
        }
    }

    private void converse(LoopbackServer.Exchange exchange, String id, boolean stream)
            throws IOException, InterruptedException {
        long start = System.nanoTime();
        String name = id.replaceFirst("^eu\\.", "").split(":", 2)[0];
        String tag = id.contains(":") ? id.substring(id.indexOf(':') + 1) : "";
        if (!scripts.rows().containsKey(name)) {
            refuse(exchange, 404, "ResourceNotFoundException: Could not resolve the foundation model " + id);
            return;
        }
        JsonNode body;
        List<Scripts.Message> messages;
        try {
            body = Wire.JSON.readTree(exchange.body());
            messages = messages(body);
        } catch (JacksonException | IllegalArgumentException e) {
            refuse(exchange, 400, "ValidationException: " + e.getMessage());
            return;
        }
        if (body.has("toolConfig") && !scripts.rows().get(name).abilities().contains("tools")) {
            refuse(exchange, 400, "ValidationException: This model doesn't support tool use.");
            return;
        }
        if (body.has("toolConfig") && stream && name.equals("tool-whole")) {
            refuse(exchange, 400, "ValidationException: This model doesn't support tool use in streaming mode.");
            return;
        }
        Map<String, String> tools = new LinkedHashMap<>();
        for (JsonNode tool : body.path("toolConfig").path("tools")) {
            String parameter = "";
            for (Map.Entry<String, JsonNode> property : tool.path("toolSpec")
                    .path("inputSchema")
                    .path("json")
                    .path("properties")
                    .properties()) {
                if (parameter.isEmpty()
                        && property.getValue().path("type").asString("").equals("string")) {
                    parameter = property.getKey();
                }
            }
            tools.put(tool.path("toolSpec").path("name").asString(""), parameter);
        }
        Scripts.Asked asked = new Scripts.Asked(messages, tools, true, Options.NONE);
        Map.Entry<Scripts.Row, Options> chosen = scripts.choose(name, tag, asked.lastUser());
        BedrockReply reply = new BedrockReply(
                exchange,
                start,
                id,
                chosen.getValue(),
                body.path("inferenceConfig").path("maxTokens").asInt(0),
                stream);
        reply.read(messages.stream()
                .mapToInt(message -> Wire.tokens(message.content()).size() + 4)
                .sum());
        reply.run(chosen.getKey().script(), new Scripts.Asked(messages, tools, true, chosen.getValue()));
    }

    /** The messages, checked as Bedrock checks them. */
    private static List<Scripts.Message> messages(JsonNode body) {
        List<Scripts.Message> messages = new ArrayList<>();
        body.path("system")
                .forEach(s -> messages.add(
                        new Scripts.Message("system", s.path("text").asString(""), "")));
        Map<String, String> asked = new HashMap<>();
        String before = "assistant";
        for (JsonNode message : body.path("messages")) {
            String role = message.path("role").asString("");
            if (role.equals(before)) {
                throw new IllegalArgumentException("A conversation must alternate between user and assistant roles.");
            }
            before = role;
            if (message.path("content").isEmpty()) {
                throw new IllegalArgumentException("The content field in the Message object is empty.");
            }
            for (JsonNode block : message.path("content")) {
                if (block.has("text")) {
                    if (block.path("text").asString("").isBlank()) {
                        throw new IllegalArgumentException("The text field in the ContentBlock object is blank.");
                    }
                    messages.add(new Scripts.Message(role, block.path("text").asString(""), ""));
                } else if (block.has("toolUse")) {
                    if (!body.has("toolConfig")) {
                        throw new IllegalArgumentException("The toolConfig field must be defined.");
                    }
                    asked.put(
                            block.path("toolUse").path("toolUseId").asString(""),
                            block.path("toolUse").path("name").asString(""));
                    messages.add(new Scripts.Message(role, "", ""));
                } else if (block.has("toolResult")) {
                    String tool = asked.remove(
                            block.path("toolResult").path("toolUseId").asString(""));
                    if (tool == null) {
                        throw new IllegalArgumentException("a toolResult without its toolUse");
                    }
                    messages.add(new Scripts.Message(
                            "tool",
                            block.path("toolResult")
                                    .path("content")
                                    .path(0)
                                    .path("text")
                                    .asString(""),
                            tool));
                }
            }
        }
        if (!asked.isEmpty() || !before.equals("user")) {
            throw new IllegalArgumentException("Expected toolResult blocks for each toolUse, and a user message last.");
        }
        return messages;
    }

    private static void answer(LoopbackServer.Exchange exchange, ObjectNode node) throws IOException {
        exchange.send(
                200,
                "application/json",
                Map.of(),
                Wire.JSON.writeValueAsString(node).getBytes(StandardCharsets.UTF_8));
    }

    private synchronized void note(LoopbackServer.Exchange exchange, String what) throws IOException {
        if (journal != null) {
            ObjectNode node = Wire.JSON
                    .createObjectNode()
                    .put("at", Instant.now().toString())
                    .put(what, exchange.method())
                    .put("path", exchange.path());
            if (what.equals("method") && exchange.body().length > 0) {
                node.set("body", Wire.JSON.readTree(exchange.body()));
            }
            journal.write(Wire.JSON.writeValueAsString(node) + "\n");
            journal.flush();
        }
    }
}
