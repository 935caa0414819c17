package dev.hydravisor.operation;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

class OperationTest {
    private final List<String> done = new ArrayList<>();

    @Test
    void whatWasMadeIsUndoneLastFirst() {
        var operation = Operation.silent();
        assertThatThrownBy(() -> operation.run(() -> {
                    operation.onFailure("first", () -> done.add("first"));
                    operation.onFailure("second", () -> done.add("second"));
                    throw HydraException.failed("no");
                }))
                .hasMessage("no");
        assertThat(done).containsExactly("second", "first");
    }

    @Test
    void anInterruptInTheMiddleOfUndoingLeavesNothingBehind() {
        var operation = Operation.silent();
        assertThatThrownBy(() -> operation.run(() -> {
                    operation.onFailure("first", () -> {
                        done.add("begun");
                        if (done.size() == 1) {
                            Thread.currentThread().interrupt();
                            Thread.sleep(1);
                        }
                        done.add("ended");
                    });
                    throw HydraException.failed("no");
                }))
                .hasMessage("no");
        assertThat(done).containsExactly("begun", "begun", "ended");
        assertThat(Thread.interrupted()).isTrue();
    }
}
