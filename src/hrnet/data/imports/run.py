"""Read a source in any of the formats and write it as a COCO file of keypoints or of boxes."""

import json
import os
from dataclasses import dataclass, replace
from pathlib import Path

from hrnet.data.coco import parse_keypoints
from hrnet.data.coco_boxes import make_boxes
from hrnet.data.coco_file import parse_coco
from hrnet.data.findings import Findings
from hrnet.data.imports import FORMATS
from hrnet.data.imports.box_entries import box_entries
from hrnet.data.imports.common import Imported, ImportedBoxes, ImportOptions, Source
from hrnet.data.imports.entries import Kind
from hrnet.data.imports.keypoint_entries import keypoint_entries
from hrnet.errors import InputError, one_line
from hrnet.files import check_new_file, check_writable_file, exists, is_folder, resolve, write_text

_SHOWN = 40
"""Names in the line of a report."""


@dataclass(frozen=True, slots=True)
class ImportReport:
    """The written file.

    images: the folder that the file names are relative to. names: of the keypoints or the classes.
    num_labels: subjects or boxes. parts: of the data set that images name, such as train and val.
    """

    format: str
    kind: Kind
    out: Path
    images: Path
    names: tuple[str, ...]
    num_images: int
    num_labels: int
    parts: tuple[str, ...]
    notes: tuple[str, ...]

    @property
    def line(self) -> str:
        """Describe in a line what was read."""
        dots = ["..."] if len(self.names) > _SHOWN else []
        names = ", ".join([*(f"{name:.80}" for name in self.names[:_SHOWN]), *dots])
        if self.kind == "keypoints":
            what = f"{self.num_labels} subjects, {len(self.names)} keypoints: {names}"
        else:
            classes = f"{len(self.names)} class{'es' * (len(self.names) != 1)}"
            what = f"{self.num_labels} boxes of {classes}: {names}"
        return f"{self.format}: {self.num_images} images, {what}"


def import_annotations(
    path: Path,
    out: Path,
    options: ImportOptions,
    *,
    format_name: str | None = None,
    margin: float | None = None,
    force: bool = False,
) -> ImportReport:
    """Write the annotations of a source, a file or folder, as a COCO file or not at all.

    Keypoints are read where the source has any, else boxes.
    margin: where the source has no box, the extent of the labelled keypoints grows on each side by
    this part of its longer side. None: `DEFAULT_MARGIN`, but no boxes for a source that has none
    and one subject a picture, so that whole pictures are the subjects.
    format_name: None detects the format.
    Raises InputError for a source that cannot be used and for a file that exists, unless `force`.
    """
    # Check the options before anything is read.
    if not exists(path):
        raise InputError(f"expected a file or folder, but {path} does not exist; check the path")
    if margin is not None and not 0 <= margin <= 1:
        raise InputError(f"expected --margin from 0 to 1, got {margin}")
    if options.likelihood is not None and not 0 <= options.likelihood <= 1:
        raise InputError(f"expected --likelihood from 0 to 1, got {options.likelihood}")
    if format_name is None and options.skeleton is not None:
        format_name = "coco"
    check_new_file(out, [path, *([options.heads] if options.heads else [])], force=force)
    # Read the source.
    name = _format(path, format_name)
    _expect_options(name, options)
    source = Source(path, replace(options, replace=force))
    imported = _read(name, source)
    _expect_no_input(out, source, imported)
    # Write its content in the form of COCO.
    root = _root(source, imported)
    if isinstance(imported, Imported):
        entries = keypoint_entries(source, imported, margin)
    else:
        entries = box_entries(source, imported)
    notes = (*source.notes, *source.left_out(), *entries.notes)
    content = {
        "info": {"description": f"imported from {path.name} ({name})", "notes": list(notes)},
        "licenses": [],
        "categories": entries.categories,
        "images": list(entries.images(root)),
        "annotations": entries.annotations,
    }
    _expect_readable(path, root, content, entries.kind)
    write_text(out, json.dumps(content, indent=1))
    counts = len(entries.pictures), len(entries.annotations)
    parts = dict.fromkeys(str(p.extra["part"]) for p, _ in entries.pictures if "part" in p.extra)
    return ImportReport(name, entries.kind, out, root, entries.names, *counts, tuple(parts), notes)


def _expect_readable(path: Path, root: Path, content: object, kind: Kind) -> None:
    """Raise InputError for content that could not be trained on; path: for messages."""
    if kind == "keypoints":
        parse_keypoints(path, root, content)
        return
    findings = Findings(strict=True, path=path)
    make_boxes(parse_coco(path, content, findings), root, findings)


def _expect_options(name: str, options: ImportOptions) -> None:
    """Raise InputError for an option that the format would pass over."""
    for option in ("names", "category", "part", "heads", "skeleton", "likelihood"):
        takers = [one for one, form in FORMATS.items() if option in form.options]
        if getattr(options, option) is not None and name not in takers:
            formats = f"format{'s' if len(takers) > 1 else ''} {', '.join(takers)}"
            raise InputError(
                f"expected --{option} with the {formats} alone, got {name}; leave it out"
            )


def _read(name: str, source: Source) -> Imported | ImportedBoxes:
    """Read a source; any error that a reader did not expect becomes one line."""
    try:
        imported = FORMATS[name].read(source)
    except InputError:
        raise
    except Exception as error:  # the last word, after each reader's own messages
        detail = f"{type(error).__name__}: {one_line(error):.200}"
        raise InputError(f"{source} is not in the form of {name} ({detail})") from error
    if not imported.pictures:
        raise source.nothing_left(f"{source}: expected labelled pictures, found none")
    if isinstance(imported, ImportedBoxes):
        for option in ("names", "likelihood"):
            if getattr(source.options, option) is not None:
                raise InputError(
                    f"{source}: expected keypoints for --{option}, found boxes alone; leave it out"
                )
    return imported


def _expect_no_input(out: Path, source: Source, imported: Imported | ImportedBoxes) -> None:
    """Raise InputError where the output would replace a file that the source names or holds."""
    if not exists(out):
        return
    check_writable_file(out, [*imported.inputs, *(picture.path for picture in imported.pictures)])
    folders = (source.path, source.options.images)
    holders = [resolve(one) for one in folders if one is not None and is_folder(one)]
    place = resolve(out)
    if place.suffix != ".json" and any(place.is_relative_to(one) for one in holders):
        raise InputError(f"{out} is a file of the source and would be lost; name another --out")


def _root(source: Source, imported: Imported | ImportedBoxes) -> Path:
    """Return the folder of the pictures as given, where it holds all; else the deepest one."""
    given = source.options.images
    if given is not None:
        folder = resolve(given)
        if all(resolve(one.path).is_relative_to(folder) for one in imported.pictures):
            return folder
    try:
        return Path(os.path.commonpath([resolve(one.path).parent for one in imported.pictures]))
    except ValueError:  # on Windows, pictures on two drives
        raise InputError(
            f"{source}: expected pictures below one folder; give it with --images"
        ) from None


def find_formats(path: Path) -> list[str]:
    """Return the names of the formats that a path looks like."""
    return [name for name, form in FORMATS.items() if form.fits(path)]


def _format(path: Path, wanted: str | None) -> str:
    if wanted is not None:
        if wanted not in FORMATS:
            raise InputError(f"expected --format as one of {', '.join(FORMATS)}, got {wanted!r}")
        return wanted
    fitting = find_formats(path)
    if len(fitting) != 1:
        looks = " or ".join(fitting) or "none of the formats"
        raise InputError(f"{path} looks like {looks}; give --format as one of {', '.join(FORMATS)}")
    return fitting[0]
