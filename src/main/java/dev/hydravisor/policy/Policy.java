package dev.hydravisor.policy;

import com.fasterxml.jackson.annotation.JsonProperty;
import com.google.re2j.Pattern;
import com.google.re2j.PatternSyntaxException;
import dev.hydravisor.host.HydraHome;
import dev.hydravisor.host.PlainText;
import dev.hydravisor.operation.HydraException;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.util.List;
import java.util.Objects;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;
import org.springframework.stereotype.Service;
import tools.jackson.core.JacksonException;
import tools.jackson.databind.DeserializationFeature;
import tools.jackson.databind.MapperFeature;
import tools.jackson.dataformat.yaml.YAMLMapper;

/**
 * The rules of {@code $HYDRA_HOME/policy.yaml}, then those of the default {@code policy.yaml}.
 *
 * <p>A rule that denies wins over every other; of the rest the first that fits counts; what no rule fits is asked for. While the
 * user's file cannot be read nothing is allowed.
 */
@Service
public class Policy {
    private static final YAMLMapper YAML = YAMLMapper.builder()
            .enable(DeserializationFeature.FAIL_ON_UNKNOWN_PROPERTIES)
            .enable(MapperFeature.ACCEPT_CASE_INSENSITIVE_ENUMS)
            .build();
    private static final int LONGEST_PATTERN = 1000;

    private final HydraHome home;

    Policy(HydraHome home) {
        this.home = home;
    }

    /** What a rule does with what it fits. */
    public enum Effect {
        ALLOW,
        ASK,
        DENY
    }

    /**
     * What the policy says.
     *
     * @param reason why, in one line that can be told to a user and to a model
     */
    public record Verdict(Effect effect, String reason) {}

    /**
     * A rule, as it stands in the file.
     *
     * @param tools names, with {@code *} for any characters; empty for all
     * @param pattern RE2: must match the whole command or path to allow or ask, any part of it to deny; null for all
     * @param instances names, with {@code *} for any characters; empty for all
     * @param reason what is told where it denies
     */
    record Rule(
            @JsonProperty(required = true) Effect rule,
            @Nullable List<String> tools,
            @Nullable String pattern,
            @Nullable List<String> instances,
            @Nullable String reason) {}

    private record File(@Nullable List<Rule> rules) {}

    /**
     * Judges what is about to be done.
     *
     * @param subject the exact command or path
     * @throws HydraException FAILED when the user's file holds no rules; then nothing must be done
     */
    public Verdict judge(String tool, String subject, String instance) {
        var fitting = Stream.concat(users().stream(), defaults().stream())
                .filter(r -> fits(r, tool, subject, instance))
                .toList();
        return fitting.stream()
                .filter(r -> r.rule() == Effect.DENY)
                .findFirst()
                .or(() -> fitting.stream().findFirst())
                .map(r -> new Verdict(r.rule(), reason(r)))
                .orElse(new Verdict(Effect.ASK, "no rule allows it"));
    }

    private static String reason(Rule rule) {
        if (rule.reason() != null) {
            return PlainText.safe(rule.reason());
        }
        return "a rule of policy.yaml "
                + (rule.rule() == Effect.ALLOW ? "allows" : rule.rule() == Effect.ASK ? "asks for" : "denies") + " it"
                + (rule.pattern() == null ? "" : " (" + PlainText.shorten(rule.pattern()) + ")");
    }

    private static boolean fits(Rule rule, String tool, String subject, String instance) {
        if (!named(rule.tools(), tool) || !named(rule.instances(), instance)) {
            return false;
        }
        if (rule.pattern() == null) {
            return true;
        }
        var matcher = compile(rule.pattern()).matcher(subject);
        return rule.rule() == Effect.DENY ? matcher.find() : matcher.matches();
    }

    private static boolean named(@Nullable List<String> globs, String name) {
        return globs == null
                || globs.isEmpty()
                || globs.stream().anyMatch(g -> Pattern.matches(Pattern.quote(g).replace("\\*", ".*"), name));
    }

    private List<Rule> users() {
        var file = home.root().resolve("policy.yaml");
        if (!Files.exists(file)) {
            return List.of();
        }
        try (var in = Files.newInputStream(file)) {
            return read(in);
        } catch (IOException | JacksonException | PatternSyntaxException | HydraException e) {
            var why = e instanceof JacksonException j ? j.getOriginalMessage() : e.getMessage();
            throw HydraException.failed("`" + file + "` cannot be read: " + PlainText.safe(String.valueOf(why))
                    + "; nothing is allowed until it is right");
        }
    }

    private static List<Rule> defaults() {
        try (var in = Policy.class.getResourceAsStream("/policy.yaml")) {
            return read(Objects.requireNonNull(in));
        } catch (IOException e) {
            throw new IllegalStateException(e);
        }
    }

    private static List<Rule> read(InputStream in) throws IOException {
        var text = new String(in.readAllBytes(), java.nio.charset.StandardCharsets.UTF_8);
        if (text.lines().allMatch(l -> l.isBlank() || l.stripLeading().startsWith("#"))) {
            return List.of();
        }
        var rules = YAML.readValue(text, File.class).rules();
        if (rules == null) {
            return List.of();
        }
        rules.stream().map(Rule::pattern).filter(Objects::nonNull).forEach(Policy::compile);
        return rules;
    }

    private static Pattern compile(String pattern) {
        if (pattern.length() > LONGEST_PATTERN) {
            throw HydraException.failed("a pattern has more than " + LONGEST_PATTERN + " characters");
        }
        return Pattern.compile(pattern, Pattern.DOTALL);
    }
}
