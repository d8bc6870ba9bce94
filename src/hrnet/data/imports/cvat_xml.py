"""The XML of CVAT as a tree: parsed within bounds, its labels and the bones of their drawings."""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from xml.etree import ElementTree

from hrnet.errors import InputError
from hrnet.files import read_text

Element = ElementTree.Element

_LONGEST_FILE = 1 << 29
_LONGEST_TAG = re.compile(r"<[^<>]{4000000}")
_MOST_TAGS = 6_000_000


def parse(file: Path) -> Element:
    """Return the root of CVAT's XML; its declared encoding is ignored, since CVAT writes UTF-8.

    Raises InputError for other files, entities, tracks of a video, and files that are too large.
    """
    # Entities can grow without end, and the parser keeps every tag in memory.
    text = read_text(file, "annotations", _LONGEST_FILE)
    if "<!ENTITY" in text or "<!DOCTYPE" in text:
        raise InputError(f"{file}: expected CVAT's XML without entities, which may be hostile")
    if _LONGEST_TAG.search(text) or text.count("<") > _MOST_TAGS:
        raise InputError(
            f"{file}: expected CVAT's XML of at most {_MOST_TAGS:,} tags, none of them millions of "
            "letters long; export it in parts"
        )
    try:
        root = ElementTree.fromstring(text)  # a text, so its declared encoding is not looked up
    except ElementTree.ParseError as error:
        raise InputError(f"expected XML in {file}, got something else ({error})") from None
    if root.tag != "annotations":
        raise InputError(f"{file}: expected CVAT's <annotations>, got <{root.tag:.60}>")
    if root.find("track") is not None:
        raise InputError(
            f"{file}: expected pictures, got tracks of a video; export as `CVAT for images 1.1`"
        )
    return root


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
