package dev.hydravisor.model.bedrock;

import dev.hydravisor.model.Parameters;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.atomic.AtomicReference;
import org.jspecify.annotations.Nullable;
import org.springframework.ai.chat.messages.AssistantMessage;
import org.springframework.ai.chat.messages.Message;
import org.springframework.ai.chat.messages.SystemMessage;
import org.springframework.ai.chat.messages.ToolResponseMessage;
import org.springframework.ai.chat.metadata.ChatGenerationMetadata;
import org.springframework.ai.chat.metadata.ChatResponseMetadata;
import org.springframework.ai.chat.metadata.DefaultUsage;
import org.springframework.ai.chat.model.ChatModel;
import org.springframework.ai.chat.model.ChatResponse;
import org.springframework.ai.chat.model.Generation;
import org.springframework.ai.chat.model.MessageAggregator;
import org.springframework.ai.chat.prompt.ChatOptions;
import org.springframework.ai.chat.prompt.Prompt;
import org.springframework.ai.model.tool.ToolCallingChatOptions;
import org.springframework.ai.tool.ToolCallback;
import reactor.core.publisher.Flux;
import reactor.core.publisher.Mono;
import software.amazon.awssdk.core.async.SdkPublisher;
import software.amazon.awssdk.core.document.Document;
import software.amazon.awssdk.services.bedrockruntime.BedrockRuntimeAsyncClient;
import software.amazon.awssdk.services.bedrockruntime.model.ContentBlock;
import software.amazon.awssdk.services.bedrockruntime.model.ContentBlockDeltaEvent;
import software.amazon.awssdk.services.bedrockruntime.model.ContentBlockStartEvent;
import software.amazon.awssdk.services.bedrockruntime.model.ContentBlockStopEvent;
import software.amazon.awssdk.services.bedrockruntime.model.ConversationRole;
import software.amazon.awssdk.services.bedrockruntime.model.ConverseRequest;
import software.amazon.awssdk.services.bedrockruntime.model.ConverseResponse;
import software.amazon.awssdk.services.bedrockruntime.model.ConverseStreamMetadataEvent;
import software.amazon.awssdk.services.bedrockruntime.model.ConverseStreamOutput;
import software.amazon.awssdk.services.bedrockruntime.model.ConverseStreamRequest;
import software.amazon.awssdk.services.bedrockruntime.model.ConverseStreamResponseHandler;
import software.amazon.awssdk.services.bedrockruntime.model.InferenceConfiguration;
import software.amazon.awssdk.services.bedrockruntime.model.MessageStopEvent;
import software.amazon.awssdk.services.bedrockruntime.model.SystemContentBlock;
import software.amazon.awssdk.services.bedrockruntime.model.TokenUsage;
import software.amazon.awssdk.services.bedrockruntime.model.Tool;
import software.amazon.awssdk.services.bedrockruntime.model.ToolInputSchema;
import software.amazon.awssdk.services.bedrockruntime.model.ToolResultBlock;
import software.amazon.awssdk.services.bedrockruntime.model.ToolResultContentBlock;
import software.amazon.awssdk.services.bedrockruntime.model.ToolSpecification;
import software.amazon.awssdk.services.bedrockruntime.model.ToolUseBlock;
import software.amazon.awssdk.services.bedrockruntime.model.ValidationException;
import tools.jackson.core.JacksonException;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/**
 * One model of Bedrock's as Spring AI's chat model, by way of ConverseStream; by way of Converse, whose answer comes whole, where a model
 * uses tools in no other.
 */
final class BedrockChat implements ChatModel {
    private static final String EVENT_STREAM = "application/vnd.amazon.eventstream";

    private final BedrockRuntimeAsyncClient client;
    private final ToolCallingChatOptions options;
    private final Set<String> toolsWhole;

    /** @param toolsWhole the models that are known to use tools in whole answers alone; this one is added when it says so */
    BedrockChat(BedrockRuntimeAsyncClient client, String id, Parameters parameters, Set<String> toolsWhole) {
        this.client = client;
        this.toolsWhole = toolsWhole;
        this.options = ToolCallingChatOptions.builder()
                .model(id)
                .temperature(parameters.temperature())
                .topP(parameters.topP())
                .maxTokens(parameters.maxTokens())
                .build();
    }

