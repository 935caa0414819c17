package dev.hydravisor.wire;

import java.io.IOException;

/** The other side does not speak the protocol. */
public class WireException extends IOException {
    private static final long serialVersionUID = 1;

    public WireException(String message) {
        super(message);
    }
}
