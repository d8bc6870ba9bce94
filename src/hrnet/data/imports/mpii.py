"""MPII annotations, in the JSON form of the official HRNet pose code.

Source: https://github.com/leoxiaobin/deep-high-resolution-net.pytorch (Sun et al. 2019), whose
files train.json and valid.json mmpose uses too; the data set is that of Andriluka et al. 2014.

Those files lack the visibility of joints (all labelled ones count as visible) and areas, so that
OKS on MPII rests on estimates. PCKh is the metric of MPII.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hrnet.data.coco_file import Json
from hrnet.data.imports.common import (
    NO_VISIBILITY,
    Imported,
    ImportedPicture,
    ImportedSubject,
    Source,
    cropped_subject,
    mentions,
    shown,
)
from hrnet.data.imports.pictures import PictureFinder
from hrnet.errors import InputError, one_line
from hrnet.files import exists, is_file, read_json
from hrnet.geometry import Size
from hrnet.metrics.pckh import head_sizes
from hrnet.numbers import to_floats
from hrnet.skeleton import published_skeleton

OPTIONS = frozenset({"heads"})
NUM_JOINTS = 16
MARK = '"joints_vis"'
"""A key that no other format has."""

HEAD_BOXES = "headboxes_src"
"""The array (2, 2, N) in the official gt_valid.mat: two corners, x and y, N persons."""

_LARGEST = 1 << 26
"""Bytes of an unpacked array; that of MPII has 100,000."""

_KEYS = ("joints", "joints_vis", "image", "center", "scale")
_DOWN = 15
_PIXELS_PER_SCALE = 200


def fits(source: Path) -> bool:
    """Return True for a JSON file of MPII's."""
    return mentions(source, MARK)


def read(source: Source) -> Imported:
    """Read MPII's JSON.

    source: a list of {"joints": 16 x [x, y], "joints_vis": 16 x 0 or 1, "image", "center", "scale"}
        in pixels that count from 1.
    Its options' heads: the head boxes of the same persons in the same order, in the official
        gt_valid.mat (needs scipy), or an .npz or .json that holds the same `headboxes_src`.

    Each subject has `crop_box`, which with padding 1.25 and a square input is the official crop:
    the centre 15 * scale further down, 1.25 * 200 * scale wide. Its box is the part of that within
    the picture. With heads it has `head_size` in pixels, which PCKh is measured by.
    Raises InputError with one line for another form, missing pictures and persons outside of them,
    and for heads of other persons.
    """
    entries, file = _entries(source.path), source.options.heads
    heads = None if file is None else _read_heads(file, len(entries))
    # Each person that has all it needs becomes a subject, cropped within its picture.
    finder = PictureFinder(source.options.images or source.path.parent)
    subjects: dict[Path, list[ImportedSubject]] = {}
    for row, entry in enumerate(entries):
        try:
            person = _person(f"{source}: person {row + 1}", entry)
            picture = finder.find_once(source, person.image)
            if picture is None:
                source.leave_out("persons of these pictures")
                continue
            own = subjects.setdefault(picture[0], [])
            extra = {} if heads is None else {"head_size": float(heads[row])}
            own.append(_subject(person, picture[1], extra))
        except InputError as error:
            source.wrong("persons", str(error))
    source.notes += _NOTES if heads is None else _NOTES[:1]
    finder.expect_all(source)
    skeleton = published_skeleton("mpii")
    return Imported(
        names=skeleton.names,
        category="person",
        pictures=tuple(ImportedPicture(path, tuple(own)) for path, own in subjects.items()),
        edges=skeleton.edges,
        flip_pairs=skeleton.flip_pairs,
        sigmas=skeleton.sigmas,
        inputs=(source.path, *([file] if file else [])),
    )


_NOTES = (
    NO_VISIBILITY,
    "without head boxes there is no PCKh; those of valid.json are in gt_valid.mat, give --heads",
)


@dataclass(frozen=True, slots=True, eq=False)
class _Person:
    """One entry, checked. joints: (16, 2). visible: (16,) of bool. center: (2,)."""

    name: str
    image: str
    joints: NDArray[np.float64]
    visible: NDArray[np.bool_]
    center: NDArray[np.float64]
    scale: float


def _entries(source: Path) -> list[object]:
    """The persons of a file, of whom each may be odd."""
    entries = read_json(source, "MPII annotations")
    if not isinstance(entries, list) or not any(isinstance(entry, dict) for entry in entries):
        raise InputError(
            f"{source}: expected a list of MPII persons with {', '.join(_KEYS)}, as in the "
            "official train.json and valid.json"
        )
    return entries


def _person(name: str, entry: object) -> _Person:
    """Check one entry; InputError where it is none or lacks the person's place."""
    # All keys must be there, with values of the right kind and shape.
    if not isinstance(entry, dict):
        raise InputError(f"{name}: expected an object with {', '.join(_KEYS)}, got {shown(entry)}")
    missing = [key for key in _KEYS if key not in entry]
    if missing:
        raise InputError(
            f"{name} lacks {', '.join(missing)}; give the official train.json "
            "or valid.json (test.json has no joints)"
        )
    image = entry["image"]
    if not isinstance(image, str):
        raise InputError(f"{name}: expected the name of a picture in image, got {shown(image)}")
    center = _numbers(name, "center", entry["center"], (2,))
    scale = float(_numbers(name, "scale", entry["scale"], ()))
    if center[0] == -1 or scale <= 0:
        raise InputError(
            f"{name}: expected a centre and a scale above 0, got {center.tolist()} and {scale:g}; "
            "persons that are nowhere cannot be cropped"
        )
    return _Person(
        name,
        image,
        joints=_numbers(name, "joints", entry["joints"], (NUM_JOINTS, 2)),
        visible=_numbers(name, "joints_vis", entry["joints_vis"], (NUM_JOINTS,)) > 0,
        center=center,
        scale=scale,
    )