    @Override
    public ChatOptions getOptions() {
        return options;
    }

    @Override
    public ChatResponse call(Prompt prompt) {
        var whole = new AtomicReference<@Nullable ChatResponse>();
        new MessageAggregator().aggregate(stream(prompt), whole::set).blockLast();
        var response = whole.get();
        if (response == null) {
            throw new BedrockProblem(BedrockProblem.Kind.CUT, "no answer");
        }
        return response;
    }

    @Override
    public Flux<ChatResponse> stream(Prompt prompt) {
        return Flux.defer(() -> {
            var request = request(prompt);
            if (request.toolConfig() != null && toolsWhole.contains(options.getModel())) {
                return whole(request);
            }
            return stream(request).onErrorResume(BedrockChat::refusesToolsInStreams, _ -> {
                toolsWhole.add(options.getModel());
                return whole(request);
            });
        });
    }

    private static boolean refusesToolsInStreams(Throwable failure) {
        return failure instanceof ValidationException e
                && String.valueOf(e.getMessage()).contains("tool use in streaming mode");
    }

    private Flux<ChatResponse> whole(ConverseStreamRequest asked) {
        return Flux.defer(() -> {
            var request = client.converse(ConverseRequest.builder()
                    .modelId(asked.modelId())
                    .system(asked.system())
                    .messages(asked.messages())
                    .inferenceConfig(asked.inferenceConfig())
                    .toolConfig(asked.toolConfig())
                    .build());
            return Mono.fromFuture(request)
                    .flatMapIterable(Reader::pieces)
                    .onErrorMap(CompletionException.class, e -> e.getCause() == null ? e : e.getCause())
                    .doOnCancel(() -> request.cancel(true));
        });
    }

    private Flux<ChatResponse> stream(ConverseStreamRequest asked) {
        return Flux.defer(() -> {
            var events = new CompletableFuture<SdkPublisher<ConverseStreamOutput>>();
            var handler = ConverseStreamResponseHandler.builder()
                    .onResponse(response -> {
                        var type = response.sdkHttpResponse()
                                .firstMatchingHeader("Content-Type")
                                .orElse("");
                        if (!type.startsWith(EVENT_STREAM)) {
                            events.completeExceptionally(new BedrockProblem(
                                    BedrockProblem.Kind.FOREIGN, type.isEmpty() ? "no content type" : type));
                        }
                    })
                    .onEventStream(publisher -> {
                        if (!events.complete(publisher)) {
                            publisher.subscribe(_ -> {});
                        }
                    })
                    .onError(events::completeExceptionally)
                    .build();
            var reader = new Reader();
            var request = client.converseStream(asked, handler);
            request.whenComplete((_, failure) -> {
                if (failure != null) {
                    events.completeExceptionally(failure);
                }
            });
            return Mono.fromFuture(events)
                    .flatMapMany(Flux::from)
                    .mapNotNull(reader::take)
                    .concatWith(Mono.defer(reader::ended))
                    .onErrorMap(CompletionException.class, e -> e.getCause() == null ? e : e.getCause())
                    .doOnCancel(() -> request.cancel(true));
        });
    }

    private ConverseStreamRequest request(Prompt prompt) {
        var asked = prompt.getOptions() instanceof ToolCallingChatOptions given ? given : options;
        var request = ConverseStreamRequest.builder()
                .modelId(options.getModel())
                .system(prompt.getInstructions().stream()
                        .filter(SystemMessage.class::isInstance)
                        .map(m -> SystemContentBlock.fromText(m.getText()))
                        .toList())
                .messages(messages(prompt.getInstructions()))
                .inferenceConfig(InferenceConfiguration.builder()
                        .maxTokens(asked.getMaxTokens())
                        .temperature(
                                asked.getTemperature() == null
                                        ? null
                                        : asked.getTemperature().floatValue())
                        .topP(asked.getTopP() == null ? null : asked.getTopP().floatValue())
                        .build());
        var tools = tools(asked.getToolCallbacks(), prompt.getInstructions());
        if (!tools.isEmpty()) {
            request.toolConfig(c -> c.tools(tools));
        }
        return request.build();
    }

