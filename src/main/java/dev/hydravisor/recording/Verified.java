package dev.hydravisor.recording;

import java.util.List;

/**
 * What a verification found.
 *
 * @param sealed bytes that the manifest covers
 * @param unsealed bytes it does not cover, at the end of a recording that was not ended: at most the last second before a crash
 * @param signed by whose key its end is signed: {@code this home}, or the fingerprint of another; empty when it is not signed
 * @param problems what is wrong, a line each; empty when nothing was changed
 */
public record Verified(String id, long sealed, long unsealed, String signed, List<String> problems) {
    public boolean ok() {
        return problems.isEmpty();
    }
}