def _subject(person: _Person, size: Size, extra: Json) -> ImportedSubject:
    """Make the subject of one entry and the size of its picture."""
    # The crop: centre + (0, 15 * scale), side 200 * scale.
    side = _PIXELS_PER_SCALE * person.scale
    left, top = person.center + np.array([0, _DOWN * person.scale]) - 1 - side / 2
    crop = (float(left), float(top), side, side)
    # Joints count from 1, pixels from 0.
    visible = person.visible
    triples = np.zeros((NUM_JOINTS, 3))
    triples[visible] = np.column_stack([person.joints[visible] - 1, np.full(visible.sum(), 2)])
    return cropped_subject(triples, crop, (person.name, person.image), size, extra)


def _read_heads(file: Path, count: int) -> NDArray[np.floating]:
    """Head sizes (count,) in pixels."""
    shape = (2, 2, count)
    content = _content(file, shape)
    if content is None:
        raise InputError(f"{file}: expected {HEAD_BOXES}, as in the official gt_valid.mat")
    # A number or a ragged list has no shape to compare.
    array = np.array(content, dtype=object)
    if array.shape not in ((), shape) and not any(isinstance(one, list) for one in array.flat):
        raise _other_heads(file, shape, array.shape)
    # (2 corners, 2 axes, N persons) -> (N, 4) as x1, y1, x2, y2.
    boxes = _array(content, shape)
    if boxes is None:
        raise InputError(f"{file}: expected an array of numbers in {HEAD_BOXES}")
    sizes = head_sizes(boxes.transpose(2, 0, 1).reshape(count, 4))
    wrong = np.flatnonzero(~((sizes > 0) & np.isfinite(sizes)))
    if wrong.size:
        raise InputError(
            f"{file}: expected head boxes with a diagonal above 0, got a head size of "
            f"{sizes[wrong[0]]:g} for person {wrong[0] + 1}; correct that box"
        )
    return sizes


def _other_heads(file: Path, shape: tuple[int, ...], found: tuple[int, ...]) -> InputError:
    return InputError(
        f"{file}: expected {HEAD_BOXES} of shape {shape}, as there are {shape[-1]} "
        f"persons, got {found}; take the heads of the same part of MPII"
    )


def _content(file: Path, shape: tuple[int, ...]) -> object:
    """The head boxes of a file as an array or a nested list, None where it has none."""
    # JSON needs nothing, .npz numpy, .mat scipy.
    if file.suffix.lower() == ".json":
        content = read_json(file, "head boxes")
        return content.get(HEAD_BOXES) if isinstance(content, dict) else None
    if file.suffix.lower() not in (".mat", ".npz"):
        raise InputError(f"expected head boxes as .mat, .npz or .json, got {file}")
    if file.suffix.lower() == ".mat" and find_spec("scipy") is None:
        raise InputError(
            f"reading {file} needs scipy, which is not installed; pip install 'hrnet[import]', or "
            f"give {HEAD_BOXES} as .npz or .json"
        )
    if exists(file) and not is_file(file):
        raise InputError(f"cannot read head boxes {file}: it is no regular file; check the file")
    # A small file can unpack to gigabytes, so shapes and sizes are checked before.
    try:
        if file.suffix.lower() == ".mat":
            return _of_matlab(file, shape)
        with np.load(file, allow_pickle=False) as arrays:
            if (
                HEAD_BOXES in arrays
                and arrays.zip.getinfo(f"{HEAD_BOXES}.npy").file_size > _LARGEST
            ):
                raise InputError(f"{file}: expected {HEAD_BOXES} of at most {_LARGEST:,} bytes")
            return arrays.get(HEAD_BOXES)
    except InputError:
        raise
    except Exception as error:  # both raise many types for a damaged file
        reason = getattr(error, "strerror", None) or one_line(error)
        raise InputError(f"cannot read head boxes {file}: {reason}; check the file") from None


def _of_matlab(file: Path, shape: tuple[int, ...]) -> object:
    """The array of a MATLAB file, whose shape is looked at before it is unpacked."""
    from scipy.io import loadmat, whosmat

    found = {name: tuple(shape) for name, shape, _ in whosmat(file)}
    if found.get(HEAD_BOXES, shape) != shape:
        raise _other_heads(file, shape, found[HEAD_BOXES])
    content: Mapping[str, object] = loadmat(file, variable_names=[HEAD_BOXES])
    return content.get(HEAD_BOXES)


def _array(values: object, shape: tuple[int, ...]) -> NDArray[np.float64] | None:
    """Nested lists of finite numbers as an array of that shape, None for anything else."""
    array = np.array(values, dtype=object)  # ragged lists stay lists in it
    numbers = to_floats(array.ravel()) if array.shape == shape else None
    return None if numbers is None else numbers.reshape(shape)


def _numbers(name: str, field: str, value: object, shape: tuple[int, ...]) -> NDArray[np.float64]:
    """Finite numbers of that shape."""
    numbers = _array(value, shape)
    if numbers is None:
        wanted = f"{' x '.join(map(str, shape))} finite numbers" if shape else "a finite number"
        raise InputError(f"{name}: expected {wanted} in {field}, got {shown(value)}")
    return numbers
