"""CVAT's own XML, "CVAT for images 1.1": skeletons, or points with a label.

Source of the layout: docs.cvat.ai, "XML annotation format". Keypoints that are `outside` are not
labelled, those that are `occluded` are hidden. `<points>` of several points are one subject; such
of one point are one keypoint each, joined by their group, or all of a picture where nothing is
grouped. A `<box>` of the same group is the subject's box.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

import numpy as np

from hrnet.data.imports.common import (
    Imported,
    ImportOptions,
    Picture,
    PictureFinder,
    Subject,
    chosen_one,
    keypoint_names,
    read_text,
)
from hrnet.errors import InputError

Element = ElementTree.Element
Marks = Mapping[str, tuple[float, float, float]]
"""Keypoint name -> x, y, visibility."""

XML_NAME = "annotations.xml"


@dataclass(frozen=True, slots=True, eq=False)
class _Found:
    """A subject before the order of the keypoints is known."""

    marks: Marks
    box: tuple[float, float, float, float] | None


def fits(source: Path) -> bool:
    """Whether a source is an XML file, or a folder with annotations.xml."""
    return source.suffix == ".xml" or (source / XML_NAME).is_file()


def read(source: Path, options: ImportOptions) -> Imported:
    """Read the XML file of an export, or the folder that the export was unpacked into."""
    file = source / XML_NAME if source.is_dir() else source
    root = _parse(file)
    images = [i for i in root.findall("image") if options.part in (None, i.get("subset"))]
    if not images:
        raise InputError(f"{file}: expected <image> elements of the wanted part, found none")
    skeletons = sorted({_label(s) for image in images for s in image.findall("skeleton")})
    if skeletons:
        category = chosen_one(str(file), "label of skeletons", skeletons, options.category)
        names = _skeleton_names(root, images, category)
        found = [_of_skeletons(file, image, category) for image in images]
    elif any(len(_points(file, p)) > 1 for image in images for p in image.findall("points")):
        labels = sorted({_label(p) for image in images for p in image.findall("points")})
        category = chosen_one(str(file), "label of points", labels, options.category)
        names, found = _of_lists(file, images, category, options.names)
    else:
        category = options.category or "subject"
        names = _point_names(file, root, images, options.names)
        found = [_of_groups(file, image, names) for image in images]
    return Imported(
        names=names,
        category=category,
        pictures=_pictures(file, images, found, names, options),
        edges=_edges(root, category, names),
        notes=_notes(images, skeletons),
    )


def _parse(file: Path) -> Element:
    text = read_text(file)
    if "<!ENTITY" in text or "<!DOCTYPE" in text:
        raise InputError(f"{file}: expected CVAT's XML without entities, which may be hostile")
    try:
        root = ElementTree.fromstring(text.encode())
    except ElementTree.ParseError as error:
        raise InputError(f"expected XML in {file}, got something else ({error})") from None
    if root.tag != "annotations":
        raise InputError(f"{file}: expected CVAT's <annotations>, got <{root.tag}>")
    if root.find("track") is not None:
        raise InputError(
            f"{file}: expected pictures, got tracks of a video; export as `CVAT for images 1.1`"
        )
    return root


def _label(element: Element) -> str:
    return element.get("label", "")


def _points(file: Path, element: Element) -> list[tuple[float, float]]:
    text = element.get("points", "")
    try:
        pairs = [pair.split(",") for pair in text.split(";") if pair]
        return [(float(x), float(y)) for x, y in pairs]
    except ValueError:
        raise InputError(f"{file}: expected points as x,y;x,y, got {text!r:.60}") from None


def _visibility(element: Element) -> float:
    if element.get("outside") == "1":
        return 0.0
    return 1.0 if element.get("occluded") == "1" else 2.0


def _group(element: Element) -> str | None:
    group = element.get("group_id")
    return None if group in (None, "", "0") else group


def _box(file: Path, image: Element, group: str | None) -> tuple[float, float, float, float] | None:
    """The box of a group; None where there is none."""
    for box in image.findall("box") if group is not None else ():
        if _group(box) == group:
            try:
                left, top, right, bottom = (
                    float(box.attrib[k]) for k in ("xtl", "ytl", "xbr", "ybr")
                )
            except (KeyError, ValueError):
                raise InputError(
                    f"{file}: expected numbers in the boxes, got {box.attrib}"
                ) from None
            return left, top, right - left, bottom - top
    return None


def _labels_of(root: Element) -> list[Element]:
    """The <label> elements of the task, project or job."""
    return [label for labels in root.iter("labels") for label in labels.findall("label")]


def _skeleton_names(root: Element, images: Sequence[Element], category: str) -> tuple[str, ...]:
    """Keypoints in the order of the label's definition, else in that of the first skeleton."""
    named = [
        label.findtext("name", "")
        for label in _labels_of(root)
        if label.findtext("parent") == category
    ]
    skeletons = [s for image in images for s in image.findall("skeleton") if _label(s) == category]
    used = dict.fromkeys(_label(p) for s in skeletons for p in s.findall("points"))
    return tuple(dict.fromkeys([*named, *used]))


