package dev.hydravisor.dashboard;

/** A job as it goes on. */
final class Watch implements Page {
    private final Job job;

    Watch(Job job) {
        this.job = job;
    }

    Job job() {
        return job;
    }

    @Override
    public String title() {
        return job.title();
    }

    @Override
    public String hints() {
        return switch (job.state()) {
            case RUNNING -> "Esc leave it running   C cancel; what it made is undone";
            case DONE, FAILED -> "Esc back";
        };
    }

    @Override
    public void draw(Frame frame, int top, int height) {
        draw(job, frame, 2, top, frame.columns() - 4, height);
    }

    static void draw(Job job, Frame frame, int x, int top, int width, int height) {
        var stages = job.stages();
        int y = top;
        for (var stage : stages.subList(Math.max(0, stages.size() - height + 2), stages.size())) {
            var sign =
                    switch (stage.role()) {
                        case GOOD -> "✓";
                        case BAD -> "✗";
                        case BUSY -> "◌";
                        default -> "·";
                    };
            frame.put(x, y, 1, sign, stage.role());
            var amount = Frame.width(stage.amount());
            var at = frame.put(x + 2, y, width - 4 - amount, stage.name(), Role.TEXT);
            frame.put(Math.max(at + 1, x + Math.min(40, width - amount)), y, stage.amount(), Role.DIM);
            y++;
        }
        var error = job.error();
        if (error != null) {
            for (var line : Texts.wrap(error, width)) {
                if (y < top + height) {
                    frame.put(x, y++, width, line, Role.BAD);
                }
            }
        }
    }

    @Override
    public boolean key(String key) {
        if (key.equals("C")) {
            job.cancel();
            return true;
        }
        return !key.equals(Keys.ESCAPE) && !key.equals("q") && !key.equals(Keys.ENTER);
    }
}
