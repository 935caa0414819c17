package dev.hydravisor.model.ollama;

import dev.hydravisor.model.ollama.OllamaProblem.Kind;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.atomic.AtomicBoolean;
import org.jspecify.annotations.Nullable;
import org.springframework.core.ResolvableType;
import org.springframework.core.codec.StringDecoder;
import org.springframework.core.io.buffer.DataBuffer;
import org.springframework.core.io.buffer.DefaultDataBufferFactory;
import org.springframework.http.HttpHeaders;
import org.springframework.http.MediaType;
import org.springframework.web.reactive.function.client.ClientRequest;
import org.springframework.web.reactive.function.client.ClientResponse;
import org.springframework.web.reactive.function.client.ExchangeFilterFunction;
import org.springframework.web.reactive.function.client.ExchangeFunction;
import reactor.core.publisher.Flux;
import reactor.core.publisher.Mono;
import tools.jackson.core.JacksonException;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/**
 * Looks at each line of an answer before Spring AI does, and turns what is no part of an answer into an {@link OllamaProblem}. Spring
 * AI itself takes a stream that just ends for a whole answer, and dies of an error line with a NullPointerException.
 */
final class OllamaStream implements ExchangeFilterFunction {
    private static final JsonMapper JSON = JsonMapper.shared();
    private static final MediaType NDJSON = MediaType.APPLICATION_NDJSON;

    private final int maxLine;

    /** Takes lines of up to {@code maxLine} bytes. */
    OllamaStream(int maxLine) {
        this.maxLine = maxLine;
    }

    @Override
    public Mono<ClientResponse> filter(ClientRequest request, ExchangeFunction next) {
        return next.exchange(request).flatMap(response -> {
            if (response.statusCode().isError()) {
                return response.bodyToMono(String.class)
                        .onErrorReturn("")
                        .defaultIfEmpty("")
                        .flatMap(body -> Mono.error(refusal(
                                response.statusCode().value(),
                                response.headers().asHttpHeaders(),
                                body)));
            }
            var type = response.headers().contentType().orElse(NDJSON);
            if (!type.isCompatibleWith(NDJSON) && !type.isCompatibleWith(MediaType.APPLICATION_JSON)) {
                return response.releaseBody()
                        .then(Mono.error(new OllamaProblem(Kind.FOREIGN, type.getType() + "/" + type.getSubtype())));
            }
            return Mono.just(response.mutate()
                    .headers(headers -> headers.setContentType(NDJSON))
                    .body(this::check)
                    .build());
        });
    }

    private Flux<DataBuffer> check(Flux<DataBuffer> body) {
        var done = new AtomicBoolean();
        var decoder = StringDecoder.allMimeTypes(List.of("\n"), true);
        decoder.setMaxInMemorySize(maxLine);
        return decoder.decode(body, ResolvableType.forClass(String.class), null, null)
                .onErrorMap(
                        e -> !(e instanceof OllamaProblem),
                        e -> new OllamaProblem(Kind.CUT, 200, String.valueOf(e.getMessage()), null, e))
                .filter(line -> !line.isBlank())
                .<DataBuffer>handle((line, sink) -> {
                    var problem = problem(line, done);
                    if (problem == null) {
                        sink.next(DefaultDataBufferFactory.sharedInstance.wrap(
                                (line + "\n").getBytes(StandardCharsets.UTF_8)));
                    } else {
                        sink.error(problem);
                    }
                })
                .concatWith(Mono.defer(() ->
                        done.get() ? Mono.empty() : Mono.error(new OllamaProblem(Kind.CUT, "the stream ended early"))));
    }

    private static @Nullable OllamaProblem problem(String line, AtomicBoolean done) {
        JsonNode node;
        try {
            node = JSON.readTree(line);
        } catch (JacksonException e) {
            return new OllamaProblem(Kind.GARBLED, line);
        }
        if (!node.isObject()) {
            return new OllamaProblem(Kind.GARBLED, line);
        }
        if (node.has("error")) {
            return new OllamaProblem(Kind.ERROR, node.path("error").asString(""));
        }
        if (node.path("done").asBoolean(false)) {
            done.set(true);
        }
        return null;
    }

    /** What a response with an error's status says. */
    static OllamaProblem refusal(int status, HttpHeaders headers, String body) {
        try {
            var error = JSON.readTree(body).path("error");
            if (error.isString()) {
                return new OllamaProblem(
                        Kind.ERROR, status, error.asString(), retryAfter(headers.getFirst("Retry-After")), null);
            }
        } catch (JacksonException e) {
            // Not Ollama's way to refuse.
        }
        var type = headers.getContentType();
        return status == 503 || status == 429
                ? new OllamaProblem(
                        Kind.ERROR, status, "status " + status, retryAfter(headers.getFirst("Retry-After")), null)
                : new OllamaProblem(
                        Kind.FOREIGN, status, "status " + status + (type == null ? "" : ", " + type), null, null);
    }

    private static @Nullable Duration retryAfter(@Nullable String header) {
        try {
            return header == null ? null : Duration.ofSeconds(Math.clamp(Long.parseLong(header.strip()), 0, 3600));
        } catch (NumberFormatException e) {
            return null;
        }
    }
}
