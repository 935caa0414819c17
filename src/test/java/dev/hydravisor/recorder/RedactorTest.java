package dev.hydravisor.recorder;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Base64;
import java.util.List;
import java.util.Random;
import java.util.TreeMap;
import org.junit.jupiter.api.Test;

class RedactorTest {
    private static final String GITHUB = "16C7e42F292c6912E7710c838347Ae178B4a";
    private static final String AWS = "IOSFODNN7EXAMPLE";

    private final Rules rules = new Rules(List.of(Rule.of("ours", "", "tok-\\d{6}")));
    private final List<String> found = new ArrayList<>();

    /** What is written of a text that arrives in pieces that end at these offsets. */
    private String pass(byte[] text, int cols, int... cuts) throws IOException {
        var out = new ByteArrayOutputStream();
        found.clear();
        var redactor = new Redactor(rules, cols, new Redactor.Sink() {
            @Override
            public void write(long micros, byte[] bytes, int offset, int length) {
                out.write(bytes, offset, length);
            }

            @Override
            public void redacted(long micros, String rule) {
                found.add(rule);
            }
        });
        var from = 0;
        var time = 0;
        for (int cut : cuts) {
            redactor.feed(time++, Arrays.copyOfRange(text, from, cut), cut - from);
            from = cut;
        }
        redactor.feed(time, Arrays.copyOfRange(text, from, text.length), text.length - from);
        redactor.finish();
        return out.toString(StandardCharsets.UTF_8);
    }

    private String pass(String text) throws IOException {
        return pass(text.getBytes(StandardCharsets.UTF_8), 80);
    }

    private String typed(String text, int cols) throws IOException {
        var bytes = text.getBytes(StandardCharsets.UTF_8);
        var cuts = new int[bytes.length - 1];
        Arrays.setAll(cuts, i -> i + 1);
        return pass(bytes, cols, cuts);
    }

    @Test
    void eachKindOfSecretBecomesAsterisksAndWhatStandsAroundItStays() throws IOException {
        assertThat(pass("a ghp_" + GITHUB + " b")).isEqualTo("a ghp_" + "*".repeat(36) + " b");
        assertThat(pass("id AKIA" + AWS + "\r\n")).isEqualTo("id AKIA" + "*".repeat(16) + "\r\n");
        assertThat(pass("postgres://me:s3cret@db:5432/x")).isEqualTo("postgres://me:******@db:5432/x");
        assertThat(pass("curl -H 'Authorization: Bearer abcdefghijklmnop1234' x"))
                .isEqualTo("curl -H 'Authorization: Bearer ******************** ' x".replace(" ' x", "' x"));
        assertThat(pass("DB_PASSWORD=hunter2hunter2 next")).isEqualTo("DB_PASSWORD=************** next");
        assertThat(pass("\"api_key\": \"abcd1234efgh\",")).isEqualTo("\"api_key\": \"************\",");
        assertThat(pass("eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.dozjgNryP4J3jVmN x"))
                .isEqualTo("eyJ" + "*".repeat(52 - 3 + 1) + " x");
        assertThat(pass("tok-123456 tok-12")).isEqualTo("********** tok-12");
        assertThat(found).containsExactly("ours");
    }

    @Test
    void aPrivateKeyIsTakenOutWholeHoweverItIsPrinted() throws IOException {
        var body = ("M" + "Ii9+/aBc".repeat(7) + "xyzabcd").repeat(3);
        var lines = "-----BEGIN RSA PRIVATE KEY-----\r\n" + body.substring(0, 64) + "\r\n" + body.substring(64, 128)
                + "\r\n" + body.substring(128, 140) + "\r\n-----END RSA PRIVATE KEY-----\r\nroot@web:~# ";
        assertThat(pass(lines))
                .isEqualTo("-----BEGIN RSA PRIVATE KEY-----\r\n" + "*".repeat(64) + "\r\n" + "*".repeat(64) + "\r\n"
                        + "*".repeat(12) + "\r\n" + "*".repeat(24) + "-----\r\nroot@web:~# ");
        assertThat(typed(lines, 80)).isEqualTo(pass(lines));
        var one = "-----BEGIN PRIVATE KEY-----\\n" + body.substring(0, 64) + "\\n" + body.substring(64, 100)
                + "\\n-----END PRIVATE KEY-----\\n";
        assertThat(pass(one)).doesNotContain(body.substring(0, 8)).startsWith("-----BEGIN PRIVATE KEY-----");
    }

