package dev.hydravisor.console;

import dev.hydravisor.host.PlainText;
import dev.hydravisor.image.Image;
import dev.hydravisor.image.ImageService;
import java.util.List;
import org.springframework.stereotype.Component;

/** {@code image …}. */
@Component
class ImageCommands implements Commands {
    private static final Table<Image> TABLE = Table.named("NAME", Image::name)
            .column("FORMAT", Image::format)
            .column("SIZE", i -> PlainText.bytes(i.size()))
            .column("DISK", i -> PlainText.bytes(i.virtualSize()))
            .column("AGE", i -> PlainText.age(i.imported()))
            .column("SOURCE", Image::source);
    private static final Table<Image> DETAILS = TABLE.column("SHA256", Image::sha256);

    private final ImageService images;
    private final Names names;

    ImageCommands(ImageService images, Names names) {
        this.images = images;
        this.names = names;
    }

    @Override
    public List<HydraCommand> commands() {
        return List.of(
                HydraCommand.named("image import", "import a disk image")
                        .argument("NAME", "the name it gets", Values.any())
                        .argument("SOURCE", "a file, or an http(s) URL", Values.files())
                        .option("sha256", "HEX", "what the file's SHA-256 must be", Values.any())
                        .dryRun()
                        .details("""
                                Takes qcow2 images and raw disks with a boot sector. They are checked first: an image that is based
                                on other files, encrypted or damaged is refused. The same file under the same name again is no error.
                                """)
                        .example("hydra image import debian ./debian-13-genericcloud-amd64.qcow2")
                        .runs(this::importDisk),
                HydraCommand.named("image list", "list the imported images")
                        .output()
                        .filter()
                        .example("hydra image list --filter format=qcow2")
                        .runs(in -> in.print(images.list(), TABLE)),
                HydraCommand.named("image show", "show one image")
                        .argument("NAME", "the image", names.images())
                        .output()
                        .example("hydra image show debian -o json")
                        .runs(in -> in.print(images.require(in.argument("NAME")), DETAILS)),
                HydraCommand.named("image delete", "delete an image that no VM needs")
                        .argument("NAME", "the image", names.images())
                        .dryRun()
                        .example("hydra image delete debian")
                        .runs(this::delete));
    }

    private void importDisk(Invocation in) {
        var name = in.argument("NAME");
        var typed = in.argument("SOURCE");
        var source =
                typed.matches("https?://.*") ? typed : in.session().path(typed).toString();
        if (in.dryRun()) {
            in.out().println("would import image " + PlainText.safe(name) + " from " + PlainText.safe(source));
            return;
        }
        images.importDisk(in.operation(), name, source, in.option("sha256"));
    }

    private void delete(Invocation in) {
        var image = images.require(in.argument("NAME"));
        if (in.dryRun()) {
            in.out().println("would delete image " + image.name() + " (" + PlainText.bytes(image.size()) + ")");
            return;
        }
        images.delete(image.name());
    }
}
