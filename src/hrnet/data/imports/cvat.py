"""CVAT's own XML, "CVAT for images 1.1": skeletons, or points with a label.

Files without any of these are read by `cvat_boxes`.
Source of the layout: docs.cvat.ai, "XML annotation format". Keypoints that are `outside` are not
labelled, those that are `occluded` are hidden. `<points>` of several points are one subject; such
of one point are one keypoint each, joined by their group, or all of a picture where nothing is
grouped. A `<box>` of the same group is the subject's box.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from hrnet.data.imports.common import (
    Box,
    Imported,
    ImportedBoxes,
    ImportedPicture,
    ImportedSubject,
    Source,
    chosen_one,
    keypoint_names,
)
from hrnet.data.imports.cvat_boxes import read_image_boxes, read_track_boxes
from hrnet.data.imports.cvat_xml import (
    bones,
    count_shapes,
    find_pictures,
    label_names,
    label_of,
    parse,
)
from hrnet.data.imports.xml_file import Element
from hrnet.errors import InputError
from hrnet.files import is_file, is_folder
from hrnet.numbers import text_to_float

Marks = Mapping[str, tuple[float, float, float]]
"""Keypoint name -> x, y, visibility."""

OPTIONS = frozenset({"names", "category", "part"})
XML_NAME = "annotations.xml"
_READ = frozenset({"skeleton", "points", "box"})


@dataclass(frozen=True, slots=True, eq=False)
class _Found:
    """A subject before the order of the keypoints is known."""

    marks: Marks
    box: Box | None


@dataclass(frozen=True, slots=True, eq=False)
class _Reader:
    """Reads the shapes of one file, and counts those that it cannot take."""

    file: Path
    source: Source

    def place(self, image: Element, shape: Element) -> str:
        """A shape's place, for messages."""
        return f"{self.file}: {image.get('name', '')[:80]}: {label_of(shape)[:80]}"

    def points(self, image: Element, shape: Element) -> list[tuple[float, float]]:
        """The points of a shape; one that cannot be read is counted and has none."""
        text = shape.get("points", "")
        pairs = [tuple(map(text_to_float, pair.split(","))) for pair in text.split(";") if pair]
        points = [(p[0], p[1]) for p in pairs if len(p) == 2]
        good = [(x, y) for x, y in points if x is not None and y is not None]
        if good and len(good) == len(pairs):
            return good
        line = f"{self.place(image, shape)}: expected points as x,y;x,y, got {text!r:.60}"
        self.source.wrong("points", line)
        return []

    def box(self, image: Element, group: str | None) -> Box | None:
        """The box of a group; None where there is none that can be used."""
        # The first box of the group counts.
        boxes = [one for one in image.findall("box") if group and _group(one) == group]
        self.source.leave_out("further boxes of a subject", count=max(0, len(boxes) - 1))
        if not boxes:
            return None
        corners = [text_to_float(boxes[0].get(key, "")) for key in ("xtl", "ytl", "xbr", "ybr")]
        left, top, right, bottom = corners
        if left is None or top is None or right is None or bottom is None:
            line = f"expected numbers in the boxes, got {boxes[0].attrib!s:.80}"
            self.source.wrong("boxes", f"{self.place(image, boxes[0])}: {line}")
            return None
        if text_to_float(boxes[0].get("rotation", "0")) != 0:
            self.source.leave_out("boxes that are turned", self.place(image, boxes[0]))
            return None
        return left, top, right - left, bottom - top

    def skeletons(self, image: Element, category: str) -> Iterator[_Found]:
        """The skeletons of a picture that have the label."""
        for skeleton in image.findall("skeleton"):
            if label_of(skeleton) != category:
                self.source.leave_out("skeletons of other labels", label_of(skeleton))
                continue
            marks: dict[str, tuple[float, float, float]] = {}
            for element in skeleton.findall("points"):
                points = self.points(image, element)
                if len(points) > 1 or label_of(element) in marks:
                    place = self.place(image, element)
                    self.source.wrong("points", f"{place}: expected one point in each skeleton")
                elif points:
                    marks[label_of(element)] = (*points[0], _visibility(element))
            yield _Found(marks, self.box(image, _group(skeleton)))

    def groups(self, image: Element) -> Iterator[_Found]:
        """The subjects of a picture whose keypoints are single points."""
        groups: dict[str | None, dict[str, tuple[float, float, float]]] = {}
        twice = set()
        for element in image.findall("points"):
            group = _group(element)
            marks = groups.setdefault(group, {})
            if label_of(element) in marks and group not in twice:
                twice.add(group)
                self.source.wrong(
                    "subjects",
                    f"{self.file}: {image.get('name')} has {label_of(element)} twice in one "
                    "subject; group the points of each subject in CVAT",
                )
            for x, y in self.points(image, element):
                marks[label_of(element)] = (x, y, _visibility(element))
        # A group that has a keypoint twice is no subject.
        for group, marks in groups.items():
            if group not in twice:
                yield _Found(marks, self.box(image, group))


def fits(source: Path) -> bool:
    """Return True for an XML file, or a folder with annotations.xml."""
    return source.suffix.lower() == ".xml" or is_file(source / XML_NAME)


