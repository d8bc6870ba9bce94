"""The command line: one typed function a subcommand, heavy imports inside the functions."""

import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hrnet.cli.convert import convert
from hrnet.cli.data import Category
from hrnet.cli.data import app as data_app
from hrnet.cli.models import info, models
from hrnet.cli.report import report
from hrnet.cli.streams import guarded_streams
from hrnet.cli.train import recipes, train
from hrnet.cli.weights import app as weights_app
from hrnet.errors import InputError, one_line
from hrnet.files import exists

if TYPE_CHECKING:
    from hrnet.data.boxes import BoxFile

app = typer.Typer(
    name="hrnet",
    help="High-resolution networks: keypoints of persons from photos.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)

_FULL_TABLES = 5
"""Up to this many images the keypoints are printed; above, one line an image."""


def _print_version(wanted: bool) -> None:
    if wanted:
        import hrnet

        typer.echo(f"hrnet {hrnet.__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_print_version, is_eager=True, help="Print the version."
        ),
    ] = False,
) -> None:
    """High-resolution networks: keypoints of persons from photos."""


@app.command()
def predict(
    sources: Annotated[
        list[str], typer.Argument(metavar="SOURCE", help="Images, folders or glob patterns.")
    ],
    model: Annotated[
        str,
        typer.Option(help="A model's name, an .onnx file, a .safetensors file or a run folder."),
    ] = "default",
    boxes: Annotated[
        str | None,
        typer.Option(
            metavar="FILE|x,y,w,h",
            help="Where the persons are: one box for every image, or a JSON file: COCO "
            'annotations, COCO detections or {"file.jpg": [[x,y,w,h], ...]}. '
            "Without it each whole image is taken as one person.",
        ),
    ] = None,
    images_of: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="With COCO detections: the annotation file that lists the images' ids and names.",
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Write drawn pictures and keypoints.json to this folder."),
    ] = None,
    json_file: Annotated[
        Path | None,
        typer.Option("--json", metavar="FILE", help="Write the keypoints of all images here."),
    ] = None,
    flip_test: Annotated[
        bool, typer.Option("--flip-test", help="Average with the mirrored image; twice the time.")
    ] = False,
) -> None:
    """Find the keypoints of persons in images."""
    from hrnet.batch import JSON_NAME, Outputs, predict_files
    from hrnet.images import find_images
    from hrnet.predict import load
    from hrnet.report import print_poses, terminal

    paths, errors = find_images(sources)
    attempted = len(paths) + len(errors)
    outputs = Outputs(out, json_file or (out / JSON_NAME if out else None))
    outputs.check(paths)
    where = _parse_boxes(boxes, images_of)
    results = predict_files(load(model), paths, boxes=where, outputs=outputs, flip_test=flip_test)
    console = terminal()
    for result in results:
        if isinstance(result.outcome, InputError):
            errors.append(result.outcome)
        else:
            print_poses(console, result.path, result.outcome, full=len(paths) <= _FULL_TABLES)
    if len(errors) < attempted:
        if where is None:
            typer.echo("no boxes given: each whole image was taken as one person")
        _say_written(outputs.folder, outputs.json_file)
    _report_errors(errors, attempted)


def _parse_boxes(text: str | None, images_of: Path | None) -> "BoxFile | list[list[float]] | None":
    """Read --boxes: four numbers for every image, or the name of a file."""
    if images_of is not None and (text is None or not exists(Path(text))):
        raise InputError("--images-of FILE goes with --boxes FILE, a list of COCO detections")
    if text is None:
        return None
    if "," in text and not exists(Path(text)):
        try:
            x, y, width, height = (float(number) for number in text.split(","))
        except ValueError:
            raise InputError(
                f"expected --boxes as four numbers x,y,w,h or a file that exists, got {text}"
            ) from None
        return [[x, y, width, height]]
    from hrnet.data.boxes import read_boxes

    found = read_boxes(Path(text), images_of)
    for note in found.notes:
        typer.echo(f"note: {one_line(note)}")
    return found