    @Test
    void aSecretIsFoundWhereverItIsCut() throws IOException {
        var text = ("x\033[1mexport TOKEN=ghp_" + GITHUB + "\033[0m\r\n漢字 AKIA" + AWS + " end\r\n")
                .getBytes(StandardCharsets.UTF_8);
        var whole = pass(text, 80);
        assertThat(whole)
                .doesNotContain(GITHUB.substring(0, 8), AWS.substring(0, 6))
                .contains("漢字", " end\r\n");
        for (int cut = 1; cut < text.length; cut++) {
            assertThat(pass(text, 80, cut)).isEqualTo(whole);
        }
        assertThat(typed(new String(text, StandardCharsets.UTF_8), 80)).isEqualTo(whole);
    }

    @Test
    void aSecretWrappedAtTheEdgeIsOne() throws IOException {
        // A terminal wraps by itself; line editors write a blank and return; others start a new line.
        var parts = List.of("", " \r", "\r\n", "\033[2;1H");
        for (var part : parts) {
            var text = "$ export A=ghp_" + GITHUB.substring(0, 25) + part + GITHUB.substring(25) + "\r\n$ ";
            assertThat(typed(text, 40)).as("parted by `%s`", part).doesNotContain("838347", "16C7e42F");
        }
    }

    @Test
    void aSecretCorrectedWhileItIsTypedIsOne() throws IOException {
        var text = "ghp_" + GITHUB.substring(0, 10) + "Q\b \bX\b\033[K" + GITHUB.substring(10) + "\r\n";
        assertThat(typed(text, 80).replaceAll("[^A-Za-z0-9]", "")).isEqualTo("ghpQXK");
        var inserted = "ghp_" + GITHUB.substring(0, 12) + GITHUB.substring(13) + "\033[23D" + GITHUB.substring(12)
                + "\b".repeat(23) + "\r\n";
        assertThat(typed(inserted, 80)).doesNotContain(GITHUB.substring(0, 6), GITHUB.substring(20));
    }

    @Test
    void aSecretPartedByColoursIsOneAndTheColoursStay() throws IOException {
        var text = "ghp_" + GITHUB.substring(0, 9) + "\033[31;1m" + GITHUB.substring(9) + "\033[0m ok";
        assertThat(pass(text)).isEqualTo("ghp_*********\033[31;1m" + "*".repeat(27) + "\033[0m ok");
    }

    @Test
    void secretsInsideTitlesLinksAndTheClipboardAreTakenOut() throws IOException {
        var clip = Base64.getEncoder().encodeToString(("ghp_" + GITHUB).getBytes(StandardCharsets.UTF_8));
        for (var text : List.of(
                "\033]0;ghp_" + GITHUB + "\007after",
                "\033]8;;https://x/?q=ghp_" + GITHUB + "\033\\after",
                "\033Ptmux;ghp_" + GITHUB + "\033\\after")) {
            assertThat(typed(text, 80)).contains("ghp_" + "*".repeat(36)).endsWith("after");
        }
        assertThat(typed("\033]52;c;" + clip + "\007after", 80))
                .doesNotContain(clip.substring(0, 12))
                .endsWith("\007after");
    }

