package dev.hydravisor.standin;

import de.kherud.llama.InferenceParameters;
import de.kherud.llama.LlamaIterator;
import de.kherud.llama.LlamaModel;
import de.kherud.llama.LlamaOutput;
import de.kherud.llama.ModelParameters;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;

/**
 * llama.cpp on a model file of the tinychat family: real inference over the whole dialog, one answer at a time.
 *
 * <p>Decoding is greedy whatever the request asks for, so the same dialog always gets the same answer. All native calls
 * are made on one platform thread: they would pin a virtual one.
 */
final class TinyEngine {

    /** One message of a dialog. */
    record Turn(String role, String text) {}

    /** Counts of one answer: tokens read, tokens made, and whether the limit of tokens ended it. */
    record Outcome(int promptTokens, int tokens, boolean cutByLimit) {}

    /** Takes the answer piece by piece. */
    interface Sink {
        void accept(String piece) throws IOException, InterruptedException;
    }

    /** What the model was made for; see {@code llama.context_length} in the file. */
    static final int CONTEXT = 2048;

    private static final int DEFAULT_LIMIT = 128;

    private final Path file;
    private final ExecutorService engine = Executors.newSingleThreadExecutor(
            Thread.ofPlatform().daemon().name("engine").factory());
    private LlamaModel model;

    /**
     * @param file the model, GGUF
     * @param scratch a folder of this process alone: the library is unpacked into it, and its loader deletes other
     *     copies of itself that it finds there
     */
    TinyEngine(Path file, Path scratch) {
        this.file = file;
        System.setProperty("de.kherud.llama.tmpdir", scratch.toString());
    }

    /** Loads the model unless it is loaded, and returns the time this took in ns. */
    long load() throws IOException, InterruptedException {
        return onEngine(() -> {
            long start = System.nanoTime();
            loadHere();
            return System.nanoTime() - start;
        });
    }

    private void loadHere() {
        if (model == null) {
            model = new LlamaModel(new ModelParameters()
                    .disableLog()
                    .setModel(file.toString())
                    .setCtxSize(CONTEXT)
                    .setThreads(1)
                    .setThreadsBatch(1)
                    .setParallel(1)
                    .setGpuLayers(0));
        }
    }

    void unload() throws IOException, InterruptedException {
        onEngine(() -> {
            if (model != null) {
                model.close();
                model = null;
            }
            return 0L;
        });
    }

    /**
     * Answers a dialog.
     *
     * @param context the most tokens the dialog and its answer may take; the oldest turns are left out to fit
     * @param limit the most tokens of the answer, 0 or less for the default
     */
    Outcome answer(List<Turn> dialog, int context, int limit, Sink sink) throws IOException, InterruptedException {
        return onEngine(() -> generate(dialog, Math.min(context, CONTEXT), limit > 0 ? limit : DEFAULT_LIMIT, sink));
    }

    private Outcome generate(List<Turn> dialog, int context, int limit, Sink sink)
            throws IOException, InterruptedException {
        loadHere();
        List<Turn> turns = new ArrayList<>(dialog);
        String prompt = prompt(turns);
        int length = model.encode(prompt).length + 1;
        while (length + limit > context && turns.size() > 1) {
            turns.remove(turns.getFirst().role().equals("system") && turns.size() > 2 ? 1 : 0);
            prompt = prompt(turns);
            length = model.encode(prompt).length + 1;
        }
        InferenceParameters parameters = new InferenceParameters(prompt)
                .setTemperature(0)
                .setSeed(1)
                .setNPredict(limit)
                .setCachePrompt(false);
        int tokens = 0;
        boolean said = false;
        LlamaIterator pieces = model.generate(parameters).iterator();
        boolean complete = false;
        try {
            while (pieces.hasNext()) {
                LlamaOutput output = pieces.next();
                tokens++;
                String text = said ? output.text : output.text.stripLeading();
                if (!text.isEmpty()) {
                    said = true;
                    sink.accept(text);
                }
            }
            complete = true;
        } finally {
            if (!complete) {
                pieces.cancel();
            }
        }
        return new Outcome(length, tokens, tokens > limit);
    }

    /** The chat format the model was trained on; see {@code tmpl()} in tinychat.py. */
    private static String prompt(List<Turn> turns) {
        StringBuilder prompt = new StringBuilder();
        for (Turn turn : turns) {
            String role = turn.role().equals("tool") ? "user" : turn.role();
            prompt.append("<|im_start|>").append(role).append("\n ");
            prompt.append(plain(turn.text())).append("<|im_end|>\n");
        }
        return prompt.append("<|im_start|>assistant\n").toString();
    }

    /** The model knows lower case only, its marks stand apart, and what looks like a control token is none. */
    private static String plain(String text) {
        return text.replace("<|", "< |")
                .toLowerCase(Locale.ROOT)
                .replaceAll("([.,?!:])(?=\\s|$)", " $1")
                .replaceAll("\\s+", " ")
                .strip();
    }

    private interface Work<T> {
        T run() throws IOException, InterruptedException;
    }

    private <T> T onEngine(Work<T> work) throws IOException, InterruptedException {
        try {
            return engine.submit(work::run).get();
        } catch (ExecutionException e) {
            if (e.getCause() instanceof IOException io) {
                throw io;
            }
            if (e.getCause() instanceof InterruptedException) {
                throw new InterruptedException();
            }
            throw new IOException(
                    "llama runner process has terminated: " + e.getCause().getMessage(), e.getCause());
        }
    }
}
