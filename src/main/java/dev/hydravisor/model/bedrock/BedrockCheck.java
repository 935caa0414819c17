package dev.hydravisor.model.bedrock;

import dev.hydravisor.host.Check;
import dev.hydravisor.model.Endpoint;
import dev.hydravisor.operation.HydraException;
import java.util.List;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;
import org.springframework.stereotype.Component;

/** Tells {@code hydra doctor} how AWS is signed in to and whether Bedrock answers; where there is no sign of AWS it asks nobody. */
@Component
final class BedrockCheck implements Check {
    private static final String SUBJECT = "bedrock";

    private final Bedrock bedrock;

    BedrockCheck(Bedrock bedrock) {
        this.bedrock = bedrock;
    }

    @Override
    public List<Finding> findings() {
        return List.of(finding(Endpoint.DEFAULT));
    }

    @Override
    public List<Finding> findings(Function<String, @Nullable String> environment) {
        return List.of(finding(Endpoint.of(environment)));
    }

    private Finding finding(Endpoint endpoint) {
        if (!bedrock.isSetUp(endpoint)) {
            return Finding.ok(SUBJECT, "not set up: no profile, no region, no ~/.aws; nobody was asked");
        }
        var access = "";
        try {
            access = bedrock.access(endpoint) + ": ";
            return Finding.ok(SUBJECT, access + bedrock.models(endpoint).size() + " models");
        } catch (HydraException e) {
            return Finding.warning(
                    SUBJECT, access + e.problem(), e.remedy().isEmpty() ? "see `hydra provider test`" : e.remedy());
        }
    }
}
