"""Read a run, evaluate its model, write the page."""

from dataclasses import dataclass, replace
from os import PathLike
from pathlib import Path

import numpy as np
from PIL import Image

from hrnet.config import DataConfig
from hrnet.data.source import DataSource
from hrnet.errors import InputError
from hrnet.evaluation import Progress
from hrnet.extras import packages_for
from hrnet.files import check_writable_file, is_file, resolve, write_text
from hrnet.folds import is_cross_validation
from hrnet.images import read_image
from hrnet.markup import jpeg_uri
from hrnet.predict import BATCH_SIZE
from hrnet.reports.evaluated import Evaluated, evaluate_run
from hrnet.reports.folds import make_folds_page
from hrnet.reports.page import Drawing, make_page
from hrnet.reports.read import RunFolder, read_run
from hrnet.run_folder import BEST, LAST

REPORT = "report.html"
"""The page's usual name in a run folder."""

MAX_DRAWINGS = 8
_SIDE_PX = 320


@dataclass(frozen=True, slots=True)
class Report:
    """The page that was written. without_figures: why it has no metrics, None where it has."""

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
    """Write a page about a training run or a cross-validation, which may still go on.

    run: its folder. out: the page (default: report.html in the run folder).
    data, images: labelled data to evaluate on (default: the run's validation data).
    flip_test: average with the mirrored crop. figures: False evaluates nothing, and needs neither
        torch nor the pictures. device, threads, batch_size: as `hrnet.evaluate` takes them.
    Raises InputError for a run or data that cannot be used; an earlier page is kept then.
    """
    folder = Path(run)
    path = folder / REPORT if out is None else Path(out)
    if is_cross_validation(folder):
        return _report_folds(folder, path, asked=data is not None or images is not None)
    content = read_run(folder)
    source = _source(content.experiment.data, data, images)
    _expect_page(path)
    # The evaluated model, or the reason why there is none.
    found: Evaluated | str = _no_figures(content, source, figures)
    if source is not None and not found:
        with packages_for("measuring"):
            found = evaluate_run(
                folder,
                source,
                flip_test=flip_test,
                device=device,
                threads=threads,
                batch_size=batch_size,
                progress=progress,
            )
    write_text(path, make_page(content, found, drawings=_drawings(content)))
    return Report(path, found if isinstance(found, str) else None)


def _no_figures(run: RunFolder, source: DataSource | None, wanted: bool) -> str:
    """Return the reason why nothing can be evaluated, "" where it can."""
    if not wanted:
        return "they were not asked for"
    if source is None:
        return "the run has no validation data; name some by --data FILE --images DIR"
    if not run.epochs and not any(is_file(run.path / name) for name in (BEST, LAST)):
        return "the first epoch is not done yet, so there is no model"
    return ""


def _expect_page(path: Path) -> None:
    """Raise InputError for a file that cannot be the page.

    It is written over a page alone, never over a file of the run, its data or its pictures.
    """
    check_writable_file(path)
    if path.suffix.lower() not in (".html", ".htm"):
        raise InputError(f"expected an .html file to write, got {path}; end its name in .html")


def _report_folds(folder: Path, path: Path, *, asked: bool) -> Report:
    """Write the page about a cross-validation. asked: data to evaluate on were named."""
    if asked:
        raise InputError(
            f"expected the folder of one run for --data and --images, but {folder} is a "
            "cross-validation; name one of its folds, or leave them out"
        )
    _expect_page(path)
    linked = REPORT if resolve(path.parent) == resolve(folder) else None
    write_text(path, make_folds_page(folder, linked))
    return Report(path, None)


def _source(
    config: DataConfig, data: str | PathLike[str] | None, images: str | PathLike[str] | None
) -> DataSource | None:
    """Return the data to evaluate on; None for a run without validation data."""
    if data is None and images is None:
        return config.validation()
    training = config.training()
    # Runs on data with a folder of pictures are evaluated on such data too.
    if data is None or (images is None and training.images is not None):
        raise InputError("expected both --data FILE and --images DIR or neither, got one of them")
    return replace(training, path=Path(data), images=Path(images) if images else None)


def _drawings(run: RunFolder) -> list[Drawing]:
    """Read the first pictures of the run, small; one that cannot be read is left out."""
    drawings = []
    for file in run.pictures[:MAX_DRAWINGS]:
        try:
            image = Image.fromarray(read_image(file))
        except InputError:  # no picture, or half written
            continue
        image.thumbnail((_SIDE_PX, _SIDE_PX))
        drawings.append((file.name, jpeg_uri(np.asarray(image))))
    return drawings
