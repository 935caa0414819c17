package dev.hydravisor.standin;

import java.io.BufferedInputStream;
import java.io.ByteArrayOutputStream;
import java.io.EOFException;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.net.SocketTimeoutException;
import java.nio.charset.StandardCharsets;
import java.time.ZoneOffset;
import java.time.ZonedDateTime;
import java.time.format.DateTimeFormatter;
import java.util.LinkedHashMap;
import java.util.Locale;
import java.util.Map;

/**
 * A small HTTP/1.1 server on the loopback address, written on bare sockets because a stand-in must be able to break off
 * where a well-behaved server cannot: between two bytes of a character, inside a chunk, before the status line.
 *
 * <p>One virtual thread a connection; connections are kept alive. Bodies are read by length or by chunks.
 */
final class LoopbackServer implements AutoCloseable {

    /** What answers a request; an exception closes the connection as it stands. */
    interface Handler {
        void handle(Exchange exchange) throws IOException, InterruptedException;
    }

    /** The client went away in the middle of its answer. */
    static final class PeerLeft extends IOException {
        private static final long serialVersionUID = 1L;

        PeerLeft(IOException cause) {
            super("the client left", cause);
        }
    }

    /** Ends an exchange whose connection was broken off on purpose. */
    static final class BrokenOff extends IOException {
        private static final long serialVersionUID = 1L;

        BrokenOff() {
            super("broken off on purpose");
        }
    }

    private static final int LONGEST_HEAD_LINE = 64 * 1024;

    private final ServerSocket listener;
    private final Handler handler;

    /** @param port the port to listen on, 0 for any free one */
    LoopbackServer(int port, Handler handler) throws IOException {
        this.handler = handler;
        this.listener = new ServerSocket();
        listener.setReuseAddress(true);
        listener.bind(new InetSocketAddress(InetAddress.getByAddress(new byte[] {127, 0, 0, 1}), port), 128);
    }

    int port() {
        return listener.getLocalPort();
    }

    void start() {
        Thread.ofPlatform().name("accept").start(this::accept);
    }

    private void accept() {
        while (!listener.isClosed()) {
            try {
                Socket socket = listener.accept();
                Thread.ofVirtual().name("connection").start(() -> serve(socket));
            } catch (IOException e) {
                if (!listener.isClosed()) {
                    System.err.println("accept: " + e.getMessage());
                }
            }
        }
    }

