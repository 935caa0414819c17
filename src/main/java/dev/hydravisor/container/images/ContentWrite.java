package dev.hydravisor.container.images;

import com.google.protobuf.UnsafeByteOperations;
import dev.hydravisor.container.containerd.Containerd;
import dev.hydravisor.container.containerd.api.ContentGrpc;
import dev.hydravisor.container.containerd.api.ContentProto;
import dev.hydravisor.container.containerd.api.ContentProto.WriteAction;
import dev.hydravisor.container.containerd.api.ContentProto.WriteContentRequest;
import dev.hydravisor.container.containerd.api.ContentProto.WriteContentResponse;
import dev.hydravisor.image.BlobSource;
import dev.hydravisor.image.Descriptor;
import dev.hydravisor.operation.ExitCode;
import dev.hydravisor.operation.HydraException;
import io.grpc.Status;
import io.grpc.stub.ClientCallStreamObserver;
import io.grpc.stub.ClientResponseObserver;
import java.io.IOException;
import java.io.InputStream;
import java.time.Duration;
import java.util.Map;
import java.util.UUID;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;
import java.util.function.LongConsumer;
import org.jspecify.annotations.Nullable;

/**
 * One blob on its way into the content store. containerd computes the digest as the bytes arrive and refuses to commit another one, so
 * that nothing unproved is ever there to be unpacked. What was not committed when it is closed is taken away.
 */
final class ContentWrite implements AutoCloseable {
    private static final int PIECE = 1 << 18;
    /** Pieces that may be under way: enough to keep both sides busy, few enough to need little memory. */
    private static final int WINDOW = 8;

    private static final Duration LIMIT = Duration.ofMinutes(2);

    /** An answer, or how the stream ended. */
    private record Answer(
            @Nullable WriteContentResponse response,
            @Nullable Throwable end) {}

    private final Containerd containerd;
    private final Descriptor blob;
    private final Map<String, String> labels;
    private final String ref = "hydra-" + UUID.randomUUID();
    private final BlockingQueue<Answer> answers = new LinkedBlockingQueue<>();
    private final ClientCallStreamObserver<WriteContentRequest> requests;
    private int underWay;
    private boolean there;
    private boolean begun;

    /** Begins the write; when the blob is there already, that is all. */
    ContentWrite(Containerd containerd, Descriptor blob, Map<String, String> labels) throws InterruptedException {
        this.containerd = containerd;
        this.blob = blob;
        this.labels = labels;
        requests = (ClientCallStreamObserver<WriteContentRequest>) ContentGrpc.newStub(containerd.channel())
                .write(new ClientResponseObserver<WriteContentRequest, WriteContentResponse>() {
                    @Override
                    public void beforeStart(ClientCallStreamObserver<WriteContentRequest> stream) {}

                    @Override
                    public void onNext(WriteContentResponse response) {
                        answers.add(new Answer(response, null));
                    }

                    @Override
                    public void onError(Throwable end) {
                        answers.add(new Answer(null, end));
                    }

                    @Override
                    public void onCompleted() {
                        answers.add(new Answer(null, Status.UNAVAILABLE.asException()));
                    }
                });
        begun = true;
        try {
            send(request(WriteAction.STAT).setExpected(blob.digest()));
            var status = answer();
            // Another namespace has the content: it only has to be committed here as well.
            if (status.getOffset() == blob.size() && blob.size() > 0) {
                commit();
                there = true;
            }
        } catch (HydraException e) {
            if (e.exitCode() != ExitCode.CONFLICT) {
                close();
                throw e;
            }
            begun = false;
            there = true;
        } catch (InterruptedException e) {
            close();
            throw e;
        }
    }

    /** Whether the blob was there before, with whatever labels. */
    boolean isThere() {
        return there;
    }

    /**
     * Takes the whole of the blob from its source and commits it.
     *
     * @return false when another pull was quicker: the blob is there, but not yet held by this one's lease
     */
    boolean all(BlobSource source, LongConsumer progress) throws IOException, InterruptedException {
        try (var in = source.open(blob)) {
            long offset = 0;
            while (offset < blob.size()) {
                var piece = piece(in, offset, progress);
                while (underWay >= WINDOW) {
                    answer();
                }
                send(request(WriteAction.WRITE).setOffset(offset).setData(UnsafeByteOperations.unsafeWrap(piece)));
                offset += piece.length;
            }
            commit();
            return true;
        } catch (HydraException e) {
            if (e.exitCode() == ExitCode.CONFLICT) {
                return false;
            }
            throw e;
        }
    }

    private byte[] piece(InputStream in, long offset, LongConsumer progress) throws IOException {
        var piece = new byte[(int) Math.min(PIECE, blob.size() - offset)];
        int filled = 0;
        while (filled < piece.length) {
            var read = in.read(piece, filled, piece.length - filled);
            if (read < 0) {
                throw HydraException.failed("`" + blob.shortDigest() + "` ends after " + (offset + filled)
                        + " bytes and should have " + blob.size() + "; get it anew");
            }
            filled += read;
            progress.accept(offset + filled);
        }
        return piece;
    }

    private void commit() throws InterruptedException {
        while (underWay > 0) {
            answer();
        }
        send(request(WriteAction.COMMIT)
                .setExpected(blob.digest())
                .setOffset(blob.size())
                .putAllLabels(labels));
        try {
            answer();
            begun = false;
        } catch (HydraException e) {
            if (e.text().contains("unexpected commit digest")) {
                throw new HydraException(
                        ExitCode.FAILED,
                        "layer `" + blob.shortDigest()
                                + "` is not what its digest says; it may be damaged or forged: do not use this image",
                        e);
            }
            throw e;
        }
    }

    /** A request without the digest: with it, containerd looks at each whether the blob came to be there. */
    private WriteContentRequest.Builder request(WriteAction action) {
        return WriteContentRequest.newBuilder().setAction(action).setRef(ref).setTotal(blob.size());
    }

    private void send(WriteContentRequest.Builder request) {
        underWay++;
        requests.onNext(request.build());
    }

    private WriteContentResponse answer() throws InterruptedException {
        var answer = answers.poll(LIMIT.toSeconds(), TimeUnit.SECONDS);
        if (answer == null) {
            throw containerd.translate(Status.DEADLINE_EXCEEDED.asException());
        }
        if (answer.response() == null) {
            throw containerd.translate(answer.end() == null ? Status.UNAVAILABLE.asException() : answer.end());
        }
        underWay--;
        return answer.response();
    }

    @Override
    public void close() {
        requests.cancel("done", null);
        if (begun) {
            Undo.quietly(this::abort);
        }
    }

    private void abort() {
        for (int tries = 1; ; tries++) {
            try {
                containerd.find(
                        ContentGrpc::newBlockingStub,
                        s -> s.abort(ContentProto.AbortRequest.newBuilder()
                                .setRef(ref)
                                .build()));
                return;
            } catch (HydraException e) {
                // It may still be writing down what came before the stream ended, and not notice until that is done.
                if (tries == 5 || e.exitCode() != ExitCode.FAILED) {
                    throw e;
                }
                LockSupport.parkNanos(Duration.ofMillis(50).toNanos());
            }
        }
    }
}
