"""Pascal VOC: an XML file of boxes for each picture, and lists of the parts.

    Annotations/2007_000027.xml    JPEGImages/2007_000027.jpg    ImageSets/Main/train.txt

Source of the layout: the development kit of the challenge, host.robots.ox.ac.uk/pascal/VOC. Its
pixels count from 1 and both edges of a box lie within it, so xmin..xmax are the pixels between the
edges xmin - 1 and xmax. Labelling tools write the edges themselves, from 0. A 0 shows them, since
nothing of the kit has one: then all numbers of the source are taken as edges.
"""

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from hrnet.data.class_folders import TRAIN_NAMES, VAL_NAMES
from hrnet.data.findings import first_of
from hrnet.data.imports.common import ImportedBox, ImportedBoxes, ImportedPicture, Source
from hrnet.data.imports.pictures import FolderSearch, PictureFinder
from hrnet.data.imports.xml_file import Element, parse_xml
from hrnet.errors import InputError
from hrnet.files import is_file, is_folder, read_text, resolve
from hrnet.geometry import Size
from hrnet.images import SUFFIXES
from hrnet.numbers import text_to_float, to_int

OPTIONS = frozenset({"category", "part"})

_FOLDERS, _PICTURES = ("Annotations", "annotations"), ("JPEGImages", "images")
_LISTS = "ImageSets/Main"
_PARTS = ("train", "val", "test", "trainval")
_SIDES = ("xmin", "ymin", "xmax", "ymax")
_READ = frozenset({"name", "bndbox", "difficult", "truncated", "occluded"})
_CVAT = "annotations.xml"


@dataclass(frozen=True, slots=True, eq=False)
class _Lists:
    """The lists of parts that were read: part of each picture's name, and the files."""

    part_of: Mapping[str, str]
    files: Sequence[Path]


def fits(source: Path) -> bool:
    """Return True for a folder with XML files in Annotations/, in train/ or directly in it."""
    return is_folder(source) and any(
        file.name != _CVAT
        for folder in (*(source / name for name in _FOLDERS), source, source / "train")
        for file in folder.glob("*.xml")
    )


def read(source: Source) -> ImportedBoxes:
    """Read a folder of Pascal VOC; without Annotations/ the XML files may lie by the pictures."""
    # The XML files, and the part of each.
    root = source.path
    if not is_folder(root):
        raise InputError(f"expected the folder of a Pascal VOC data set, got {root}; name a folder")
    folder, beside = _one_of(root, _FOLDERS), _one_of(root, _PICTURES)
    lists = _lists(source, root / _LISTS)
    files = _files(source, folder, lists)
    # The pictures that they name, with their boxes.
    finder = PictureFinder(source.options.images or beside)
    pictures = list(_pictures(source, finder, folder, files))
    finder.expect_all(source)
    if not any(picture.boxes for picture in pictures):
        raise source.nothing_left(f"{source}: expected XML files with objects, found none")
    if source.options.part is None:
        _count_unlabelled(source, finder.folder, pictures)
    pictures = _with_edges(source, pictures)
    names = sorted({box.class_name for picture in pictures for box in picture.boxes})
    return ImportedBoxes(tuple(names), tuple(pictures), (*files, *lists.files))


def _one_of(root: Path, names: Sequence[str]) -> Path:
    """Return the first of these folders that there is, else the root."""
    return next((root / name for name in names if is_folder(root / name)), root)


def _lists(source: Source, folder: Path) -> _Lists:
    """Read the wanted list of a part, or those of all parts; a picture is in the first."""
    wanted = source.options.part
    names = _PARTS if wanted is None else (wanted,)
    files = [folder / f"{name}.txt" for name in names if "/" not in name and "\\" not in name]
    files = [file for file in files if is_file(file)]
    part_of: dict[str, str] = {}
    for file in files:
        for line in read_text(file, "a list of pictures").splitlines():
            # Lists of one class have a second column, which is no matter here.
            if words := line.split():
                part_of.setdefault(words[0], file.stem)
    return _Lists(part_of, files)


def _files(source: Source, folder: Path, lists: _Lists) -> dict[Path, str]:
    """Find the XML files of the wanted part, each with its part, "" where it is of none."""
    found = sorted(
        Path(base, name)
        for base, _, names in os.walk(folder)
        for name in names
        if name.lower().endswith(".xml") and not name.startswith(".") and name != _CVAT
    )
    parts = {file: _part(file.relative_to(folder), lists) for file in found}
    wanted = source.options.part
    files = {file: part for file, part in parts.items() if wanted in (None, part)}
    if not files:
        of_part = f" of part {wanted:.60}" if wanted is not None else ""
        raise InputError(f"{source}: expected XML files{of_part} in {folder}, found none")
    # Pictures that a list names need a file.
    stems = {file.relative_to(folder).with_suffix("").as_posix() for file in found}
    stems |= {file.stem for file in found}
    for name in lists.part_of:
        if name not in stems:
            source.leave_out("listed pictures without an XML file", name)
    return files


