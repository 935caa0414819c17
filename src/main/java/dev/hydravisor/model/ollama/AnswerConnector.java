package dev.hydravisor.model.ollama;

import java.net.URI;
import java.net.http.HttpClient;
import java.util.function.Function;
import java.util.function.Supplier;
import org.springframework.core.io.buffer.DataBuffer;
import org.springframework.http.HttpMethod;
import org.springframework.http.client.reactive.ClientHttpConnector;
import org.springframework.http.client.reactive.ClientHttpRequest;
import org.springframework.http.client.reactive.ClientHttpResponse;
import org.springframework.http.client.reactive.ClientHttpResponseDecorator;
import org.springframework.http.client.reactive.JdkClientHttpConnector;
import reactor.core.publisher.Flux;
import reactor.core.publisher.Mono;

/**
 * Gives each answer a connection of its own, closed when nobody wants the answer any more: that is how Ollama learns to stop. The JDK's
 * client leaves the connection of a cancelled body open (seen with JDK 25), so each answer has a client, 0.6 ms to make.
 */
final class AnswerConnector implements ClientHttpConnector {
    private final Supplier<HttpClient> clients;

    AnswerConnector(Supplier<HttpClient> clients) {
        this.clients = clients;
    }

    @Override
    public Mono<ClientHttpResponse> connect(
            HttpMethod method, URI uri, Function<? super ClientHttpRequest, Mono<Void>> request) {
        return Mono.defer(() -> {
            var client = clients.get();
            return new JdkClientHttpConnector(client)
                    .connect(method, uri, request)
                    .doOnError(_ -> client.shutdownNow())
                    .doOnCancel(client::shutdownNow)
                    .map(response -> new ClientHttpResponseDecorator(response) {
                        @Override
                        public Flux<DataBuffer> getBody() {
                            return super.getBody().doFinally(_ -> client.shutdownNow());
                        }
                    });
        });
    }
}
