package dev.hydravisor.standin;

import java.io.ByteArrayOutputStream;
import java.nio.charset.StandardCharsets;
import java.security.GeneralSecurityException;
import java.security.MessageDigest;
import java.time.Duration;
import java.time.Instant;
import java.time.ZoneOffset;
import java.time.format.DateTimeFormatter;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import javax.crypto.Mac;
import javax.crypto.spec.SecretKeySpec;

/** Verifies AWS's Signature Version 4 of a request, written from its specification. */
final class SigV4 {
    private static final Pattern AUTHORIZATION = Pattern.compile("AWS4-HMAC-SHA256 Credential=([^/]+)/(\\d{8})/([^/]+)/"
            + "([^/]+)/aws4_request, ?SignedHeaders=([a-z0-9;-]+), ?Signature=([0-9a-f]{64})");
    private static final DateTimeFormatter STAMP =
            DateTimeFormatter.ofPattern("yyyyMMdd'T'HHmmss'Z'").withZone(ZoneOffset.UTC);

    private SigV4() {}

    /** Why a request is refused, as AWS says it, or null when its signature is right. */
    static String problem(LoopbackServer.Exchange exchange, String accessKey, String secretKey) {
        String header = exchange.header("authorization");
        if (header == null) {
            return "MissingAuthenticationTokenException: Missing Authentication Token";
        }
        Matcher parts = AUTHORIZATION.matcher(header);
        if (!parts.matches()) {
            return "IncompleteSignatureException: the Authorization header cannot be read";
        }
        if (!parts.group(1).equals(accessKey)) {
            return "UnrecognizedClientException: The security token included in the request is invalid.";
        }
        if (!parts.group(4).equals("bedrock")) {
            return "InvalidSignatureException: Credential should be scoped to correct service: 'bedrock'.";
        }
        String date = String.valueOf(exchange.header("x-amz-date"));
        List<String> signed = Arrays.asList(parts.group(5).split(";"));
        if (!signed.contains("host") || !signed.contains("x-amz-date") || !date.startsWith(parts.group(2))) {
            return "InvalidSignatureException: host and x-amz-date must be signed";
        }
        Instant at = Instant.from(STAMP.parse(date));
        if (Duration.between(at, Instant.now()).abs().toMinutes() > 5) {
            return "InvalidSignatureException: Signature expired: " + date;
        }
        String hash = Wire.digest(exchange.body());
        String stated = exchange.header("x-amz-content-sha256");
        if (stated != null && !stated.equals(hash)) {
            return "InvalidSignatureException: the payload is not the one that was signed";
        }
        StringBuilder canonical = new StringBuilder(exchange.method())
                .append('\n')
                .append(encodePath(exchange.path()))
                .append('\n')
                .append(String.join(
                        "&", Arrays.stream(exchange.query().split("&")).sorted().toList()))
                .append('\n');
        for (String name : signed) {
            canonical
                    .append(name)
                    .append(':')
                    .append(String.valueOf(exchange.header(name)).strip().replaceAll(" +", " "))
                    .append('\n');
        }
        canonical.append('\n').append(parts.group(5)).append('\n').append(hash);
        String scope = parts.group(2) + "/" + parts.group(3) + "/bedrock/aws4_request";
        String toSign = "AWS4-HMAC-SHA256\n" + date + "\n" + scope + "\n" + Wire.digest(canonical.toString());
        byte[] key = ("AWS4" + secretKey).getBytes(StandardCharsets.UTF_8);
        for (String step : List.of(parts.group(2), parts.group(3), "bedrock", "aws4_request", toSign)) {
            key = hmac(key, step);
        }
        return MessageDigest.isEqual(HexFormat.of().parseHex(parts.group(6)), key)
                ? null
                : "InvalidSignatureException: The request signature we calculated does not match the signature you provided.";
    }

    /** The path as it was sent, encoded once more, as every service but S3 wants it. */
    private static String encodePath(String path) {
        ByteArrayOutputStream encoded = new ByteArrayOutputStream();
        for (byte b : path.getBytes(StandardCharsets.US_ASCII)) {
            boolean plain = Character.isLetterOrDigit(b) || "-._~/".indexOf(b) >= 0;
            encoded.writeBytes(
                    (plain ? "" + (char) b : String.format("%%%02X", b)).getBytes(StandardCharsets.US_ASCII));
        }
        return encoded.toString(StandardCharsets.US_ASCII);
    }

    private static byte[] hmac(byte[] key, String text) {
        try {
            Mac mac = Mac.getInstance("HmacSHA256");
            mac.init(new SecretKeySpec(key, "HmacSHA256"));
            return mac.doFinal(text.getBytes(StandardCharsets.UTF_8));
        } catch (GeneralSecurityException e) {
            throw new IllegalStateException(e);
        }
    }
}
