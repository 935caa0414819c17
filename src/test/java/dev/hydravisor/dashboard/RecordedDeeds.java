package dev.hydravisor.dashboard;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;

/** Notes what a user asked for, and does nothing. */
final class RecordedDeeds implements Deeds {
    final List<String> asked = new ArrayList<>();

    @Override
    public void open(String instance) {
        asked.add("open " + instance);
    }

    @Override
    public void shell(String instance) {
        asked.add("shell " + instance);
    }

    @Override
    public void console(String instance) {
        asked.add("console " + instance);
    }

    @Override
    public void replay(String recording) {
        asked.add("replay " + recording);
    }

    @Override
    public void start(String instance) {
        asked.add("start " + instance);
    }

    @Override
    public void stop(String instance) {
        asked.add("stop " + instance);
    }

    @Override
    public void pause(String instance) {
        asked.add("pause " + instance);
    }

    @Override
    public void resume(String instance) {
        asked.add("resume " + instance);
    }

    @Override
    public void record(String workspace, boolean on) {
        asked.add("record " + workspace + " " + on);
    }

    @Override
    public void close(String workspace) {
        asked.add("close " + workspace);
    }

    @Override
    public void delete(View view, String name) {
        asked.add("delete " + view.word() + " " + name);
    }

    @Override
    public void attach(String instance, String model) {
        asked.add("attach " + instance + " " + model);
    }

    @Override
    public void detach(String instance, String model) {
        asked.add("detach " + instance + " " + model);
    }

    @Override
    public void plan(Form form) {
        asked.add("plan");
        form.planned(List.of("create vm `" + form.values().get("name") + "`", "open its workspace"), null);
    }

    @Override
    public Job create(Map<String, String> values) {
        asked.add("create " + values);
        return new Job("1", "new", "create vm new", () -> {});
    }

    @Override
    public void copy(String text) {
        asked.add("copy " + text);
    }

    @Override
    public void read(View view) {}

    @Override
    public void details(String instance) {}

    @Override
    public void redraw() {
        asked.add("redraw");
    }
}
