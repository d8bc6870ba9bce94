"""CVAT's own XML, "CVAT for images 1.1": skeletons, or points with a label.

Source of the layout: docs.cvat.ai, "XML annotation format". Keypoints that are `outside` are not
labelled, those that are `occluded` are hidden. `<points>` of several points are one subject; such
of one point are one keypoint each, joined by their group, or all of a picture where nothing is
grouped. A `<box>` of the same group is the subject's box.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from hrnet.data.imports.common import (
    Box,
    Imported,
    ImportedPicture,
    ImportedSubject,
    Source,
    chosen_one,
    keypoint_names,
)
from hrnet.data.imports.cvat_xml import Element, bones, label_names, label_of, parse
from hrnet.data.imports.pictures import PictureFinder
from hrnet.errors import InputError
from hrnet.files import is_file, is_folder
from hrnet.numbers import text_to_float, to_int

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
    return source.suffix == ".xml" or is_file(source / XML_NAME)


def read(source: Source) -> Imported:
    """Read the XML file of an export, or the folder that the export was unpacked into."""
    options, path = source.options, source.path
    file = path / XML_NAME if is_folder(path) else path
    reader = _Reader(file, source)
    root = parse(file)
    # The subjects of each picture: skeletons, lists of points, or single points.
    images = [i for i in root.findall("image") if options.part in (None, i.get("subset"))]
    if not images:
        raise InputError(f"{file}: expected <image> elements of the wanted part, found none")
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
    pictures = _pictures(reader, images, found, names)
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
    if not used:
        raise InputError(
            f"{reader.file}: expected <skeleton> or <points>, found none in any picture"
        )
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
) -> tuple[ImportedPicture, ...]:
    source, file, beside = reader.source, reader.file, reader.file.parent / "images"
    # Each picture is there once.
    finder = PictureFinder(source.options.images or (beside if is_folder(beside) else file.parent))
    pictures: list[ImportedPicture] = []
    seen: set[tuple[str | None, str]] = set()
    for image, subjects in zip(images, found, strict=True):
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
        # It has a size and perhaps subjects.
        height, width = to_int(image.get("height")), to_int(image.get("width"))
        if height is None or width is None:
            raise InputError(f"{file}: expected height and width of {name:.80}")
        marked = [s for s in subjects if any(v > 0 for _, _, v in s.marks.values())]
        left = len(subjects) - len(marked)
        source.leave_out("subjects without a labelled keypoint", name, left)
        triples = (np.array([s.marks.get(name, (0.0, 0.0, 0.0)) for name in names]) for s in marked)
        own = tuple(ImportedSubject(t, s.box) for t, s in zip(triples, marked, strict=True))
        extra = {"part": subset} if subset else {}
        pictures.append(ImportedPicture(path, own, (height, width), extra))
    finder.expect_all(source)
    return tuple(pictures)


def _count_others(source: Source, images: Sequence[Element], skeletons: bool) -> None:
    """Count the shapes that are no keypoints, and the attributes of all."""
    if skeletons:
        count = sum(len(image.findall("points")) for image in images)
        source.leave_out("<points> beside the skeletons", count=count)
    for tag, count in Counter(shape.tag for image in images for shape in image).items():
        if tag not in _READ:
            source.leave_out("other shapes", f"{count} <{tag:.30}>", count)
    source.leave_out("attributes", count=sum(1 for i in images for _ in i.iter("attribute")))
    alone = sum(_group(box) is None for image in images for box in image.findall("box"))
    source.leave_out("boxes without a group", count=alone)
