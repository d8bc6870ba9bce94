"""Read a source in any of the formats and write it as a COCO keypoint file."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from hrnet.data.coco import DEFAULT_MARGIN, extent_box, parse_keypoints
from hrnet.data.imports import FORMATS
from hrnet.data.imports.common import Imported, ImportOptions, Picture, common_folder
from hrnet.errors import InputError
from hrnet.files import atomic_path, check_writable_file
from hrnet.geometry import Size
from hrnet.images import read_header


@dataclass(frozen=True, slots=True)
class ImportReport:
    """What was written. images: the folder that the file names are relative to."""

    format: str
    out: Path
    images: Path
    names: tuple[str, ...]
    num_images: int
    num_subjects: int
    notes: tuple[str, ...]


def import_annotations(
    source: Path,
    out: Path,
    options: ImportOptions,
    *,
    format_name: str | None = None,
    margin: float = DEFAULT_MARGIN,
    force: bool = False,
) -> ImportReport:
    """Write a source's annotations as a COCO keypoint file, whole or not at all.

    margin: where the source has no box, the extent of the labelled keypoints grows on each side by
    this part of its longer side. format_name: None looks what the source fits.
    Raises InputError for a source that cannot be used and for a file that exists, unless `force`.
    """
    if not source.exists():
        raise InputError(f"expected a file or folder, but {source} does not exist; check the path")
    if not 0 <= margin <= 1:
        raise InputError(f"expected --margin from 0 to 1, got {margin}")
    check_writable_file(out, [source])
    if out.exists() and not force:
        raise InputError(f"{out} exists and is not replaced; name another --out or add --force")
    name = _format(source, format_name)
    if options.heads is not None and name != "mpii":
        raise InputError(f"expected --heads with the format mpii alone, got {name}; leave it out")
    imported = FORMATS[name].read(source, options)
    if not imported.pictures:
        raise InputError(f"{source}: expected labelled pictures, found none")
    root = common_folder(picture.path for picture in imported.pictures)
    sizes = [_size(source, picture) for picture in imported.pictures]
    notes = (*imported.notes, *_box_note(imported, margin))
    content = {
        "info": {
            "description": f"imported from {source.name} ({name})",
            "notes": list(notes),
        },
        "licenses": [],
        "categories": [_category(imported)],
        "images": list(_images(imported.pictures, sizes, root)),
        "annotations": list(_annotations(imported.pictures, sizes, margin)),
    }
    parse_keypoints(source, root, content)  # what is written can be trained on, or nothing is
    with atomic_path(out) as temporary:
        temporary.write_text(json.dumps(content, indent=1), encoding="utf-8")
    subjects = sum(len(picture.subjects) for picture in imported.pictures)
    return ImportReport(name, out, root, imported.names, len(sizes), subjects, notes)


def _format(source: Path, wanted: str | None) -> str:
    if wanted is not None:
        if wanted not in FORMATS:
            raise InputError(f"expected --format as one of {', '.join(FORMATS)}, got {wanted!r}")
        return wanted
    fitting = [name for name, form in FORMATS.items() if form.fits(source)]
    if len(fitting) != 1:
        looks = " or ".join(fitting) or "none of the formats"
        raise InputError(
            f"{source} looks like {looks}; give --format as one of {', '.join(FORMATS)}"
        )
    return fitting[0]


def _size(source: Path, picture: Picture) -> Size:
    """The size of the upright picture; InputError where the source says another one."""
    size = read_header(picture.path).size
    if picture.size is not None and picture.size != size:
        raise InputError(
            f"{source}: expected {picture.path} of {picture.size[1]}x{picture.size[0]} pixels, it "
            f"has {size[1]}x{size[0]}; give the pictures that were annotated with --images"
        )
    return size


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


def _images(
    pictures: Sequence[Picture], sizes: Sequence[Size], root: Path
) -> Iterator[dict[str, object]]:
    for number, (picture, size) in enumerate(zip(pictures, sizes, strict=True), 1):
        yield {
            "id": number,
            "file_name": picture.path.resolve().relative_to(root).as_posix(),
            "height": size[0],
            "width": size[1],
            **picture.extra,
        }


def _annotations(
    pictures: Sequence[Picture], sizes: Sequence[Size], margin: float
) -> Iterator[dict[str, object]]:
    """Annotations in the pictures' order. They have no area: an evaluation says so itself."""
    number = 0
    for image_id, (picture, size) in enumerate(zip(pictures, sizes, strict=True), 1):
        for subject in picture.subjects:
            number += 1
            labelled = subject.triples[:, 2:] > 0
            triples = np.where(labelled, subject.triples, 0.0)
            box = subject.box_xywh or extent_box(subject.triples, size, margin).tolist()
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


def _box_note(imported: Imported, margin: float) -> tuple[str, ...]:
    subjects = [subject for picture in imported.pictures for subject in picture.subjects]
    without = sum(subject.box_xywh is None for subject in subjects)
    if not without:
        return ()
    return (
        f"{without} of {len(subjects)} subjects have no box in the source: theirs is the extent of "
        f"their labelled keypoints, grown on each side by {margin:g} of its longer side",
    )