@app.command()
def evaluate(
    model: Annotated[
        str,
        typer.Argument(
            metavar="MODEL",
            help="A model's name, an .onnx file, a .safetensors file or a run folder.",
        ),
    ],
    data: Annotated[Path, typer.Option(metavar="FILE", help="COCO keypoint annotations.")],
    images: Annotated[Path, typer.Option(metavar="DIR", help="The folder of their images.")],
    boxes: Annotated[
        str,
        typer.Option(
            metavar="gt|FILE",
            help="gt for the boxes of the annotations, or a detector's in the COCO results form.",
        ),
    ] = "gt",
    category: Category = None,
    flip_test: Annotated[
        bool, typer.Option("--flip-test", help="Average with the mirrored image; twice the time.")
    ] = False,
    json_file: Annotated[
        Path | None,
        typer.Option("--json", metavar="FILE", help="Write the figures and the protocol here."),
    ] = None,
) -> None:
    """Measure a model's COCO AP and AR on annotated images, and PCKh where head sizes are given."""
    from hrnet.engine.evaluate import evaluate as evaluate_model
    from hrnet.files import atomic_path, check_writable_file
    from hrnet.report import print_figures, show_progress, terminal

    if json_file is not None:
        check_writable_file(json_file, [data])
    with show_progress("evaluating") as progress:
        result = evaluate_model(
            model,
            data=data,
            images=images,
            boxes=boxes,
            category=category,
            flip_test=flip_test,
            progress=progress,
        )
    print_figures(terminal(), result.metrics)
    typer.echo(result.summary())
    if json_file is not None:
        with atomic_path(json_file) as temporary:
            temporary.write_text(result.to_json(), encoding="utf-8")
        typer.echo(f"figures written to {json_file}")


@app.command()
def export(
    model: Annotated[str, typer.Argument(help="A .safetensors checkpoint or the folder of a run.")],
    out: Annotated[Path, typer.Option(metavar="FILE", help="The .onnx file to write.")],
    half: Annotated[
        bool, typer.Option("--half", help="Store weights in half precision: half the file.")
    ] = False,
) -> None:
    """Write a checkpoint as an ONNX file that predicts without torch."""
    from hrnet.files import check_writable_file
    from hrnet.weights.catalog import find_model

    path = find_model(Path(model))
    if path.suffix != ".safetensors":
        raise InputError(f"expected a .safetensors checkpoint or a run folder, got {path}")
    if out.suffix.lower() != ".onnx":
        raise InputError(f"expected an .onnx file to write, got {out}; name one that ends in .onnx")
    check_writable_file(out, [path])
    from hrnet.export.onnx import export_onnx
    from hrnet.weights.checkpoint import load_checkpoint

    difference = export_onnx(*load_checkpoint(path), out, half=half)
    size = out.stat().st_size / 1e6
    typer.echo(f"{out}: {size:.2f} MB, differs from the network by {difference:.2g} at most")


app.command()(train)
app.command()(recipes)
app.command()(models)
app.command()(info)
app.command()(convert)
app.command()(report)
app.add_typer(weights_app)
app.add_typer(data_app)


def _say_written(folder: Path | None, json_file: Path | None) -> None:
    for what, path in (("pictures", folder), ("keypoints", json_file)):
        if path is not None:
            typer.echo(f"{what} written to {path}")


def _report_errors(errors: list[InputError], attempted: int) -> None:
    """End with exit code 2 if there are errors: one line for one source, a list for a batch."""
    if not errors:
        return
    if attempted == 1:
        raise errors[0]
    typer.echo(f"hrnet: {len(errors)} of {attempted} sources could not be used:", err=True)
    for error in errors:
        typer.echo(f"  {one_line(error)}", err=True)
    raise typer.Exit(2)


def main() -> None:
    """Run the command line; whatever cannot be used gives one line on stderr and exit code 2.

    SIGTERM ends a command as an exit does, so that temporary files are removed.
    """
    with guarded_streams() as stdout:
        before = signal.signal(signal.SIGTERM, _terminate)
        try:
            code = _run()
        finally:
            signal.signal(signal.SIGTERM, before)
        stdout.flush()
        if stdout.error is not None:
            _print_error(f"what was printed is not whole: {stdout.error.strerror}")
            code = code or 2
    if code:
        sys.exit(code)


def _terminate(number: int, frame: object) -> None:
    raise SystemExit(128 + number)


def _run() -> int:
    try:
        app()
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else int(end.code is not None)
    except InputError as error:
        _print_error(error)
    except OSError as error:
        place = f"{error.filename}: " if error.filename else ""
        _print_error(f"{place}{error.strerror or error}")
    except (MemoryError, RecursionError) as error:
        _print_error(f"the input is too large ({type(error).__name__}); use a smaller one")
    return 2


def _print_error(error: object) -> None:
    typer.echo(f"hrnet: error: {one_line(error)}", err=True)
