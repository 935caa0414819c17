/** What the backends cannot hold: intent, ownership, attachments and history, in embedded H2 through JPA and Flyway. */
@NullMarked
package dev.hydravisor.inventory;

import org.jspecify.annotations.NullMarked;