    /** Bedrock refuses a history that uses tools when none is on offer; then those of the history are. */
    private static List<Tool> tools(@Nullable List<ToolCallback> offered, List<Message> history) {
        if (offered != null && !offered.isEmpty()) {
            return offered.stream()
                    .map(ToolCallback::getToolDefinition)
                    .map(d -> tool(d.name(), d.description(), d.inputSchema()))
                    .toList();
        }
        return history.stream()
                .filter(AssistantMessage.class::isInstance)
                .flatMap(m -> ((AssistantMessage) m).getToolCalls().stream())
                .map(AssistantMessage.ToolCall::name)
                .distinct()
                .map(name -> tool(name, "no longer there", "{\"type\":\"object\"}"))
                .toList();
    }

    private static Tool tool(String name, String description, String schema) {
        return Tool.fromToolSpec(ToolSpecification.builder()
                .name(name)
                .description(description)
                .inputSchema(ToolInputSchema.fromJson(document(schema)))
                .build());
    }

    /** Roles alternate: what belongs to one speaker in a row is one message. */
    private static List<software.amazon.awssdk.services.bedrockruntime.model.Message> messages(List<Message> prompt) {
        var roles = new ArrayList<ConversationRole>();
        var contents = new ArrayList<List<ContentBlock>>();
        for (var message : prompt) {
            if (message instanceof SystemMessage) {
                continue;
            }
            var role = message instanceof AssistantMessage ? ConversationRole.ASSISTANT : ConversationRole.USER;
            if (roles.isEmpty() || roles.getLast() != role) {
                roles.add(role);
                contents.add(new ArrayList<>());
            }
            contents.getLast().addAll(blocks(message));
        }
        var messages = new ArrayList<software.amazon.awssdk.services.bedrockruntime.model.Message>();
        for (int i = 0; i < roles.size(); i++) {
            var content = contents.get(i);
            var role = roles.get(i);
            messages.add(software.amazon.awssdk.services.bedrockruntime.model.Message.builder()
                    .role(role)
                    .content(content)
                    .build());
        }
        return messages;
    }

    private static List<ContentBlock> blocks(Message message) {
        var blocks = new ArrayList<ContentBlock>();
        if (message instanceof ToolResponseMessage results) {
            for (var result : results.getResponses()) {
                blocks.add(ContentBlock.fromToolResult(ToolResultBlock.builder()
                        .toolUseId(result.id())
                        .content(ToolResultContentBlock.fromText(result.responseData()))
                        .build()));
            }
            return blocks;
        }
        var text = message.getText();
        if (text != null && !text.isBlank()) {
            blocks.add(ContentBlock.fromText(text));
        }
        if (message instanceof AssistantMessage assistant) {
            for (var call : assistant.getToolCalls()) {
                blocks.add(ContentBlock.fromToolUse(ToolUseBlock.builder()
                        .toolUseId(call.id())
                        .name(call.name())
                        .input(document(call.arguments()))
                        .build()));
            }
        }
        return blocks;
    }

    private static Document document(String json) {
        try {
            return document(JsonMapper.shared().readTree(json.isBlank() ? "{}" : json));
        } catch (JacksonException e) {
            return Document.mapBuilder().build(); // a model's own broken arguments, told to it before
        }
    }

    private static Document document(JsonNode node) {
        if (node.isObject()) {
            var map = Document.mapBuilder();
            node.properties().forEach(p -> map.putDocument(p.getKey(), document(p.getValue())));
            return map.build();
        }
        if (node.isArray()) {
            return Document.fromList(
                    node.valueStream().map(BedrockChat::document).toList());
        }
        if (node.isNumber()) {
            return Document.fromNumber(node.decimalValue());
        }
        if (node.isBoolean()) {
            return Document.fromBoolean(node.asBoolean());
        }
        return node.isNull() ? Document.fromNull() : Document.fromString(node.asString());
    }

    private static Object plain(Document document) {
        if (document.isMap()) {
            var map = new LinkedHashMap<String, @Nullable Object>();
            document.asMap().forEach((key, value) -> map.put(key, value.isNull() ? null : plain(value)));
            return map;
        }
        if (document.isList()) {
            var list = new ArrayList<@Nullable Object>();
            document.asList().forEach(value -> list.add(value.isNull() ? null : plain(value)));
            return list;
        }
        return document.isNumber()
                ? document.asNumber().bigDecimalValue()
                : document.isBoolean() ? document.asBoolean() : document.asString();
    }