def _part(file: Path, lists: _Lists) -> str:
    """Return the part of an XML file by the lists, else by its folder."""
    for name in (file.with_suffix("").as_posix(), file.stem):
        if name in lists.part_of:
            return lists.part_of[name]
    first = file.parts[0]
    return first if len(file.parts) > 1 and first in (*TRAIN_NAMES, *VAL_NAMES) else ""


def _pictures(
    source: Source, finder: PictureFinder, folder: Path, files: Mapping[Path, str]
) -> Iterator[ImportedPicture]:
    """Yield the pictures of the XML files; files that cannot be read are counted."""
    for file, part in files.items():
        try:
            root = parse_xml(file, "Pascal VOC", "annotation")
        except InputError as error:
            source.wrong("XML files that cannot be read", str(error))
            continue
        # A picture has the name of its XML file, or that which is written there.
        below = file.relative_to(folder).parent
        given = root.findtext("filename", "").strip()
        suffixes = dict.fromkeys([Path(given).suffix or ".jpg", *sorted(SUFFIXES)])
        names = [*(f"{file.stem}{suffix}" for suffix in suffixes), *([given] if given else [])]
        path = finder.find(*dict.fromkeys([*((below / name).as_posix() for name in names), *names]))
        if path is not None:
            found = (_box(source, file, one) for one in root.findall("object"))
            boxes = tuple(box for box in found if box is not None)
            extra = {"part": part} if part else {}
            yield ImportedPicture(path, size=_size(root), extra=extra, boxes=boxes)


def _size(root: Element) -> Size | None:
    """Return (height, width) of the picture, None where the file has none."""
    height, width = (to_int(root.findtext(f"size/{side}", "")) for side in ("height", "width"))
    return (height, width) if height and width else None


def _box(source: Source, file: Path, element: Element) -> ImportedBox | None:
    """Read an object with its four sides as they are written; None for one that has no box."""
    name = element.findtext("name", "").strip()
    sides = [text_to_float(element.findtext(f"bndbox/{side}", "").strip()) for side in _SIDES]
    numbers = [side for side in sides if side is not None]
    if not name or len(numbers) < len(_SIDES):
        line = f"expected a name, and {', '.join(_SIDES)} in a bndbox"
        source.wrong("objects", f"{file}, {name[:60] or 'an object without a name'}: {line}")
        return None
    # Of other entries two are kept, and the rest is counted.
    for other in element:
        if other.tag not in _READ:
            source.leave_out("further entries of objects", f"{other.tag:.30}")
    extra = {key: 1 for key in ("truncated", "occluded") if _flag(element, key)}
    return ImportedBox(name, numbers, ignore=_flag(element, "difficult"), extra=extra)


def _flag(element: Element, key: str) -> bool:
    return to_int(element.findtext(key, "0").strip()) == 1


def _with_edges(source: Source, pictures: Sequence[ImportedPicture]) -> list[ImportedPicture]:
    """Return the pictures with boxes as left, top, width and height between edges."""
    boxes = [box.box_xywh for picture in pictures for box in picture.boxes]
    from_zero = sum(min(sides[:2]) < 1 for sides in boxes)
    if from_zero:
        source.notes.append(
            f"{from_zero} of {len(boxes)} boxes begin before pixel 1, so all numbers were read as "
            "edges from 0, as labelling tools write them"
        )
    else:
        source.notes.append(
            "pixels were read as counted from 1 with both edges inside, as Pascal VOC defines them"
        )
    first = 0 if from_zero else 1
    changed = []
    for picture in pictures:
        own = []
        for box in picture.boxes:
            left, top, right, bottom = box.box_xywh
            left, top = left - first, top - first
            own.append(replace(box, box_xywh=(left, top, right - left, bottom - top)))
        changed.append(replace(picture, boxes=tuple(own)))
    return changed


def _count_unlabelled(source: Source, folder: Path, pictures: Sequence[ImportedPicture]) -> None:
    """Note the pictures in the folder that have no XML file."""
    taken = {resolve(picture.path) for picture in pictures}
    others = [path for path in FolderSearch().pictures_below(folder) if resolve(path) not in taken]
    if others:
        source.leave_out(
            "pictures without an XML file", first_of([one.name for one in others]), len(others)
        )
