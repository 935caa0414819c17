package dev.hydravisor.launch;

import jakarta.servlet.http.HttpServlet;
import jakarta.servlet.http.HttpServletRequest;
import jakarta.servlet.http.HttpServletResponse;
import java.io.IOException;
import java.nio.file.Files;
import java.util.Map;
import org.apache.catalina.connector.Connector;
import org.apache.catalina.startup.Tomcat;
import org.apache.tomcat.websocket.server.WsContextListener;
import org.springframework.http.server.ServletServerHttpRequest;
import org.springframework.http.server.ServletServerHttpResponse;
import org.springframework.web.socket.TextMessage;
import org.springframework.web.socket.WebSocketSession;
import org.springframework.web.socket.handler.TextWebSocketHandler;
import org.springframework.web.socket.server.standard.StandardWebSocketUpgradeStrategy;
import org.springframework.web.socket.server.support.DefaultHandshakeHandler;

/** A bare Spring WebSocket that sends back what it is sent, as Tomcat comes: what the launch endpoint is measured beside. Prints its port. */
final class EchoServer {
    private EchoServer() {}

    public static void main(String[] args) throws Exception {
        var handshake = new DefaultHandshakeHandler(new StandardWebSocketUpgradeStrategy());
        handshake.setSupportedProtocols("hydra.launch.v1");
        var echo = new TextWebSocketHandler() {
            @Override
            protected void handleTextMessage(WebSocketSession session, TextMessage message) throws IOException {
                session.sendMessage(message);
            }
        };
        var tomcat = new Tomcat();
        tomcat.setBaseDir(Files.createTempDirectory("echo-").toString());
        var connector = new Connector();
        connector.setPort(0);
        tomcat.setConnector(connector);
        var context = tomcat.addContext("", null);
        context.addApplicationListener(WsContextListener.class.getName());
        Tomcat.addServlet(context, "echo", new HttpServlet() {
            @Override
            protected void service(HttpServletRequest request, HttpServletResponse response) {
                handshake.doHandshake(
                        new ServletServerHttpRequest(request), new ServletServerHttpResponse(response), echo, Map.of());
            }
        });
        context.addServletMappingDecoded("/launch", "echo");
        tomcat.start();
        System.out.println(connector.getLocalPort());
        System.in.read(); // ends with who started it
        System.exit(0);
    }
}
