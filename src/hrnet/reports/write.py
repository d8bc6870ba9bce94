"""Read a run, measure its model, write the page."""

from dataclasses import dataclass
from os import PathLike
from pathlib import Path

from hrnet.errors import InputError
from hrnet.evaluation import Progress
from hrnet.extras import needing
from hrnet.files import check_writable_file, is_file, write_text
from hrnet.predict import BATCH_SIZE
from hrnet.reports.measure import Findings, measure
from hrnet.reports.page import Drawing, make_page
from hrnet.reports.pictures import small_picture
from hrnet.reports.read import RunFolder, read_run
from hrnet.weights.catalog import BEST, LAST

REPORT = "report.html"
"""The page's usual name in a run folder."""

MAX_DRAWINGS = 8


@dataclass(frozen=True, slots=True)
class Report:
    """The page that was written. without_figures: why it has no figures, None where it has."""

    path: Path
    without_figures: str | None


def report(
    run: str | PathLike[str],
    *,
    out: str | PathLike[str] | None = None,
    data: str | PathLike[str] | None = None,
    images: str | PathLike[str] | None = None,
    flip_test: bool = False,
    figures: bool = True,
    device: str = "auto",
    threads: int | None = None,
    batch_size: int = BATCH_SIZE,
    progress: Progress | None = None,
) -> Report:
    """Write a page about a training run, which may still go on.

    run: the run folder. out: the page, report.html in the run folder without it.
    data, images: annotations and pictures to measure on; the validation data of the run without.
    flip_test: average with the mirrored crop. figures: False leaves the model alone, which needs
        neither torch nor the pictures. device, threads, batch_size: as `hrnet.evaluate` takes them.
    Raises InputError for a run or data that cannot be used; a page of before stays then.
    """
    folder = Path(run)
    path = folder / REPORT if out is None else Path(out)
    if (data is None) != (images is None):
        raise InputError("expected both --data FILE and --images DIR or neither, got one of them")
    content = read_run(folder)
    given = (Path(data), Path(images)) if data is not None and images is not None else None
    of_run = content.experiment.data.validation()
    source = given or (of_run and of_run.images and (of_run.path, of_run.images)) or None
    check_writable_file(path)
    # A page is written over a page alone, never over a file of the run, its data or its pictures.
    if path.suffix.lower() not in (".html", ".htm"):
        raise InputError(f"expected an .html file to write, got {path}; end its name in .html")
    found: Findings | str
    if not figures:
        source, found = None, "they were not asked for"
    elif source is None:
        found = "the run has no validation data; name some by --data FILE --images DIR"
    elif not content.epochs and not any(is_file(folder / name) for name in (BEST, LAST)):
        source, found = None, "the first epoch is not done yet, so there is no model"
    else:
        with needing("measuring"):
            found = measure(
                folder,
                data=source[0],
                images=source[1],
                category=of_run.category if of_run else None,
                flip_test=flip_test,
                device=device,
                threads=threads,
                batch_size=batch_size,
                progress=progress,
            )
    page = make_page(content, found, data=source, flip_test=flip_test, drawings=_drawings(content))
    write_text(path, page)
    return Report(path, found if isinstance(found, str) else None)


def _drawings(run: RunFolder) -> list[Drawing]:
    """The first pictures of the run; one that cannot be read, or is half written, is left out."""
    drawings = []
    for file in run.pictures[:MAX_DRAWINGS]:
        try:
            drawings.append((file.name, small_picture(file)))
        except InputError:
            continue
    return drawings
