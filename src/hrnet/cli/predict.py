"""`hrnet predict`."""

import json
from collections.abc import Generator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hrnet.cli.options import (
    WHOLE,
    BatchSize,
    Detector,
    Device,
    Engine,
    FlipTest,
    MinScore,
    Model,
    Settings,
    Threads,
    WholeImage,
)
from hrnet.errors import InputError, one_line, printable
from hrnet.files import exists, parse_json

if TYPE_CHECKING:
    from hrnet.data.boxes import BoxFile
    from hrnet.image_files import FoundImages
    from hrnet.predict_files import Destination, FileResult

EXAMPLES = """\b
Examples:
  hrnet predict photo.jpg --out drawn/
  hrnet predict photos/ --recursive --boxes boxes.json --json keypoints.json
  hrnet predict photo.jpg --model w32.onnx --boxes 20,10,350,500 --flip-test
  hrnet predict photos/ --model detector.onnx --min-score 0.5 --out drawn/
  hrnet predict photos/ --model streets.onnx --out drawn/ --csv areas.csv
  hrnet predict photo.jpg --json - | python -m json.tool
"""

STDOUT = Path("-")

_FULL_TABLES = 5
"""Number of images up to which results are printed in full; above, one line per image."""

Sources = Annotated[
    list[str], typer.Argument(metavar="IMAGE", help="Image files, folders or glob patterns.")
]
Boxes = Annotated[
    str | None,
    typer.Option(
        "--boxes",
        "-b",
        metavar="FILE|X,Y,W,H",
        help="Keypoints only. Boxes of the people as left, top, width, height in pixels: one box "
        "for all images, or a JSON file: COCO annotations, COCO detections or "
        '{"file.jpg": [[x,y,w,h], ...]} (default: what the detector finds).',
    ),
]
ImagesOf = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE",
        help="COCO annotation file with the image names for --boxes of COCO detections, which have "
        "only image ids.",
    ),
]
Out = Annotated[
    Path | None,
    typer.Option(
        "--out",
        "-o",
        metavar="DIR",
        help="Folder to write to: each image with its result drawn on it, the masks of areas, and "
        "one JSON file.",
    ),
]
JsonFile = Annotated[
    Path | None,
    typer.Option(
        "--json", "-j", metavar="FILE", help="Write the results here as JSON; - prints them."
    ),
]
CsvFile = Annotated[
    Path | None,
    typer.Option("--csv", metavar="FILE", help="Write the results here as a CSV table."),
]
Recursive = Annotated[
    bool, typer.Option("--recursive", "-r", help="Also search the subfolders of folders.")
]


def predict(
    sources: Sources,
    model: Model = "default",
    boxes: Boxes = None,
    images_of: ImagesOf = None,
    detector: Detector = "auto",
    min_score: MinScore = None,
    out: Out = None,
    json_file: JsonFile = None,
    csv_file: CsvFile = None,
    recursive: Recursive = False,
    flip_test: FlipTest = False,
    device: Device = "auto",
    engine: Engine = None,
    threads: Threads = None,
    batch_size: BatchSize = 16,
    settings: Settings = None,
    whole_image: WholeImage = False,
) -> None:
    """Find keypoints, objects, classes or areas in images."""
    from hrnet.data.boxes import BoxFile
    from hrnet.predict import load
    from hrnet.predict_files import Destination, predict_files
    from hrnet.tasks import get_task

    # Find the images, and check all before any work is done.
    found = _find(sources, recursive)
    printed = json_file == STDOUT
    Destination(out, None if printed else json_file, csv_file).check([*found.paths, Path(model)])
    where = parse_boxes(boxes, images_of)
    wanted = detector if where is None else None  # given boxes need no detector
    use = partial(load, device=device, engine=engine, threads=threads, detector=wanted)
    loaded = use(model, settings=[*(settings or ()), *(WHOLE if whole_image else ())])
    found = found if loaded.spec.reads_rgb else _find(sources, recursive, arrays=True)
    paths, errors, left_out = found
    attempted = len(paths) + len(errors)
    task = get_task(loaded.spec.task)
    file = None if printed else json_file or (out / f"{task.results}.json" if out else None)
    outputs = Destination(out, file, csv_file)
    outputs.check([*paths, Path(model)])

    # Predict. With --json - stdout holds the JSON alone, and everything else goes to stderr.
    results = predict_files(
        loaded,
        paths,
        boxes=where,
        outputs=outputs,
        flip_test=flip_test,
        batch_size=batch_size,
        min_score=min_score,
    )
    shown = _show(results, printed=printed, full=len(paths) <= _FULL_TABLES)
    # Print the notes and the written files, also after Ctrl-C; the errors come last.
    _print_notes(where.notes if isinstance(where, BoxFile) else (), left_out, printed=printed)
    if printed:
        _print_json(shown.entries)
    elif shown.done and len(errors) + len(shown.errors) < attempted:
        is_whole = where is None and loaded.detector is None and not loaded.spec.whole_images
        _print_written(outputs, task.results, task.without_boxes if is_whole else "")
    _report_errors(errors + shown.errors, attempted, shown, len(paths))