def read(source: Source) -> Imported | ImportedBoxes:
    """Read the XML file of an export, or the folder that the export was unpacked into.

    Keypoints are read where a picture has any, else boxes.
    """
    options, path = source.options, source.path
    file = path / XML_NAME if is_folder(path) else path
    reader = _Reader(file, source)
    root = parse(file)
    # Boxes, of a video or where no picture has keypoints.
    if root.find("track") is not None:
        return read_track_boxes(source, file, root)
    images = [i for i in root.findall("image") if options.part in (None, i.get("subset"))]
    if not images:
        raise InputError(f"{file}: expected <image> elements of the wanted part, found none")
    if not any(image.find(tag) is not None for image in images for tag in ("skeleton", "points")):
        return read_image_boxes(source, file, root, images)
    # The subjects of each picture: skeletons, lists of points, or single points.
    skeletons = sorted({label_of(s) for image in images for s in image.findall("skeleton")})
    if skeletons:
        category = chosen_one(file, "label of skeletons", skeletons, options.category)
        names = _skeleton_names(reader, root, images, category)
        found = [list(reader.skeletons(image, category)) for image in images]
    elif any(";" in p.get("points", "") for image in images for p in image.findall("points")):
        labels = sorted({label_of(p) for image in images for p in image.findall("points")})
        category = chosen_one(file, "label of points", labels, options.category)
        names, found = _of_lists(reader, images, category)
    else:
        category = options.category or "subject"
        names = _point_names(reader, root, images)
        found = [list(reader.groups(image)) for image in images]
    if not any(found):
        raise source.nothing_left(f"{file}: expected labelled subjects, found none")
    # Their pictures, and all that is no keypoint.
    pictures = tuple(_pictures(reader, images, found, names))
    _count_others(source, images, bool(skeletons))
    return Imported(names, category, pictures, bones(root, category, names), inputs=(file,))


def _visibility(element: Element) -> float:
    if element.get("outside") == "1":
        return 0.0
    return 1.0 if element.get("occluded") == "1" else 2.0


def _group(element: Element) -> str | None:
    group = element.get("group_id")
    return None if group in (None, "", "0") else group


def _skeleton_names(
    reader: _Reader, root: Element, images: Sequence[Element], category: str
) -> tuple[str, ...]:
    """Keypoints as given or in the order of the label's definition, else of the first skeleton."""
    named, given = label_names(root, category), reader.source.options.names
    skeletons = [
        s for image in images for s in image.findall("skeleton") if label_of(s) == category
    ]
    used = dict.fromkeys(label_of(p) for s in skeletons for p in s.findall("points"))
    names = tuple(dict.fromkeys([*named, *used]))
    if given is not None and sorted(given) != sorted(names):
        raise InputError(
            f"{reader.file}: expected --names from {', '.join(names)}, got {', '.join(given)}"
        )
    return given or names


def _of_lists(
    reader: _Reader, images: Sequence[Element], category: str
) -> tuple[tuple[str, ...], list[list[_Found]]]:
    """Subjects whose keypoints are one list of points; most have the same number."""
    # The lists of points of the label.
    lists: list[tuple[int, Element, list[tuple[float, float]]]] = []
    for row, image in enumerate(images):
        for element in image.findall("points"):
            if label_of(element) != category:
                reader.source.leave_out("points of other labels", label_of(element))
            elif points := reader.points(image, element):
                lists.append((row, element, points))
    # The number of keypoints is that of nearly all lists.
    counts = Counter(len(points) for _, _, points in lists)
    if not counts:
        raise reader.source.nothing_left(f"{reader.file}: expected points, found none")
    (count, number_of), *others = counts.most_common()
    if others and others[0][1] * 2 > number_of:
        where = {len(points): images[row].get("name", "") for row, _, points in lists}
        found_counts = ", ".join(f"{length} ({name:.80})" for length, name in where.items())
        raise InputError(
            f"{reader.file}: expected as many points in each {category}, got {found_counts:.300}"
        )
    # The lists of that number are subjects.
    names = keypoint_names(reader.source.options.names, count, reader.file)
    found: list[list[_Found]] = [[] for _ in images]
    for row, element, points in lists:
        if len(points) != count:
            line = f"expected {count} points in each {category}, got {len(points)}"
            reader.source.wrong("subjects", f"{reader.place(images[row], element)}: {line}")
            continue
        states = ((x, y, _visibility(element)) for x, y in points)
        marks = dict(zip(names, states, strict=True))
        found[row].append(_Found(marks, reader.box(images[row], _group(element))))
    return names, found


def _point_names(reader: _Reader, root: Element, images: Sequence[Element]) -> tuple[str, ...]:
    """The labels that single points have, in the order of their definition or as given."""
    used = dict.fromkeys(label_of(p) for image in images for p in image.findall("points"))
    ordered = [name for name in label_names(root) if name in used]
    names = reader.source.options.names or tuple(dict.fromkeys([*ordered, *used]))
    unknown = sorted(set(used) - set(names))
    if unknown:
        raise InputError(f"{reader.file}: labels {unknown} are not in --names; add them there")
    return names


def _pictures(
    reader: _Reader,
    images: Sequence[Element],
    found: Sequence[Sequence[_Found]],
    names: Sequence[str],
) -> Iterator[ImportedPicture]:
    pictures = find_pictures(reader.source, reader.file, images)
    for picture, image, subjects in zip(pictures, images, found, strict=True):
        marked = [s for s in subjects if any(v > 0 for _, _, v in s.marks.values())]
        left = len(subjects) - len(marked)
        place = image.get("name", "")
        reader.source.leave_out("subjects without a labelled keypoint", place, left)
        triples = (np.array([s.marks.get(name, (0.0, 0.0, 0.0)) for name in names]) for s in marked)
        own = tuple(ImportedSubject(t, s.box) for t, s in zip(triples, marked, strict=True))
        yield replace(picture, subjects=own)


def _count_others(source: Source, images: Sequence[Element], skeletons: bool) -> None:
    """Count the shapes that are no keypoints, and the attributes of all."""
    if skeletons:
        count = sum(len(image.findall("points")) for image in images)
        source.leave_out("<points> beside the skeletons", count=count)
    count_shapes(source, images, _READ)
    alone = sum(_group(box) is None for image in images for box in image.findall("box"))
    source.leave_out("boxes without a group", count=alone)
