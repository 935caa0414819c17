package dev.hydravisor.env;

import java.io.BufferedInputStream;
import java.io.ByteArrayOutputStream;
import java.io.Closeable;
import java.io.EOFException;
import java.io.IOException;
import java.io.InputStream;
import java.net.InetSocketAddress;
import java.net.Socket;
import java.net.URI;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.security.SecureRandom;
import java.security.cert.X509Certificate;
import java.util.Base64;
import java.util.LinkedHashMap;
import java.util.Locale;
import java.util.Map;
import java.util.Objects;
import java.util.TreeMap;
import javax.net.ssl.SSLContext;
import javax.net.ssl.TrustManager;
import javax.net.ssl.X509TrustManager;
import org.jspecify.annotations.Nullable;

/** A WebSocket client that can do all that the protocol forbids: every byte it sends is the test's. */
public final class RawWebSocket implements Closeable {
    private static final int LIMIT_MILLIS = 20_000;

    private final Socket socket;
    private final InputStream in;
    private final Response response;

    /** The answer to a handshake. */
    public record Response(int status, Map<String, String> headers, String body) {
        /** A header by its name in lower case; empty when it is not there. */
        public String header(String name) {
            return headers.getOrDefault(name, "");
        }
    }

    /** A frame of the server's. */
    public record Frame(boolean last, int opcode, byte[] payload) {
        public String text() {
            return new String(payload, StandardCharsets.UTF_8);
        }

        /** The code of a close frame; 1005 when it has none. */
        public int closeCode() {
            return payload.length < 2 ? 1005 : ByteBuffer.wrap(payload).getShort() & 0xffff;
        }
    }

    private RawWebSocket(Socket socket, Map<String, String> headers, URI url) throws IOException {
        this.socket = socket;
        socket.setTcpNoDelay(true);
        socket.setSoTimeout(LIMIT_MILLIS);
        this.in = new BufferedInputStream(socket.getInputStream());
        var request = new StringBuilder(headers.getOrDefault(":method", "GET") + " " + url.getRawPath()
                + (url.getRawQuery() == null ? "" : "?" + url.getRawQuery()) + " HTTP/1.1\r\n");
        headers.forEach((name, value) -> {
            if (!name.startsWith(":")) {
                request.append(name).append(": ").append(value).append("\r\n");
            }
        });
        socket.getOutputStream().write(request.append("\r\n").toString().getBytes(StandardCharsets.ISO_8859_1));
        this.response = readResponse();
    }

    /** The headers of a right handshake; {@code token} null for none. */
    public static Map<String, String> headers(URI url, @Nullable String token) {
        var headers = new LinkedHashMap<String, String>();
        headers.put("Host", url.getHost() + ":" + url.getPort());
        headers.put("Connection", "Upgrade");
        headers.put("Upgrade", "websocket");
        headers.put("Sec-WebSocket-Version", "13");
        headers.put("Sec-WebSocket-Key", Base64.getEncoder().encodeToString(new byte[16]));
        headers.put("Sec-WebSocket-Protocol", "hydra.launch.v1");
        if (token != null) {
            headers.put("Authorization", "Bearer " + token);
        }
        return headers;
    }

    /** Sends a handshake and returns what came of it. */
    public static RawWebSocket handshake(URI url, Map<String, String> headers) {
        return handshake(url, headers, 0);
    }

    /** As {@link #handshake(URI, Map)}; {@code buffer} is the size of the kernel's buffer for what comes in, 0 for its own choice. */
    public static RawWebSocket handshake(URI url, Map<String, String> headers, int buffer) {
        try {
            @SuppressWarnings("resource") // closed with the WebSocket
            var socket = url.getScheme().equals("wss")
                    ? trusting().getSocketFactory().createSocket()
                    : new Socket();
            if (buffer > 0) {
                socket.setReceiveBufferSize(buffer);
            }
            socket.connect(new InetSocketAddress(url.getHost(), url.getPort()), LIMIT_MILLIS);
            return new RawWebSocket(socket, headers, url);
        } catch (Exception e) {
            throw new IllegalStateException("no handshake with " + url + ": " + e, e);
        }
    }

    /** An open connection. */
    public static RawWebSocket open(URI url, String token) {
        var opened = handshake(url, headers(url, token));
        if (opened.response.status() != 101) {
            throw new AssertionError("no handshake: " + opened.response);
        }
        return opened;
    }

