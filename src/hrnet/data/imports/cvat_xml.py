"""The XML of CVAT: its root, its pictures, its labels and the bones of their drawings."""

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

from hrnet.data.imports.common import ImportedPicture, Source
from hrnet.data.imports.pictures import PictureFinder
from hrnet.data.imports.xml_file import Element, parse_xml
from hrnet.errors import InputError
from hrnet.files import is_folder
from hrnet.numbers import to_int


def parse(file: Path) -> Element:
    """Return the root of CVAT's XML; raises InputError for other files, see `parse_xml`."""
    return parse_xml(file, "CVAT", "annotations")


def picture_folder(source: Source, file: Path) -> Path:
    """Return the folder of the pictures: as given, images/ beside the XML file, or its own."""
    beside = file.parent / "images"
    return source.options.images or (beside if is_folder(beside) else file.parent)


def find_pictures(source: Source, file: Path, images: Sequence[Element]) -> list[ImportedPicture]:
    """Find the picture of each <image> element, as yet without labels.

    Raises InputError for pictures that are missing, named twice or without a size.
    """
    finder = PictureFinder(picture_folder(source, file))
    pictures: list[ImportedPicture] = []
    seen: set[tuple[str | None, str]] = set()
    for image in images:
        name, subset = image.get("name", ""), image.get("subset")
        if (subset, name) in seen:
            raise InputError(
                f"{file}: expected each picture once, but two <image> elements are {name:.80}, "
                "perhaps of two tasks; export each task alone"
            )
        seen.add((subset, name))
        path = finder.find(*([f"{subset}/{name}"] if subset else []), name)
        if path is None:
            continue
        height, width = to_int(image.get("height")), to_int(image.get("width"))
        if height is None or width is None:
            raise InputError(f"{file}: expected height and width of {name:.80}")
        extra = {"part": subset} if subset else {}
        pictures.append(ImportedPicture(path, size=(height, width), extra=extra))
    finder.expect_all(source)
    return pictures


def count_shapes(source: Source, holders: Sequence[Element], read: frozenset[str]) -> None:
    """Count the shapes of <image> or <track> elements that are not read, and all attributes."""
    for tag, count in Counter(shape.tag for holder in holders for shape in holder).items():
        if tag not in read:
            source.leave_out("other shapes", f"{count} <{tag:.30}>", count)
    source.leave_out("attributes", count=sum(1 for one in holders for _ in one.iter("attribute")))


def label_of(element: Element) -> str:
    """Return the label of a shape, "" where it has none."""
    return element.get("label", "")


def _labels(root: Element) -> list[Element]:
    """The <label> elements of the task, project or job."""
    return [label for labels in root.iter("labels") for label in labels.findall("label")]


def label_names(root: Element, parent: str | None = None) -> list[str]:
    """Return the names of all labels, or of the parts of one, in the order of their definition."""
    return [
        label.findtext("name", "")
        for label in _labels(root)
        if parent is None or label.findtext("parent") == parent
    ]


def bones(root: Element, category: str, names: Sequence[str]) -> tuple[tuple[int, int], ...]:
    """Return the bones of the drawing (SVG) of a label: lines between numbered circles."""
    for label in _labels(root):
        if label.findtext("name") != category:
            continue
        # Circles are keypoints, by the number of their node; lines join two nodes.
        drawn = list(_drawn(label.find("svg")))
        nodes = {}
        for tag, attributes in drawn:
            name = attributes.get("data-label-name", "")
            if tag == "circle" and name in names:
                nodes[attributes.get("data-node-id", "")] = list(names).index(name)
        ends = (
            (nodes.get(line.get("data-node-from", "")), nodes.get(line.get("data-node-to", "")))
            for tag, line in drawn
            if tag == "line"
        )
        return tuple((a, b) for a, b in ends if a is not None and b is not None)
    return ()


def _drawn(svg: Element | None) -> Iterator[tuple[str, dict[str, str]]]:
    """The tags of a drawing and their attributes; it may be escaped text or elements."""
    if svg is None:
        return
    for element in svg.iter():
        yield element.tag, element.attrib
        for tag, inner in re.findall(r"<(circle|line)\b([^<>]*)>", element.text or ""):
            yield tag, dict(re.findall(r'(data-[\w-]{1,20})="([^"]*)"', inner))
