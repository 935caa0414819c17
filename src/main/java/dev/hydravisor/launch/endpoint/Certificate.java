package dev.hydravisor.launch.endpoint;

import dev.hydravisor.host.HydraHome;
import dev.hydravisor.host.Processes;
import dev.hydravisor.launch.LaunchProperties;
import dev.hydravisor.operation.HydraException;
import java.io.IOException;
import java.net.InetAddress;
import java.net.UnknownHostException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.GeneralSecurityException;
import java.security.KeyFactory;
import java.security.KeyStore;
import java.security.MessageDigest;
import java.security.PrivateKey;
import java.security.PublicKey;
import java.security.Signature;
import java.security.cert.CertificateFactory;
import java.security.spec.PKCS8EncodedKeySpec;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Base64;
import java.util.HexFormat;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.regex.Pattern;

/**
 * What the server shows of itself.
 *
 * @param store a PKCS#12 file with the key and its certificate
 * @param fingerprint SHA-256 of the certificate, in hexadecimal with colons
 */
record Certificate(Path store, String password, String fingerprint) {
    /** What keeps the file is the folder it lies in: whoever reads that reads a password beside it as well. */
    private static final String PASSWORD = "hydravisor";

    private static final String ALIAS = "launch";
    private static final Duration KEYTOOL_LIMIT = Duration.ofSeconds(30);
    private static final int DAYS = 3650;
    private static final Pattern NAME = Pattern.compile("[A-Za-z0-9]([A-Za-z0-9.-]{0,252}[A-Za-z0-9])?");

    static Certificate of(HydraHome home, LaunchProperties settings) {
        var tls = settings.tls();
        var store = tls.certificate().isEmpty()
                ? selfSigned(home, settings)
                : given(home, Path.of(tls.certificate()), Path.of(tls.key()));
        try (var in = Files.newInputStream(store)) {
            var keys = KeyStore.getInstance("PKCS12");
            keys.load(in, PASSWORD.toCharArray());
            var alias = keys.aliases().nextElement();
            var digest = MessageDigest.getInstance("SHA-256")
                    .digest(keys.getCertificate(alias).getEncoded());
            return new Certificate(
                    store, PASSWORD, HexFormat.ofDelimiter(":").withUpperCase().formatHex(digest));
        } catch (IOException | GeneralSecurityException e) {
            throw HydraException.failed("`" + store + "` cannot be read: " + e.getMessage() + "; remove it", e);
        }
    }

    private static Path selfSigned(HydraHome home, LaunchProperties settings) {
        var store = home.keys().resolve("launch-self-signed.p12");
        if (Files.exists(store)) {
            return store;
        }
        var names = new LinkedHashSet<>(List.of("dns:localhost", "ip:127.0.0.1"));
        for (var host : settings.hosts()) {
            if (NAME.matcher(host).matches()) {
                names.add((host.matches("[0-9.]+") ? "ip:" : "dns:") + host);
            }
        }
        try {
            var address = InetAddress.getByName(settings.address());
            if (!address.isAnyLocalAddress()) {
                names.add("ip:" + address.getHostAddress());
            }
            var own = InetAddress.getLocalHost().getHostName();
            if (NAME.matcher(own).matches()) {
                names.add("dns:" + own);
            }
        } catch (UnknownHostException e) {
            // Then it goes by its other names.
        }
        Processes.require(
                KEYTOOL_LIMIT,
                List.of(
                        Path.of(System.getProperty("java.home"), "bin", "keytool")
                                .toString(),
                        "-genkeypair",
                        "-alias",
                        ALIAS,
                        "-keyalg",
                        "EC",
                        "-groupname",
                        "secp256r1",
                        "-validity",
                        Integer.toString(DAYS),
                        "-dname",
                        "CN=hydra launch",
                        "-ext",
                        "san=" + String.join(",", names),
                        "-storetype",
                        "PKCS12",
                        "-storepass",
                        PASSWORD,
                        "-keystore",
                        store.toString()));
        return store;
    }

    private static Path given(HydraHome home, Path certificate, Path key) {
        var store = home.keys().resolve("launch-given.p12");
        try {
            var chain = new ArrayList<java.security.cert.Certificate>();
            try (var in = Files.newInputStream(certificate)) {
                chain.addAll(CertificateFactory.getInstance("X.509").generateCertificates(in));
            }
            if (chain.isEmpty()) {
                throw HydraException.usage("`" + certificate + "` holds no certificate; give a PEM file");
            }
            var own = key(key, chain.getFirst().getPublicKey().getAlgorithm());
            requirePair(own, chain.getFirst().getPublicKey());
            var keys = KeyStore.getInstance("PKCS12");
            keys.load(null, null);
            keys.setKeyEntry(ALIAS, own, PASSWORD.toCharArray(), chain.toArray(java.security.cert.Certificate[]::new));
            try (var out = Files.newOutputStream(store)) {
                keys.store(out, PASSWORD.toCharArray());
            }
            return store;
        } catch (IOException e) {
            throw HydraException.usage("`launch.tls` cannot be read: " + e.getMessage()
                    + "; `launch.tls.certificate` and `launch.tls.key` are to be PEM files");
        } catch (GeneralSecurityException | IllegalArgumentException e) {
            throw HydraException.usage("`launch.tls` is no certificate with its key: " + e.getMessage()
                    + "; give a PEM certificate and its key in PKCS#8 (`BEGIN PRIVATE KEY`)");
        }
    }

    /** A key of another certificate would be taken, and every handshake fail. */
    private static void requirePair(PrivateKey key, PublicKey certified) throws GeneralSecurityException {
        var signature = Signature.getInstance(
                switch (key.getAlgorithm()) {
                    case "EC" -> "SHA256withECDSA";
                    case "RSA" -> "SHA256withRSA";
                    default -> key.getAlgorithm();
                });
        var words = ALIAS.getBytes(StandardCharsets.US_ASCII);
        signature.initSign(key);
        signature.update(words);
        var signed = signature.sign();
        signature.initVerify(certified);
        signature.update(words);
        if (!signature.verify(signed)) {
            throw new GeneralSecurityException("the key is not the certificate's");
        }
    }

    private static PrivateKey key(Path file, String algorithm) throws IOException, GeneralSecurityException {
        var text = Files.readString(file, StandardCharsets.US_ASCII);
        var match = Pattern.compile("-----BEGIN PRIVATE KEY-----([A-Za-z0-9+/=\\s]+)-----END PRIVATE KEY-----")
                .matcher(text);
        if (!match.find()) {
            throw new IllegalArgumentException("`" + file + "` holds no `BEGIN PRIVATE KEY`");
        }
        return KeyFactory.getInstance(algorithm)
                .generatePrivate(new PKCS8EncodedKeySpec(Base64.getMimeDecoder().decode(match.group(1))));
    }
}