    private static SSLContext trusting() throws java.security.GeneralSecurityException {
        var context = SSLContext.getInstance("TLS");
        context.init(
                null,
                new TrustManager[] {
                    new X509TrustManager() {
                        @Override
                        public void checkClientTrusted(X509Certificate[] chain, String type) {}

                        @Override
                        public void checkServerTrusted(X509Certificate[] chain, String type) {}

                        @Override
                        public X509Certificate[] getAcceptedIssuers() {
                            return new X509Certificate[0];
                        }
                    }
                },
                new SecureRandom());
        return context;
    }

    public Response response() {
        return response;
    }

    /** Sends a text message. */
    public void send(String text) throws IOException {
        frame(true, 1, text.getBytes(StandardCharsets.UTF_8));
    }

    /** Sends one frame, masked with zeros. */
    public void frame(boolean last, int opcode, byte[] payload) throws IOException {
        var frame = new ByteArrayOutputStream();
        frame.write((last ? 0x80 : 0) | opcode);
        if (payload.length < 126) {
            frame.write(0x80 | payload.length);
        } else if (payload.length < 65_536) {
            frame.write(0x80 | 126);
            frame.writeBytes(
                    ByteBuffer.allocate(2).putShort((short) payload.length).array());
        } else {
            frame.write(0x80 | 127);
            frame.writeBytes(ByteBuffer.allocate(8).putLong(payload.length).array());
        }
        frame.writeBytes(new byte[4]);
        frame.writeBytes(payload);
        raw(frame.toByteArray());
    }

    /** Sends bytes as they are. */
    public void raw(byte[] bytes) throws IOException {
        socket.getOutputStream().write(bytes);
    }

    /** The next frame, whatever it is; null when the server ended the connection. */
    public @Nullable Frame read() throws IOException {
        try {
            int first = in.read();
            if (first < 0) {
                return null;
            }
            int second = exactly(1)[0] & 0xff;
            long length = second & 0x7f;
            if (length == 126) {
                length = ByteBuffer.wrap(exactly(2)).getShort() & 0xffff;
            } else if (length == 127) {
                length = ByteBuffer.wrap(exactly(8)).getLong();
            }
            return new Frame((first & 0x80) != 0, first & 0x0f, exactly((int) length));
        } catch (EOFException | java.net.SocketException e) {
            return null;
        }
    }

    /** The next text message, pings answered meanwhile; null at the end, which {@link #closeCode} tells more of. */
    public @Nullable String next() throws IOException {
        var text = new ByteArrayOutputStream();
        while (true) {
            var frame = read();
            if (frame == null || frame.opcode() == 8) {
                closed = frame == null ? 1006 : frame.closeCode();
                return null;
            }
            if (frame.opcode() == 9) {
                frame(true, 10, frame.payload());
            } else if (frame.opcode() <= 2) {
                text.writeBytes(frame.payload());
                if (frame.last()) {
                    return text.toString(StandardCharsets.UTF_8);
                }
            }
        }
    }

    private int closed;

    /** Reads to the end; the code the server closed with, 1006 when it just went. */
    public int closeCode() throws IOException {
        while (closed == 0) {
            next();
        }
        return closed;
    }

    /** How long a read may take, in milliseconds; then it throws a SocketTimeoutException. */
    public void patience(int millis) throws IOException {
        socket.setSoTimeout(millis);
    }

    private byte[] exactly(int length) throws IOException {
        var bytes = in.readNBytes(length);
        if (bytes.length < length) {
            throw new EOFException();
        }
        return bytes;
    }

    private Response readResponse() throws IOException {
        var head = new StringBuilder();
        while (head.indexOf("\r\n\r\n") < 0) {
            int c = in.read();
            if (c < 0) {
                break;
            }
            head.append((char) c);
        }
        var lines = head.toString().split("\r\n", -1);
        if (!lines[0].startsWith("HTTP/")) {
            throw new IOException("no HTTP: `" + lines[0] + "`");
        }
        var headers = new TreeMap<String, String>();
        for (int i = 1; i < lines.length; i++) {
            var colon = lines[i].indexOf(':');
            if (colon > 0) {
                headers.put(
                        lines[i].substring(0, colon).toLowerCase(Locale.ROOT),
                        lines[i].substring(colon + 1).strip());
            }
        }
        var length = Integer.parseInt(Objects.requireNonNullElse(headers.get("content-length"), "0"));
        return new Response(
                Integer.parseInt(lines[0].split(" ", -1)[1]),
                headers,
                new String(exactly(length), StandardCharsets.UTF_8));
    }

    @Override
    public void close() {
        try {
            socket.close();
        } catch (IOException e) {
            // It was closed.
        }
    }
}