    @Test
    void everythingElsePassesUnchangedAndAtOnce() throws IOException {
        var random = new Random(7);
        for (int round = 0; round < 300; round++) {
            var bytes = new byte[random.nextInt(400) + 1];
            for (int i = 0; i < bytes.length; i++) {
                var part = "\033[]0;?12HmKPJ@\b\r\n\t\u0007\\x漢é".getBytes(StandardCharsets.UTF_8);
                bytes[i] = random.nextInt(4) == 0 ? (byte) random.nextInt(256) : part[random.nextInt(part.length)];
            }
            var cut = random.nextInt(bytes.length);
            var out = new ByteArrayOutputStream();
            var redactor = new Redactor(new Rules(List.of()), 5 + random.nextInt(20), new Redactor.Sink() {
                @Override
                public void write(long micros, byte[] b, int offset, int length) {
                    out.write(b, offset, length);
                }

                @Override
                public void redacted(long micros, String rule) {}
            });
            redactor.feed(1, Arrays.copyOf(bytes, cut), cut);
            redactor.feed(2, Arrays.copyOfRange(bytes, cut, bytes.length), bytes.length - cut);
            redactor.finish();
            assertThat(out.toByteArray()).isEqualTo(bytes);
        }
        assertThat(pass("what is a token: it is a word; sk-learn, password: yes; gh_\r\n"))
                .isEqualTo("what is a token: it is a word; sk-learn, password: yes; gh_\r\n");
    }

    @Test
    void noPartOfASecretPassesThroughRandomTraffic() throws IOException {
        var random = new Random(11);
        var noise = List.of(
                "x",
                " ",
                "make: ok\r\n",
                "\033[1;31m",
                "\033[0m",
                "\033]0;a title\007",
                "漢字",
                "e\u0301",
                "\033[?1049h",
                "\033[?1049l",
                "\033[3;7H",
                "\033[K",
                "\t",
                "password ",
                "sk-",
                "eyJ",
                "://",
                "\033P1$r\033\\",
                "\u0007");
        var colours = List.of("", "", "\033[32m", "\033[m", "\033[38;5;9m");
        for (int round = 0; round < 400; round++) {
            var text = new StringBuilder();
            for (int i = random.nextInt(30); i > 0; i--) {
                text.append(noise.get(random.nextInt(noise.size())));
            }
            var cols = 30 + random.nextInt(100);
            text.append("\r\n\033[0m");
            var column = 0;
            for (var c : ("token: ghp_" + GITHUB).toCharArray()) {
                text.append(colours.get(random.nextInt(colours.size()))).append(c);
                if (++column == cols) {
                    text.append(List.of("", "\r\n", " \r").get(random.nextInt(3)));
                    column = 0;
                }
            }
            text.append("\r\n");
            for (int i = random.nextInt(10); i > 0; i--) {
                text.append(noise.get(random.nextInt(noise.size())));
            }
            var bytes = text.toString().getBytes(StandardCharsets.UTF_8);
            var cuts = random.ints(random.nextInt(20), 0, bytes.length).sorted().toArray();
            var passed = pass(bytes, cols, cuts).replaceAll("\033\\[[0-9;]*m|\\s", "");
            for (int i = 0; i + 6 <= GITHUB.length(); i++) {
                assertThat(passed)
                        .as("round %d, %d columns: %s", round, cols, text)
                        .doesNotContain(GITHUB.substring(i, i + 6));
            }
        }
    }

    @Test
    void aCountIsKeptAndNoPartOfTheSecret() {
        var counts = new TreeMap<String, Integer>();
        assertThat(rules.redact("a ghp_" + GITHUB + " and AKIA" + AWS + " and AKIA" + AWS, counts))
                .isEqualTo("a ghp_" + "*".repeat(36) + " and AKIA" + "*".repeat(16) + " and AKIA" + "*".repeat(16));
        assertThat(counts).containsOnly(java.util.Map.entry("github-token", 1), java.util.Map.entry("aws-key", 2));
    }

    @Test
    void anUnusableRuleIsRefused() {
        for (var wrong : List.of("[a", "a(b", "x*", "\\pL")) {
            assertThatThrownBy(() -> Rule.of("own", "", wrong)).isInstanceOf(IllegalArgumentException.class);
        }
    }
}
