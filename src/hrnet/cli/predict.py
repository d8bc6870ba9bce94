"""`hrnet predict`."""

import json
from collections.abc import Generator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hrnet.cli.options import BatchSize, Device, Engine, FlipTest, Model, Threads
from hrnet.errors import InputError, one_line, printable
from hrnet.files import exists, parse_json

if TYPE_CHECKING:
    from rich.console import Console

    from hrnet.data.boxes import BoxFile
    from hrnet.predict_files import FileResult, Outputs

EXAMPLES = """\b
Examples:
  hrnet predict photo.jpg --out drawn/
  hrnet predict photos/ --recursive --boxes boxes.json --json keypoints.json
  hrnet predict photo.jpg --model w32.onnx --boxes 20,10,350,500 --flip-test
  hrnet predict photo.jpg --json - | python -m json.tool
"""

STDOUT = Path("-")

_FULL_TABLES = 5
"""Up to this many images the keypoints are printed; above, one line an image."""

Sources = Annotated[
    list[str], typer.Argument(metavar="IMAGE", help="Images, folders or glob patterns.")
]
Boxes = Annotated[
    str | None,
    typer.Option(
        "--boxes",
        "-b",
        metavar="FILE|X,Y,W,H",
        help="The persons' boxes (left, top, width, height): one for every image, or a JSON "
        'file of COCO annotations, COCO detections or {"file.jpg": [[x,y,w,h], ...]} '
        "(default: each whole image is a person).",
    ),
]
ImagesOf = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE",
        help="With COCO detections: the annotation file that lists the images' ids and names.",
    ),
]
Out = Annotated[
    Path | None,
    typer.Option("--out", "-o", metavar="DIR", help="Write drawn images and keypoints.json here."),
]
JsonFile = Annotated[
    Path | None,
    typer.Option("--json", "-j", metavar="FILE", help="Write the keypoints here; - prints them."),
]
Recursive = Annotated[
    bool, typer.Option("--recursive", "-r", help="Search folders inside a folder, too.")
]


def predict(
    sources: Sources,
    model: Model = "default",
    boxes: Boxes = None,
    images_of: ImagesOf = None,
    out: Out = None,
    json_file: JsonFile = None,
    recursive: Recursive = False,
    flip_test: FlipTest = False,
    device: Device = "auto",
    engine: Engine = None,
    threads: Threads = None,
    batch_size: BatchSize = 16,
) -> None:
    """Find the keypoints of persons in images."""
    from hrnet.console import make_console
    from hrnet.data.boxes import BoxFile
    from hrnet.images import find_images, list_left_out
    from hrnet.predict import load
    from hrnet.predict_files import Outputs, predict_files
    from hrnet.tasks import get_task

    # Everything that the user named is checked before any work is done.
    paths, errors, left_out = find_images(sources, recursive=recursive)
    attempted = len(paths) + len(errors)
    printed = json_file == STDOUT
    Outputs(out, None if printed else json_file).check([*paths, Path(model)])
    where = parse_boxes(boxes, images_of)
    notes = where.notes if isinstance(where, BoxFile) else ()
    loaded = load(model, device=device, engine=engine, threads=threads)
    task = get_task(loaded.spec.task)
    file = None if printed else json_file or (out / f"{task.results}.json" if out else None)
    outputs = Outputs(out, file)
    outputs.check([*paths, Path(model)])

    # With --json - stdout holds the JSON alone, and the rest goes to stderr.
    results = predict_files(
        loaded, paths, boxes=where, outputs=outputs, flip_test=flip_test, batch_size=batch_size
    )
    console = make_console(stderr=printed)
    shown = _show(results, console, full=len(paths) <= _FULL_TABLES, keep_json=printed)
    errors += shown.errors

    # The results come first, also where Ctrl-C ended the run; the errors are last.
    for note in notes:
        console.print(f"note: {one_line(note)}", soft_wrap=True)
    if left_out:
        listed = printable(list_left_out(left_out))
        console.print(f"left out, of no kind that is read in folders: {listed}", soft_wrap=True)
    if printed:
        lines = (json.dumps(entry, ensure_ascii=False) for entry in shown.entries)
        typer.echo("[\n" + ",\n".join(lines) + "\n]")
    elif shown.done and len(errors) < attempted:
        if where is None and task.without_boxes:
            typer.echo(task.without_boxes)
        _print_written(outputs, task.results)
    if shown.stopped is not None:
        typer.echo(f"hrnet: stopped after {shown.done} of {len(paths)} images", err=True)
        raise shown.stopped
    _report_errors(errors, attempted)


@dataclass(slots=True)
class _Shown:
    """The outcome of a run: how many results, their errors, the signal that ended it, if any.

    entries: their JSON, where it is to be printed.
    """

    done: int = 0
    errors: list[InputError] = field(default_factory=list)
    entries: list[dict[str, object]] = field(default_factory=list)
    stopped: BaseException | None = None


def _show(
    results: Generator["FileResult", None, None],
    console: "Console",
    *,
    full: bool,
    keep_json: bool,
) -> _Shown:
    """Print each result as it comes, until the last one, Ctrl-C or SIGTERM."""
    from hrnet.console import print_result
    from hrnet.predict_files import json_entries

    shown = _Shown()
    try:
        for result in results:
            shown.done += 1
            if result.undrawn is not None:
                shown.errors.append(result.undrawn)
            if isinstance(result.outcome, InputError):
                shown.errors.append(result.outcome)
                continue
            print_result(console, result.path, result.outcome, full=full)
            if keep_json:
                shown.entries += json_entries(result.path, result.image_id, result.outcome)
    except (KeyboardInterrupt, SystemExit) as end:
        shown.stopped = end
        with suppress(KeyboardInterrupt, SystemExit):  # lets the run write what is finished
            results.throw(end)
    return shown


def _print_written(outputs: "Outputs", results: str) -> None:
    for what, path in (("pictures", outputs.folder), (results, outputs.json_file)):
        if path is not None:
            typer.echo(f"{what} written to {printable(path)}")


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


def parse_boxes(
    text: str | None, images_of: Path | None = None
) -> "BoxFile | list[list[float]] | None":
    """Read --boxes: four numbers for every image, a JSON list of such, or the name of a file."""
    is_file = text is not None and ("," not in text or exists(Path(text)))
    if images_of is not None and not is_file:
        raise InputError("expected --boxes FILE, a list of COCO detections, with --images-of FILE")
    if text is None:
        return None
    if is_file:
        from hrnet.data.boxes import read_boxes

        return read_boxes(Path(text), images_of)
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
