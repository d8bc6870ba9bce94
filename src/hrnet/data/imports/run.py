"""Read a source in any of the formats and write it as a COCO keypoint file."""

import json
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from hrnet.data.coco import DEFAULT_MARGIN, clamp_box, extent_box, parse_keypoints
from hrnet.data.findings import first_of
from hrnet.data.imports import FORMATS
from hrnet.data.imports.common import (
    Box,
    Imported,
    ImportedPicture,
    ImportedSubject,
    ImportOptions,
    Source,
)
from hrnet.data.imports.pictures import picture_size
from hrnet.errors import InputError, one_line
from hrnet.files import check_new_file, check_writable_file, exists, is_folder, resolve, write_text
from hrnet.geometry import Size


@dataclass(frozen=True, slots=True)
class ImportReport:
    """The written file. images: the folder that the file names are relative to."""

    format: str
    out: Path
    images: Path
    names: tuple[str, ...]
    num_images: int
    num_subjects: int
    notes: tuple[str, ...]


def import_annotations(
    path: Path,
    out: Path,
    options: ImportOptions,
    *,
    format_name: str | None = None,
    margin: float = DEFAULT_MARGIN,
    force: bool = False,
) -> ImportReport:
    """Write the annotations of a source, a file or folder, as a COCO keypoint file or not at all.

    margin: where the source has no box, the extent of the labelled keypoints grows on each side by
    this part of its longer side. format_name: None detects the format.
    Raises InputError for a source that cannot be used and for a file that exists, unless `force`.
    """
    # Check the options before anything is read.
    if not exists(path):
        raise InputError(f"expected a file or folder, but {path} does not exist; check the path")
    if not 0 <= margin <= 1:
        raise InputError(f"expected --margin from 0 to 1, got {margin}")
    if options.likelihood is not None and not 0 <= options.likelihood <= 1:
        raise InputError(f"expected --likelihood from 0 to 1, got {options.likelihood}")
    check_new_file(out, [path, *([options.heads] if options.heads else [])], force=force)
    # Read the source.
    name = _format(path, format_name)
    _expect_options(name, options)
    source = Source(path, replace(options, replace=force))
    imported = _read(name, source)
    _expect_no_input(out, source, imported)
    # Write its content in the form of COCO.
    entries, root = _entries(source, imported, margin), _root(source, imported)
    notes = (*source.notes, *source.left_out(), *_counts(imported, entries, margin))
    content = {
        "info": {"description": f"imported from {path.name} ({name})", "notes": list(notes)},
        "licenses": [],
        "categories": [_category(imported)],
        "images": list(_images(entries, root)),
        "annotations": list(_annotations(entries)),
    }
    parse_keypoints(path, root, content)  # what is written can be trained on, or nothing is
    write_text(out, json.dumps(content, indent=1))
    subjects = sum(len(entry.subjects) for entry in entries)
    return ImportReport(name, out, root, imported.names, len(entries), subjects, notes)


def _expect_options(name: str, options: ImportOptions) -> None:
    """Raise InputError for an option that the format would pass over."""
    for option in ("names", "category", "part", "heads", "likelihood"):
        takers = [one for one, form in FORMATS.items() if option in form.options]
        if getattr(options, option) is not None and name not in takers:
            formats = f"format{'s' if len(takers) > 1 else ''} {', '.join(takers)}"
            raise InputError(
                f"expected --{option} with the {formats} alone, got {name}; leave it out"
            )


def _read(name: str, source: Source) -> Imported:
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
    return imported


def _expect_no_input(out: Path, source: Source, imported: Imported) -> None:
    """Raise InputError where the output would replace a file that the source names or holds."""
    if not exists(out):
        return
    check_writable_file(out, [*imported.inputs, *(picture.path for picture in imported.pictures)])
    folders = (source.path, source.options.images)
    holders = [resolve(one) for one in folders if one is not None and is_folder(one)]
    place = resolve(out)
    if place.suffix != ".json" and any(place.is_relative_to(one) for one in holders):
        raise InputError(f"{out} is a file of the source and would be lost; name another --out")


def _root(source: Source, imported: Imported) -> Path:
    """Return the deepest folder that holds all pictures."""
    try:
        return Path(os.path.commonpath([resolve(one.path).parent for one in imported.pictures]))
    except ValueError:  # on Windows, pictures on two drives
        raise InputError(
            f"{source}: expected pictures below one folder; give it with --images"
        ) from None


def _format(path: Path, wanted: str | None) -> str:
    if wanted is not None:
        if wanted not in FORMATS:
            raise InputError(f"expected --format as one of {', '.join(FORMATS)}, got {wanted!r}")
        return wanted
    fitting = [name for name, form in FORMATS.items() if form.fits(path)]
    if len(fitting) != 1:
        looks = " or ".join(fitting) or "none of the formats"
        raise InputError(f"{path} looks like {looks}; give --format as one of {', '.join(FORMATS)}")
    return fitting[0]


