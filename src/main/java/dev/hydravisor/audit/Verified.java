package dev.hydravisor.audit;

import java.util.List;

/**
 * What the trail looks like.
 *
 * @param records how many there should be
 * @param head the hash of the last one; noted elsewhere, it shows later that nothing before it was changed
 * @param problems what is wrong, the first first, in one line each; at most {@value #MOST}
 * @param notes what hydra mended or cut off by itself, by the records it left of that
 */
public record Verified(long records, String head, List<String> problems, List<String> notes) {
    static final int MOST = 20;

    public boolean ok() {
        return problems.isEmpty();
    }
}
