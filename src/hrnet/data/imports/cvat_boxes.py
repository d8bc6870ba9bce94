"""CVAT's boxes and polygons without keypoints: of "CVAT for images 1.1", and of video tracks.

Source of the layout: docs.cvat.ai, "XML annotation format". A `rotation` is in degrees clockwise
around the centre of the box. A box of a track that is `outside` is not in its frame; the export
lists all frames of a track, between the keyframes too, so that nothing is interpolated here. The
frames of an export are the files images/frame_000000.png, ... A shape of a higher `z_order` lies
over the others.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from hrnet.data.imports.common import (
    Box,
    ImportedBox,
    ImportedBoxes,
    ImportedPicture,
    Source,
    enclosing_box,
)
from hrnet.data.imports.cvat_xml import (
    count_shapes,
    find_pictures,
    label_names,
    label_of,
    picture_folder,
)
from hrnet.data.imports.pictures import PictureFinder
from hrnet.data.imports.xml_file import Element
from hrnet.errors import InputError
from hrnet.numbers import text_to_float, to_int

_SIDES = ("xtl", "ytl", "xbr", "ybr")
_READ = frozenset({"box", "polygon"})
_LEAST_POINTS = 3
_MOST_FRAMES = 10**9
_FRAMES = ("png", "jpg", "jpeg", "PNG", "JPG", "JPEG", "webp", "bmp")


@dataclass(slots=True)
class _Reader:
    """Reads the boxes of one file, and counts those that it cannot take.

    turned: how many were turned.
    """

    file: Path
    source: Source
    turned: int = 0

    def read(self, element: Element, label: str, where: str) -> ImportedBox | None:
        """Return a shape with its label; None where it cannot be read. where: its picture."""
        if element.tag == "polygon":
            return self._read_polygon(element, label, where)
        place = f"{self.file}: {where[:80]}: {label[:80]}"
        # Four sides, a turn in degrees, and a label.
        sides = [text_to_float(element.get(key, "")) for key in _SIDES]
        numbers = [side for side in sides if side is not None]
        degrees = text_to_float(element.get("rotation", "0"))
        if len(numbers) < len(_SIDES) or degrees is None or not label:
            line = f"expected a label and numbers {', '.join(_SIDES)}, got {element.attrib!s:.80}"
            self.source.wrong("boxes", f"{place}: {line}")
            return None
        left, top, right, bottom = numbers
        box: Box = [left, top, right - left, bottom - top]
        if degrees % 360:
            self.turned += 1
            center = (left + right) / 2, (top + bottom) / 2
            box = enclosing_box(left, top, right - left, bottom - top, (degrees, center))
        extra = {"occluded": 1} if element.get("occluded") == "1" else {}
        return ImportedBox(label, box, extra=extra)

    def _read_polygon(self, element: Element, label: str, where: str) -> ImportedBox | None:
        """Return a polygon and the box around it."""
        text = element.get("points", "")
        pairs = [[text_to_float(one) for one in pair.split(",")] for pair in text.split(";")]
        points = [(x, y) for pair in pairs if len(pair) == 2 for x, y in [pair] if x is not None]
        good = [(x, y) for x, y in points if y is not None]
        if len(good) < len(pairs) or len(good) < _LEAST_POINTS or not label:
            line = f"expected a label and three points or more as x,y;x,y;x,y, got {text!r:.60}"
            self.source.wrong("polygons", f"{self.file}: {where[:80]}: {label[:80]}: {line}")
            return None
        low, high = (tuple(map(one, zip(*good, strict=True))) for one in (min, max))
        box: Box = [*low, *(end - start for start, end in zip(low, high, strict=True))]
        extra = {"occluded": 1} if element.get("occluded") == "1" else {}
        outline = [number for point in good for number in point]
        return ImportedBox(label, box, polygons=(outline,), extra=extra)

    def add(self, frames: dict[int, list[ImportedBox]], element: Element, label: str) -> None:
        """Add a box of a track to its frame; a frame that it is outside of may have none."""
        number = to_int(element.get("frame"))
        if number is None or not 0 <= number <= _MOST_FRAMES:
            line = f"expected a frame as a whole number, got {element.get('frame')!r:.60}"
            self.source.wrong("boxes", f"{self.file}: {label[:80]}: {line}")
            return
        own = frames.setdefault(number, [])
        box = None
        if element.get("outside") != "1":
            box = self.read(element, label, f"frame {number}")
        own += [] if box is None else [box]

    def note_turned(self) -> None:
        """Note the boxes that were turned."""
        if self.turned:
            self.source.notes.append(
                f"{self.turned} boxes are turned: the upright box around each was taken"
            )


def read_image_boxes(
    source: Source, file: Path, root: Element, images: Sequence[Element]
) -> ImportedBoxes:
    """Return the boxes of <image> elements."""
    reader, taken = _Reader(file, source), []
    for picture, image in zip(find_pictures(source, file, images), images, strict=True):
        name = image.get("name", "")
        found = [reader.read(one, label_of(one), name) for one in _shapes(image)]
        taken.append(replace(picture, boxes=tuple(box for box in found if box is not None)))
    reader.note_turned()
    count_shapes(source, images, _READ)
    if not any(picture.boxes for picture in taken):
        raise source.nothing_left(
            f"{file}: expected <skeleton>, <points>, <box> or <polygon>, found none"
        )
    return _boxes(file, root, taken)


def read_track_boxes(source: Source, file: Path, root: Element) -> ImportedBoxes:
    """Return the boxes of <track> elements in the frames of a video."""
    if source.options.part is not None:
        raise InputError(f"{file}: expected no --part for tracks of a video; leave it out")
    # The boxes of each frame.
    tracks, reader = root.findall("track"), _Reader(file, source)
    frames: dict[int, list[ImportedBox]] = {}
    for track in tracks:
        for element in _shapes(track):
            reader.add(frames, element, label_of(track))
    reader.note_turned()
    count_shapes(source, tracks, _READ)
    source.leave_out("pictures beside the tracks", count=len(root.findall("image")))
    if not any(frames.values()):
        raise source.nothing_left(
            f"{file}: expected tracks of boxes, found none; export keypoints as "
            "`CVAT for images 1.1`"
        )
    # The pictures of the frames.
    finder = PictureFinder(picture_folder(source, file))
    pictures = [
        ImportedPicture(path, boxes=tuple(own), extra={"frame": number})
        for number, own in sorted(frames.items())
        if (path := finder.find(*(f"frame_{number:06}.{suffix}" for suffix in _FRAMES)))
    ]
    finder.expect_all(source)
    source.notes.append(
        f"boxes of {len(tracks)} tracks were taken in the frames that list them; nothing is "
        "interpolated"
    )
    return _boxes(file, root, pictures)


def _shapes(holder: Element) -> list[Element]:
    """Return boxes and polygons, the lowest first."""
    found = [one for one in holder if one.tag in _READ]
    return sorted(found, key=lambda one: to_int(one.get("z_order")) or 0)


def _boxes(file: Path, root: Element, pictures: Sequence[ImportedPicture]) -> ImportedBoxes:
    used = sorted({box.class_name for picture in pictures for box in picture.boxes})
    # In the order of their definition; others follow by name.
    names = [*(name for name in label_names(root) if name in used), *used]
    return ImportedBoxes(tuple(dict.fromkeys(names)), tuple(pictures), (file,))