@dataclass(frozen=True, slots=True, eq=False)
class _Entry:
    """One picture that is written, and its subjects with their boxes."""

    picture: ImportedPicture
    size: Size
    subjects: tuple[tuple[ImportedSubject, Box], ...]


def _entries(source: Source, imported: Imported, margin: float) -> list[_Entry]:
    """Keep the pictures that can be read and the subjects that have a box."""
    # The header gives a picture's size, by which boxes are clipped.
    entries = []
    for picture in imported.pictures:
        size = picture_size(picture.path, source)
        if size is None:
            continue
        _expect_size(source, picture, size)
        subjects = [(one, _box(one, size, margin)) for one in picture.subjects]
        kept = tuple((one, box) for one, box in subjects if box is not None)
        if len(kept) < len(subjects):
            source.leave_out(
                "subjects without a usable box or a keypoint within their picture",
                picture.path.name,
                len(subjects) - len(kept),
            )
        entries.append(_Entry(picture, size, kept))
    # Without a labelled keypoint the file could not be trained on.
    labelled = any((s.triples[:, 2] > 0).any() for entry in entries for s, _ in entry.subjects)
    if not labelled:
        raise source.nothing_left(
            f"{source}: no subject with a labelled keypoint, so nothing can be done"
        )
    return entries


def _expect_size(source: Source, picture: ImportedPicture, size: Size) -> None:
    """Raise InputError where the source gives another size of the upright picture."""
    if picture.size is not None and picture.size != size:
        raise InputError(
            f"{source}: expected {picture.path} of {picture.size[1]}x{picture.size[0]} pixels, it "
            f"has {size[1]}x{size[0]}; give the pictures that were annotated with --images"
        )


def _box(subject: ImportedSubject, size: Size, margin: float) -> Box | None:
    """Return a subject's box if it can be cropped, else the extent of its keypoints, else None."""
    for box in (subject.box_xywh, extent_box(subject.triples, size, margin).tolist()):
        if box is not None and clamp_box(np.array(box), size) is not None:
            return box
    return None


def _category(imported: Imported) -> dict[str, object]:
    names = imported.names
    category: dict[str, object] = {
        "id": 1,
        "name": imported.category,
        "keypoints": list(names),
        "skeleton": [[a + 1, b + 1] for a, b in imported.edges],
    }
    if imported.flip_pairs is not None:
        category["flip_pairs"] = [[names[a], names[b]] for a, b in imported.flip_pairs]
    if imported.sigmas is not None:
        category["sigmas"] = list(imported.sigmas)
    return category


def _images(entries: Sequence[_Entry], root: Path) -> Iterator[dict[str, object]]:
    for number, entry in enumerate(entries, 1):
        yield {
            "id": number,
            "file_name": resolve(entry.picture.path).relative_to(root).as_posix(),
            "height": entry.size[0],
            "width": entry.size[1],
            **entry.picture.extra,
        }


def _annotations(entries: Sequence[_Entry]) -> Iterator[dict[str, object]]:
    """Annotations in the pictures' order. They have no area: an evaluation estimates it."""
    number = 0
    for image_id, entry in enumerate(entries, 1):
        for subject, box in entry.subjects:
            number += 1
            labelled = subject.triples[:, 2:] > 0
            triples = np.where(labelled, subject.triples, 0.0)
            yield {
                "id": number,
                "image_id": image_id,
                "category_id": 1,
                "keypoints": [round(value, 3) for value in triples.ravel().tolist()],
                "num_keypoints": int(labelled.sum()),
                "bbox": [round(value, 3) for value in box],
                "iscrowd": 0,
                **subject.extra,
            }


def _counts(imported: Imported, entries: Sequence[_Entry], margin: float) -> Iterator[str]:
    """Sentences on boxes that were made, and on pictures, subjects and keypoints without labels."""
    # Boxes that the source lacks, or has outside of the picture.
    subjects = [pair for entry in entries for pair in entry.subjects]
    made = [subject for subject, box in subjects if subject.box_xywh != box]
    without = sum(subject.box_xywh is None for subject in made)
    theirs = (
        "theirs is the extent of their labelled keypoints, grown on each side by "
        f"{margin:g} of its longer side"
    )
    if without:
        yield f"{without} of {len(subjects)} subjects have no box in the source: {theirs}"
    if len(made) > without:
        yield (
            f"{len(made) - without} of {len(subjects)} subjects have a box in the source without "
            f"an area within the picture: {theirs}"
        )
    # Pictures, subjects and keypoints without a label.
    empty = [entry.picture.path.name for entry in entries if not entry.subjects]
    if empty:
        yield f"{len(empty)} of {len(entries)} pictures have no subject ({first_of(empty)})"
    labels = np.array([subject.triples[:, 2] > 0 for subject, _ in subjects])
    bare = int((~labels.any(axis=1)).sum())
    if bare:
        yield f"{bare} of {len(subjects)} subjects have no labelled keypoint"
    never = [imported.names[k] for k in np.flatnonzero(~labels.any(axis=0))]
    if never:
        yield f"{len(never)} keypoints are never labelled ({first_of(never)})"
