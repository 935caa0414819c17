package dev.hydravisor.console;

import dev.hydravisor.host.PlainText;
import dev.hydravisor.image.AllImages;
import dev.hydravisor.image.AllImages.Entry;
import dev.hydravisor.image.Reference;
import java.util.List;
import java.util.Locale;
import org.jspecify.annotations.Nullable;
import org.springframework.stereotype.Component;

/** {@code image …}: disks of VMs and images of containers together. */
@Component
class ImageCommands implements Commands {
    private static final Table<Entry> TABLE = Table.named("NAME", Entry::name)
            .column("KIND", e -> e.kind().name().toLowerCase(Locale.ROOT))
            .column("FORMAT", Entry::format)
            .column("SIZE", e -> PlainText.bytes(e.size()))
            .column("DISK", e -> e.virtualSize() == null ? "" : PlainText.bytes(e.virtualSize()))
            .column("AGE", e -> PlainText.age(e.imported()))
            .column("SOURCE", Entry::source);
    private static final Table<Entry> DETAILS =
            TABLE.column("USED BY", e -> String.join(", ", e.usedBy())).column("SHA256", Entry::sha256);

    private final AllImages images;
    private final Names names;

    ImageCommands(AllImages images, Names names) {
        this.images = images;
        this.names = names;
    }

    @Override
    public List<HydraCommand> commands() {
        return List.of(
                HydraCommand.named("image pull", "pull a container image from its registry")
                        .argument("REF", "the image: [HOST[:PORT]/]NAME[:TAG][@DIGEST]", names.containerImages())
                        .dryRun()
                        .details("""
                                Short names mean Docker Hub: `alpine` is docker.io/library/alpine:latest. Of an image for several
                                platforms this host's is taken. Logins are those of Docker (~/.docker/config.json). An image that is
                                here already is asked for again, and pulled when its tag means something newer.
                                """)
                        .example("hydra image pull debian:13")
                        .judged(in -> List.of(AllImages.action(
                                "pull", Reference.parse(in.argument("REF")).name())))
                        .runs(this::pull),
                HydraCommand.named("image import", "import a disk image, or an archive of container images")
                        .argument("NAME|SOURCE", "the name it gets; or, alone, the source", Values.files())
                        .optionalArgument("SOURCE", "a file, or for a disk an http(s) URL", Values.files())
                        .option("sha256", "HEX", "what the file's SHA-256 must be", Values.any())
                        .dryRun()
                        .details("""
                                Its content says what it is. Disks: qcow2, and raw ones with a boot sector; an image that is based on
                                other files, encrypted or damaged is refused. Archives: what `docker save` writes and OCI layouts, as
                                tar, also compressed with gzip; without NAME the images keep the names they have in the archive.
                                The same again is no error.
                                """)
                        .example("hydra image import debian ./debian-13-genericcloud-amd64.qcow2")
                        .example("hydra image import ./alpine.tar")
                        .judged(in -> List.of(AllImages.importing(name(in), source(in))))
                        .runs(this::importFile),
                HydraCommand.named("image list", "list the images of VMs and containers")
                        .output()
                        .filter()
                        .example("hydra image list --filter kind=container")
                        .runs(in -> in.print(images.list(in.operation()), TABLE)),
                HydraCommand.named("image show", "show one image")
                        .argument("NAME", "the image", names.allImages())
                        .output()
                        .example("hydra image show debian -o json")
                        .runs(in -> in.print(images.require(in.argument("NAME")), DETAILS)),
                HydraCommand.named("image delete", "delete an image that no instance needs")
                        .argument("NAME", "the image", names.allImages())
                        .dryRun()
                        .example("hydra image delete debian")
                        .judged(in -> List.of(AllImages.action(
                                "delete", images.require(in.argument("NAME")).name())))
                        .runs(this::delete),
                HydraCommand.named("image prune", "delete the images that no instance is made from")
                        .flag("all", "disks of VMs too, not only container images")
                        .dryRun()
                        .details("""
                                Container images can be pulled again, disks perhaps not: they stay unless --all is given.
                                """)
                        .example("hydra image prune --dry-run")
                        .judged(in -> images.unused(in.operation(), in.flag("all")).stream()
                                .map(image -> AllImages.action("delete", image.name()))
                                .toList())
                        .runs(this::prune));
    }

    private void pull(Invocation in) {
        var reference = Reference.parse(in.argument("REF"));
        if (in.dryRun()) {
            in.out().println("would pull image " + reference.name());
            return;
        }
        in.out().println(images.pull(in.operation(), reference.name()));
    }

    private static @Nullable String name(Invocation in) {
        return in.argumentOrNull("SOURCE") == null ? null : in.argument("NAME|SOURCE");
    }

    private static String source(Invocation in) {
        var second = in.argumentOrNull("SOURCE");
        var typed = second == null ? in.argument("NAME|SOURCE") : second;
        return typed.matches("https?://.*") ? typed : in.session().path(typed).toString();
    }

    private void importFile(Invocation in) {
        var name = name(in);
        var source = source(in);
        if (in.dryRun()) {
            in.out()
                    .println("would import "
                            + (name == null ? "what is in " : "image " + PlainText.safe(name) + " from ")
                            + PlainText.safe(source));
            return;
        }
        images.importFile(in.operation(), name, source, in.option("sha256"))
                .forEach(imported -> in.out().println(imported));
    }

    private void delete(Invocation in) {
        var image = images.require(in.argument("NAME"));
        if (in.dryRun()) {
            in.out().println("would delete image " + image.name() + " (" + PlainText.bytes(image.size()) + ")");
            return;
        }
        images.delete(in.operation(), image.name());
    }

    private void prune(Invocation in) {
        var operation = in.operation();
        var unused = images.unused(operation, in.flag("all"));
        for (var image : unused) {
            if (!in.dryRun()) {
                images.delete(operation, image.name());
            }
            in.out()
                    .println((in.dryRun() ? "would delete image " : "deleted image ") + image.name() + " ("
                            + PlainText.bytes(image.size()) + ")");
        }
    }
}