def _find(sources: Sequence[str], recursive: bool, *, arrays: bool = False) -> "FoundImages":
    """Find the images; arrays: .npy files too, as pictures of any channels often are."""
    from hrnet.image_files import find_images

    return find_images(sources, recursive=recursive, arrays=arrays)


@dataclass(slots=True)
class _Shown:
    """Outcome of a run.

    done: number of results. entries: their JSON, if it is to be printed. stopped: the exception
    of the signal that ended the run.
    """

    done: int = 0
    errors: list[InputError] = field(default_factory=list)
    entries: list[dict[str, object]] = field(default_factory=list)
    stopped: BaseException | None = None


def _show(results: Generator["FileResult", None, None], *, printed: bool, full: bool) -> _Shown:
    """Print the results one by one, until the last one, Ctrl-C or SIGTERM.

    printed: the JSON goes to stdout, so it is kept, and all else goes to stderr.
    """
    from hrnet.console import make_console, print_result
    from hrnet.predict_files import json_entries

    shown, console = _Shown(), make_console(stderr=printed)
    try:
        for result in results:
            shown.done += 1
            # A bad image is an error for the end; an image without its drawing has a result too.
            if result.undrawn is not None:
                shown.errors.append(result.undrawn)
            if isinstance(result.outcome, InputError):
                shown.errors.append(result.outcome)
                continue
            print_result(console, result.path, result.outcome, full=full)
            if printed:
                shown.entries += json_entries(result.path, result.image_id, result.outcome)
    except (KeyboardInterrupt, SystemExit) as end:
        shown.stopped = end
        with suppress(KeyboardInterrupt, SystemExit):  # closes the JSON file
            results.throw(end)
    return shown


def _print_notes(notes: Sequence[str], left_out: Sequence[Path], *, printed: bool) -> None:
    """Print what a person should read of the inputs; left_out: files that are no images."""
    from hrnet.console import make_console
    from hrnet.image_files import list_left_out

    console = make_console(stderr=printed)
    for note in notes:
        console.print(f"note: {one_line(note)}", soft_wrap=True)
    if left_out:
        listed = printable(list_left_out(left_out))
        console.print(f"skipped, not image files: {listed}", soft_wrap=True)


def _print_json(entries: list[dict[str, object]]) -> None:
    lines = (json.dumps(entry, ensure_ascii=False) for entry in entries)
    typer.echo("[\n" + ",\n".join(lines) + "\n]")


def _print_written(outputs: "Destination", results: str, note: str) -> None:
    if note:
        typer.echo(note)
    written = (
        ("images", outputs.folder),
        (results, outputs.json_file),
        (f"table of {results}", outputs.csv_file),
    )
    for what, path in written:
        if path is not None:
            typer.echo(f"{what} written to {printable(path)}")


def _report_errors(
    errors: list[InputError], attempted: int, shown: "_Shown", num_images: int
) -> None:
    """Exit with code 2 if there are errors: one line for a single source, else a list.

    A run that a signal stopped ends with its exception.
    """
    if shown.stopped is not None:
        typer.echo(f"hrnet: stopped after {shown.done} of {num_images} images", err=True)
        raise shown.stopped
    if not errors:
        return
    if attempted == 1:
        raise errors[0]
    typer.echo(f"hrnet: {len(errors)} of {attempted} sources could not be used:", err=True)
    for error in errors:
        typer.echo(f"  {one_line(error)}", err=True)
    raise typer.Exit(2)


def parse_boxes(
    text: str | None, images_of: Path | None = None
) -> "BoxFile | list[list[float]] | None":
    """Parse --boxes: four numbers for all images, a JSON list of them, or a file.

    images_of: the value of --images-of. Raises InputError for anything else.
    """
    # Any text without a comma is a file name.
    is_file = text is not None and ("," not in text or exists(Path(text)))
    if images_of is not None and not is_file:
        raise InputError(
            "expected --boxes FILE with COCO detections where --images-of is used; add it"
        )
    if text is None:
        return None
    if is_file:
        from hrnet.data.boxes import read_boxes

        return read_boxes(Path(text), images_of)
    # Numbers: x,y,w,h or [[x,y,w,h], ...].
    rows = _listed_boxes(text) if text.lstrip().startswith("[") else [_plain_box(text)]
    boxes = [row for row in rows if row is not None]
    if len(boxes) < len(rows) or not boxes:
        raise InputError(
            "expected --boxes as four numbers x,y,w,h, a list [[x,y,w,h], ...] or a file that "
            f"exists, got {text:.80}"
        )
    return boxes


def _plain_box(text: str) -> list[float] | None:
    try:
        box = [float(number) for number in text.split(",")]
    except ValueError:
        return None
    return box if len(box) == 4 else None


def _listed_boxes(text: str) -> list[list[float] | None]:
    from hrnet.numbers import to_floats

    content = parse_json(text, "--boxes")
    rows = content if isinstance(content, list) else []
    several = bool(rows) and all(isinstance(row, list) for row in rows)
    boxes = [to_floats(row, 4) for row in (rows if several else [rows])]
    return [None if box is None else box.tolist() for box in boxes]
