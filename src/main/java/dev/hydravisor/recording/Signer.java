package dev.hydravisor.recording;

import dev.hydravisor.recorder.Chain;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.attribute.PosixFilePermissions;
import java.security.GeneralSecurityException;
import java.security.KeyFactory;
import java.security.KeyPairGenerator;
import java.security.PrivateKey;
import java.security.PublicKey;
import java.security.Signature;
import java.security.spec.PKCS8EncodedKeySpec;
import java.security.spec.X509EncodedKeySpec;
import java.util.Base64;

/**
 * Signs the end of each manifest with a key of this home's own (Ed25519), so that nobody without the key can write manifest, ledger
 * and files anew.
 */
final class Signer {
    private static final String ALGORITHM = "Ed25519";

    private final Path secret;
    private final Path open;

    /** @param keys folder of {@code recording.key} (PKCS #8) and {@code recording.pub} (X.509), both in base64 */
    Signer(Path keys) {
        secret = keys.resolve("recording.key");
        open = keys.resolve("recording.pub");
    }

    /** The content of {@code MANIFEST.sig}: the signature and the key it is checked with. */
    String sign(String id, String chain) throws IOException {
        try {
            var signature = Signature.getInstance(ALGORITHM);
            signature.initSign(key());
            signature.update(text(id, chain));
            return Base64.getEncoder().encodeToString(signature.sign()) + " "
                    + Files.readString(open).strip() + "\n";
        } catch (GeneralSecurityException | IllegalArgumentException e) {
            throw new IOException("`" + secret + "` is no key: " + e.getMessage(), e);
        }
    }

    /**
     * Checks a signature.
     *
     * @param line the content of {@code MANIFEST.sig}
     * @return by whose key it is: {@code this home}, or the fingerprint of another
     * @throws IOException when it does not fit
     */
    String check(String line, String id, String chain) throws IOException {
        var words = line.strip().split(" ", -1);
        try {
            var signature = Signature.getInstance(ALGORITHM);
            signature.initVerify(publicKey(words[1]));
            signature.update(text(id, chain));
            if (!signature.verify(Base64.getDecoder().decode(words[0]))) {
                throw new IOException("its signature is of another manifest");
            }
            var ours = Files.exists(open) && Files.readString(open).strip().equals(words[1]);
            return ours ? "this home" : fingerprint(words[1]);
        } catch (GeneralSecurityException | RuntimeException e) {
            throw new IOException("its signature cannot be read", e);
        }
    }

    private static String fingerprint(String key) {
        return "key "
                + Chain.hex(Chain.sha256().digest(Base64.getDecoder().decode(key)))
                        .substring(0, 16);
    }

    private static byte[] text(String id, String chain) {
        return ("hydra recording " + id + " " + chain).getBytes(StandardCharsets.UTF_8);
    }

    private static PublicKey publicKey(String text) throws GeneralSecurityException {
        return KeyFactory.getInstance(ALGORITHM)
                .generatePublic(new X509EncodedKeySpec(Base64.getDecoder().decode(text)));
    }

    private synchronized PrivateKey key() throws IOException, GeneralSecurityException {
        if (!Files.exists(secret)) {
            Files.createDirectories(
                    secret.getParent(),
                    PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rwx------")));
            var pair = KeyPairGenerator.getInstance(ALGORITHM).generateKeyPair();
            write(open, pair.getPublic().getEncoded());
            write(secret, pair.getPrivate().getEncoded());
        }
        var text = Files.readString(secret).strip();
        return KeyFactory.getInstance(ALGORITHM)
                .generatePrivate(new PKCS8EncodedKeySpec(Base64.getDecoder().decode(text)));
    }

    private static void write(Path file, byte[] key) throws IOException {
        var ownerOnly = PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rw-------"));
        var next = Files.createTempFile(file.getParent(), "key", ".new", ownerOnly);
        Files.writeString(next, Base64.getEncoder().encodeToString(key) + "\n");
        Files.move(next, file, StandardCopyOption.ATOMIC_MOVE);
    }
}
