package dev.hydravisor.console;

/** Names for commands whose completion is not what is tested. */
final class NoNames implements Names {
    @Override
    public Values instances() {
        return Values.any();
    }

    @Override
    public Values images() {
        return Values.any();
    }

    @Override
    public Values models() {
        return Values.any();
    }

    @Override
    public Values recordings() {
        return Values.any();
    }
}