    private void serve(Socket socket) {
        try (socket) {
            socket.setTcpNoDelay(true);
            InputStream in = new BufferedInputStream(socket.getInputStream());
            while (true) {
                Exchange exchange = Exchange.read(socket, in);
                if (exchange == null) {
                    return;
                }
                handler.handle(exchange);
                if (!exchange.mayContinue()) {
                    return;
                }
            }
        } catch (IOException e) {
            // The connection is over, by either side's will; closing it is all there is to do.
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    @Override
    public void close() throws IOException {
        listener.close();
    }

    /** One request and the answer to it. */
    static final class Exchange {
        private final Socket socket;
        private final InputStream in;
        private final OutputStream out;
        private final String method;
        private final String path;
        private final String query;
        private final Map<String, String> headers;
        private final byte[] body;
        private boolean started;
        private boolean ended;

        private Exchange(
                Socket socket,
                InputStream in,
                String method,
                String path,
                String query,
                Map<String, String> headers,
                byte[] body)
                throws IOException {
            this.socket = socket;
            this.in = in;
            this.out = socket.getOutputStream();
            this.method = method;
            this.path = path;
            this.query = query;
            this.headers = headers;
            this.body = body;
        }

        /** Reads one request; null when the client closed the connection between two. */
        private static Exchange read(Socket socket, InputStream in) throws IOException {
            String first = line(in);
            if (first == null || first.isBlank()) {
                return null;
            }
            String[] words = first.split(" ");
            if (words.length != 3) {
                throw new IOException("not a request line");
            }
            Map<String, String> headers = new LinkedHashMap<>();
            for (String line = line(in); line != null && !line.isEmpty(); line = line(in)) {
                int colon = line.indexOf(':');
                if (colon > 0) {
                    headers.put(
                            line.substring(0, colon).toLowerCase(Locale.ROOT),
                            line.substring(colon + 1).strip());
                }
            }
            if ("100-continue".equalsIgnoreCase(headers.get("expect"))) {
                socket.getOutputStream().write("HTTP/1.1 100 Continue\r\n\r\n".getBytes(StandardCharsets.US_ASCII));
            }
            byte[] body = "chunked".equalsIgnoreCase(headers.get("transfer-encoding"))
                    ? chunkedBody(in)
                    : in.readNBytes(Integer.parseInt(headers.getOrDefault("content-length", "0")));
            String target = words[1];
            int query = target.indexOf('?');
            String path = query < 0 ? target : target.substring(0, query);
            return new Exchange(
                    socket, in, words[0], path, query < 0 ? "" : target.substring(query + 1), headers, body);
        }

        private static String line(InputStream in) throws IOException {
            ByteArrayOutputStream line = new ByteArrayOutputStream();
            for (int b = in.read(); b != '\n'; b = in.read()) {
                if (b < 0) {
                    if (line.size() == 0) {
                        return null;
                    }
                    throw new EOFException("the request ends in its head");
                }
                if (line.size() >= LONGEST_HEAD_LINE) {
                    throw new IOException("a line of the head is too long");
                }
                line.write(b);
            }
            return line.toString(StandardCharsets.ISO_8859_1).stripTrailing();
        }

        private static byte[] chunkedBody(InputStream in) throws IOException {
            ByteArrayOutputStream body = new ByteArrayOutputStream();
            while (true) {
                String size = line(in);
                if (size == null) {
                    throw new EOFException("the request ends in its body");
                }
                int length = Integer.parseInt(size.split(";")[0].strip(), 16);
                body.write(in.readNBytes(length));
                String end = line(in);
                if (length == 0) {
                    while (end != null && !end.isEmpty()) {
                        end = line(in);
                    }
                    return body.toByteArray();
                }
            }
        }

        String method() {
            return method;
        }

        String path() {
            return path;
        }

        /** What stands behind the question mark, as it was sent. */
        String query() {
            return query;
        }

        /** A header, by its name in lower case; null when it was not sent. */
        String header(String name) {
            return headers.get(name);
        }

        byte[] body() {
            return body;
        }

        /** Whether a status line went out already. */
        boolean started() {
            return started;
        }

        private boolean mayContinue() {
            return ended && !"close".equalsIgnoreCase(headers.get("connection"));
        }

        /** Sends a whole answer. */
        void send(int status, String type, Map<String, String> more, byte[] content) throws IOException {
            head(status, type, more, "Content-Length: " + content.length);
            if (!method.equals("HEAD")) {
                put(content, 0, content.length);
            }
            ended = true;
        }

        /** Sends the head of an answer of {@code announced} bytes and only {@code part} of it. */
        void sendPart(int status, String type, int announced, byte[] part) throws IOException {
            head(status, type, Map.of(), "Content-Length: " + announced);
            put(part, 0, part.length);
        }

        /** Begins an answer in chunks, unless it has begun. */
        void beginStream(String type) throws IOException {
            if (!started) {
                head(200, type, Map.of(), "Transfer-Encoding: chunked");
            }
        }

        /** Sends one chunk at once. */
        void chunk(byte[] content) throws IOException {
            if (content.length > 0) {
                ByteArrayOutputStream framed = new ByteArrayOutputStream(content.length + 16);
                framed.writeBytes((Integer.toHexString(content.length) + "\r\n").getBytes(StandardCharsets.US_ASCII));
                framed.writeBytes(content);
                framed.writeBytes(new byte[] {'\r', '\n'});
                put(framed.toByteArray(), 0, framed.size());
            }
        }

        /** Ends an answer in chunks as the protocol wants it. */
        void endStream() throws IOException {
            put("0\r\n\r\n".getBytes(StandardCharsets.US_ASCII), 0, 5);
            ended = true;
        }

        /** Sends bytes below the level of the protocol. */
        private void put(byte[] bytes, int from, int length) throws IOException {
            try {
                out.write(bytes, from, length);
                out.flush();
            } catch (IOException e) {
                throw new PeerLeft(e);
            }
        }

        private void head(int status, String type, Map<String, String> more, String framing) throws IOException {
            StringBuilder head = new StringBuilder("HTTP/1.1 ")
                    .append(status)
                    .append(' ')
                    .append(reason(status))
                    .append("\r\nContent-Type: ")
                    .append(type)
                    .append("\r\nDate: ")
                    .append(DateTimeFormatter.RFC_1123_DATE_TIME.format(ZonedDateTime.now(ZoneOffset.UTC)))
                    .append("\r\n");
            more.forEach((name, value) ->
                    head.append(name).append(": ").append(value).append("\r\n"));
            head.append(framing).append("\r\n\r\n");
            byte[] bytes = head.toString().getBytes(StandardCharsets.ISO_8859_1);
            put(bytes, 0, bytes.length);
            started = true;
        }

        private static String reason(int status) {
            return switch (status) {
                case 200 -> "OK";
                case 400 -> "Bad Request";
                case 401 -> "Unauthorized";
                case 403 -> "Forbidden";
                case 404 -> "Not Found";
                case 405 -> "Method Not Allowed";
                case 429 -> "Too Many Requests";
                case 500 -> "Internal Server Error";
                case 501 -> "Not Implemented";
                case 503 -> "Service Unavailable";
                default -> "Status";
            };
        }

        /** Waits so many ms, and notices at once when the client leaves meanwhile. */
        void pause(long millis) throws IOException, InterruptedException {
            if (millis <= 0) {
                return;
            }
            long start = System.nanoTime();
            try {
                socket.setSoTimeout(Math.toIntExact(millis));
                in.mark(1);
                if (in.read() < 0) {
                    throw new PeerLeft(new EOFException());
                }
                // The client's next request came early; it is read in its turn.
                in.reset();
                Thread.sleep(Math.max(0, millis - (System.nanoTime() - start) / 1_000_000));
            } catch (SocketTimeoutException e) {
                // Nothing came: the whole time has passed.
            } finally {
                if (!socket.isClosed()) {
                    socket.setSoTimeout(0);
                }
            }
        }

        /** Says nothing more and waits until the client gives up. */
        void hold() throws IOException {
            try {
                while (in.read() >= 0) {
                    // Bytes that come now belong to no request.
                }
            } catch (IOException e) {
                throw new PeerLeft(e);
            }
            throw new PeerLeft(new EOFException());
        }

        /** Closes the connection here and now, with a reset instead of an orderly end where {@code reset} says so. */
        void breakOff(boolean reset) throws IOException {
            if (reset) {
                socket.setSoLinger(true, 0);
            }
            socket.close();
            throw new BrokenOff();
        }
    }
}