    /** Makes the events of one stream pieces of an answer. */
    private static final class Reader {
        private final StringBuilder arguments = new StringBuilder();
        private @Nullable String tool;
        private String toolId = "";
        private boolean stopped;

        /** An answer that came whole. */
        static List<ChatResponse> pieces(ConverseResponse response) {
            var pieces = new ArrayList<ChatResponse>();
            for (var block : response.output().message().content()) {
                if (block.text() != null) {
                    pieces.add(piece(block.text(), List.of(), ChatGenerationMetadata.NULL));
                } else if (block.toolUse() != null) {
                    var use = block.toolUse();
                    var arguments = JsonMapper.shared().writeValueAsString(plain(use.input()));
                    pieces.add(piece(
                            "",
                            List.of(new AssistantMessage.ToolCall(use.toolUseId(), "function", use.name(), arguments)),
                            ChatGenerationMetadata.NULL));
                } else if (block.reasoningContent() != null
                        && block.reasoningContent().reasoningText() != null) {
                    pieces.add(thought(block.reasoningContent().reasoningText().text()));
                }
            }
            pieces.add(end(response.stopReasonAsString()));
            if (response.usage() != null) {
                pieces.add(usage(response.usage()));
            }
            return pieces;
        }

        @Nullable
        ChatResponse take(ConverseStreamOutput event) {
            return switch (event) {
                case ContentBlockStartEvent start
                when start.start() != null && start.start().toolUse() != null -> {
                    tool = start.start().toolUse().name();
                    toolId = start.start().toolUse().toolUseId();
                    arguments.setLength(0);
                    yield null;
                }
                case ContentBlockDeltaEvent delta
                when delta.delta() != null -> {
                    if (delta.delta().toolUse() != null) {
                        arguments.append(delta.delta().toolUse().input());
                        yield null;
                    }
                    var thought = delta.delta().reasoningContent();
                    if (thought != null && thought.text() != null) {
                        yield thought(thought.text());
                    }
                    yield delta.delta().text() == null
                            ? null
                            : piece(delta.delta().text(), List.of(), ChatGenerationMetadata.NULL);
                }
                case ContentBlockStopEvent _
                when tool != null -> {
                    var call = new AssistantMessage.ToolCall(
                            toolId, "function", tool, arguments.isEmpty() ? "{}" : arguments.toString());
                    tool = null;
                    yield piece("", List.of(call), ChatGenerationMetadata.NULL);
                }
                case MessageStopEvent stop -> {
                    stopped = true;
                    yield end(stop.stopReasonAsString());
                }
                case ConverseStreamMetadataEvent metadata when metadata.usage() != null -> usage(metadata.usage());
                default -> null;
            };
        }

        Mono<ChatResponse> ended() {
            return stopped
                    ? Mono.empty()
                    : Mono.error(new BedrockProblem(BedrockProblem.Kind.CUT, "the stream ended early"));
        }

        private static ChatResponse thought(String text) {
            return piece(
                    "",
                    List.of(),
                    ChatGenerationMetadata.builder().metadata("thinking", text).build());
        }

        private static ChatResponse end(String reason) {
            var finish = "max_tokens".equals(reason) ? "length" : "stop";
            return piece(
                    "",
                    List.of(),
                    ChatGenerationMetadata.builder().finishReason(finish).build());
        }

        private static ChatResponse usage(TokenUsage usage) {
            return ChatResponse.builder()
                    .generations(List.of())
                    .metadata(ChatResponseMetadata.builder()
                            .usage(new DefaultUsage(usage.inputTokens(), usage.outputTokens()))
                            .build())
                    .build();
        }

        private static ChatResponse piece(
                String text, List<AssistantMessage.ToolCall> calls, ChatGenerationMetadata metadata) {
            var message = AssistantMessage.builder()
                    .content(text)
                    .properties(Map.of())
                    .toolCalls(calls)
                    .build();
            return new ChatResponse(List.of(new Generation(message, metadata)));
        }
    }
}