def _of_skeletons(file: Path, image: Element, category: str) -> list[_Found]:
    found = []
    for skeleton in image.findall("skeleton"):
        if _label(skeleton) != category:
            continue
        marks = {}
        for element in skeleton.findall("points"):
            for x, y in _points(file, element)[:1]:
                marks[_label(element)] = (x, y, _visibility(element))
        found.append(_Found(marks, _box(file, image, _group(skeleton))))
    return found


def _of_lists(
    file: Path, images: Sequence[Element], category: str, given: tuple[str, ...] | None
) -> tuple[tuple[str, ...], list[list[_Found]]]:
    """Subjects whose keypoints are one list of points; their number must be the same."""
    lists = [[p for p in image.findall("points") if _label(p) == category] for image in images]
    counts = {
        len(_points(file, p)): image for image, of in zip(images, lists, strict=True) for p in of
    }
    if len(counts) != 1:
        told = ", ".join(f"{count} ({image.get('name')})" for count, image in counts.items())
        raise InputError(f"{file}: expected as many points in each {category}, got {told}")
    names = keypoint_names(given, next(iter(counts)), str(file))
    found = [
        [
            _Found(
                {
                    name: (x, y, _visibility(p))
                    for name, (x, y) in zip(names, _points(file, p), strict=True)
                },
                _box(file, image, _group(p)),
            )
            for p in of
        ]
        for image, of in zip(images, lists, strict=True)
    ]
    return names, found


def _point_names(
    file: Path, root: Element, images: Sequence[Element], given: tuple[str, ...] | None
) -> tuple[str, ...]:
    """The labels that single points have, in the order of their definition or as given."""
    used = dict.fromkeys(_label(p) for image in images for p in image.findall("points"))
    if not used:
        raise InputError(f"{file}: expected <skeleton> or <points>, found none in any picture")
    defined = [label.findtext("name", "") for label in _labels_of(root)]
    ordered = [name for name in defined if name in used]
    names = tuple(given or dict.fromkeys([*ordered, *used]))
    unknown = sorted(set(used) - set(names))
    if unknown:
        raise InputError(f"{file}: labels {unknown} are not in --names; add them there")
    return names


def _of_groups(file: Path, image: Element, names: Sequence[str]) -> list[_Found]:
    groups: dict[str | None, dict[str, tuple[float, float, float]]] = {}
    for element in image.findall("points"):
        marks = groups.setdefault(_group(element), {})
        if _label(element) in marks:
            raise InputError(
                f"{file}: {image.get('name')} has {_label(element)} twice in one subject; "
                "group the points of each subject in CVAT"
            )
        for x, y in _points(file, element):
            marks[_label(element)] = (x, y, _visibility(element))
    return [_Found(marks, _box(file, image, group)) for group, marks in groups.items()]


def _pictures(
    file: Path,
    images: Sequence[Element],
    found: Sequence[Sequence[_Found]],
    names: Sequence[str],
    options: ImportOptions,
) -> tuple[Picture, ...]:
    beside = file.parent / "images"
    finder = PictureFinder(options.images or (beside if beside.is_dir() else file.parent))
    pictures = []
    for image, subjects in zip(images, found, strict=True):
        name, subset = image.get("name", ""), image.get("subset")
        path = finder.find(*([f"{subset}/{name}"] if subset else []), name)
        if path is None:
            continue
        try:
            size = int(image.attrib["height"]), int(image.attrib["width"])
        except (KeyError, ValueError):
            raise InputError(f"{file}: expected height and width of {name}") from None
        marked = [s for s in subjects if any(v > 0 for _, _, v in s.marks.values())]
        pictures.append(
            Picture(
                path,
                tuple(Subject(_triples(s.marks, names), s.box) for s in marked),
                size,
                {"part": subset} if subset else {},
            )
        )
    finder.expect_all(file)
    return tuple(pictures)


def _triples(
    marks: Marks, names: Sequence[str]
) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    return np.array([marks.get(name, (0.0, 0.0, 0.0)) for name in names])


def _edges(root: Element, category: str, names: Sequence[str]) -> tuple[tuple[int, int], ...]:
    """Bones of the drawing (SVG) in the label's definition: lines between numbered circles."""
    for label in _labels_of(root):
        if label.findtext("name") != category:
            continue
        part = label.find("svg")
        svg = "" if part is None else ElementTree.tostring(part, encoding="unicode")
        svg = svg.replace("&lt;", "<").replace("&gt;", ">").replace("&quot;", '"')
        nodes = {}
        for circle in re.findall(r"<circle\b[^>]*>", svg):
            node, name = _attribute(circle, "node-id"), _attribute(circle, "label-name")
            if name in names:
                nodes[node] = list(names).index(name)
        ends = (
            (nodes.get(_attribute(line, "node-from")), nodes.get(_attribute(line, "node-to")))
            for line in re.findall(r"<line\b[^>]*>", svg)
        )
        return tuple((a, b) for a, b in ends if a is not None and b is not None)
    return ()


def _attribute(tag: str, name: str) -> str:
    found = re.search(rf'data-{name}="([^"]*)"', tag)
    return found.group(1) if found else ""


def _notes(images: Sequence[Element], skeletons: Sequence[str]) -> tuple[str, ...]:
    other = sum(len(i.findall("points")) for i in images) if skeletons else 0
    return (f"{other} <points> beside the skeletons were left out",) if other else ()
