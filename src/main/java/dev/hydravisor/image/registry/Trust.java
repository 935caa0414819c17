package dev.hydravisor.image.registry;

import dev.hydravisor.operation.HydraException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.GeneralSecurityException;
import java.security.KeyStore;
import java.security.cert.CertificateFactory;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import javax.net.ssl.SSLContext;
import javax.net.ssl.TrustManagerFactory;
import javax.net.ssl.X509TrustManager;

/**
 * Which certificates a registry may show: those this host trusts, and those that Docker's or containerd's {@code certs.d} has for that
 * registry.
 */
final class Trust {
    private static final List<Path> HOST_BUNDLES = List.of(
            Path.of("/etc/ssl/certs/ca-certificates.crt"),
            Path.of("/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem"),
            Path.of("/etc/ssl/ca-bundle.pem"));

    private Trust() {}

    /**
     * The trust in a registry.
     *
     * @param dockerFolder where Docker's own configuration lies, with a {@code certs.d} of the user's
     */
    static SSLContext of(String registry, Path dockerFolder) {
        try {
            var store = KeyStore.getInstance(KeyStore.getDefaultType());
            store.load(null, null);
            for (var certificate : platform()) {
                store.setCertificateEntry("platform-" + store.size(), certificate);
            }
            for (var bundle : bundles(registry, dockerFolder)) {
                add(store, bundle);
            }
            var trust = TrustManagerFactory.getInstance(TrustManagerFactory.getDefaultAlgorithm());
            trust.init(store);
            var context = SSLContext.getInstance("TLS");
            context.init(null, trust.getTrustManagers(), null);
            return context;
        } catch (GeneralSecurityException | IOException e) {
            throw HydraException.failed(
                    "the certificates this host trusts cannot be read: " + e.getMessage() + "; mend them", e);
        }
    }

    private static List<java.security.cert.X509Certificate> platform() throws GeneralSecurityException {
        var factory = TrustManagerFactory.getInstance(TrustManagerFactory.getDefaultAlgorithm());
        factory.init((KeyStore) null);
        for (var manager : factory.getTrustManagers()) {
            if (manager instanceof X509TrustManager x509) {
                return List.of(x509.getAcceptedIssuers());
            }
        }
        return List.of();
    }

    private static List<Path> bundles(String registry, Path dockerFolder) throws IOException {
        var bundles = new ArrayList<Path>();
        host().ifPresent(bundles::add);
        for (var certs : List.of(
                dockerFolder.resolve("certs.d"), Path.of("/etc/docker/certs.d"), Path.of("/etc/containerd/certs.d"))) {
            var folder = certs.resolve(registry);
            if (Files.isDirectory(folder)) {
                try (var files = Files.newDirectoryStream(folder, "*.crt")) {
                    files.forEach(bundles::add);
                }
            }
        }
        return bundles;
    }

    private static Optional<Path> host() {
        return HOST_BUNDLES.stream().filter(Files::isReadable).findFirst();
    }

    private static void add(KeyStore store, Path bundle) throws GeneralSecurityException, IOException {
        try (var in = Files.newInputStream(bundle)) {
            for (var certificate : CertificateFactory.getInstance("X.509").generateCertificates(in)) {
                store.setCertificateEntry(bundle.getFileName() + "-" + store.size(), certificate);
            }
        }
    }
}
