package dev.hydravisor;

import org.springframework.boot.SpringApplication;
import org.springframework.boot.autoconfigure.SpringBootApplication;

/** The daemon. */
@SpringBootApplication
public class HydraApplication {
    private HydraApplication() {}

    public static void main(String[] args) {
        SpringApplication.run(HydraApplication.class, args);
    }
}
