"""MPII annotations, in the JSON form of the official HRNet pose code.

Source: https://github.com/leoxiaobin/deep-high-resolution-net.pytorch (Sun et al. 2019), whose
files train.json and valid.json mmpose uses too; the data set is that of Andriluka et al. 2014.

Not in those files, and so not in the result: whether a joint is hidden (all labelled ones count as
visible), and areas, so that OKS figures on MPII rest on estimates. PCKh is the measure of MPII.
"""

from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hrnet.data.imports.common import (
    Imported,
    ImportOptions,
    Picture,
    PictureFinder,
    Subject,
    read_text,
)
from hrnet.errors import InputError, one_line
from hrnet.files import read_json
from hrnet.geometry import Size
from hrnet.images import read_header
from hrnet.metrics.pckh import head_sizes
from hrnet.weights.skeletons import published_skeleton

NUM_JOINTS = 16

HEAD_BOXES = "headboxes_src"
"""The array (2, 2, N) in the official gt_valid.mat: two corners, x and y, N persons."""

_KEYS = ("joints", "joints_vis", "image", "center", "scale")
_DOWN = 15
_PIXELS_PER_SCALE = 200

Json = Mapping[str, object]


def fits(source: Path) -> bool:
    """Whether a source is a JSON file that speaks of joints_vis, as MPII's alone does."""
    return source.suffix == ".json" and source.is_file() and '"joints_vis"' in read_text(source)


def read(source: Path, options: ImportOptions) -> Imported:
    """Read MPII's JSON.

    source: a list of {"joints": 16 x [x, y], "joints_vis": 16 x 0 or 1, "image", "center", "scale"}
        in pixels that count from 1.
    options.heads: the head boxes of the same persons in the same order, in the official
        gt_valid.mat (needs scipy), or an .npz or .json that holds the same `headboxes_src`.

    Each subject has `crop_box`, which with padding 1.25 and a square input is the official crop:
    the centre 15 * scale further down, 1.25 * 200 * scale wide. Its box is the part of that within
    the picture. With heads it has `head_size` in pixels, which PCKh is measured by.
    Raises InputError with one line for another form, missing pictures and persons outside of them,
    and for heads of other persons.
    """
    entries = _entries(source)
    heads = None if options.heads is None else _read_heads(options.heads, len(entries))
    finder = PictureFinder(options.images or source.parent)
    found = {name: finder.find(name) for name in dict.fromkeys(str(e["image"]) for e in entries)}
    finder.expect_all(source)
    paths = {name: path for name, path in found.items() if path is not None}
    sizes = {name: read_header(path).size for name, path in paths.items()}
    subjects: dict[str, list[Subject]] = {name: [] for name in paths}
    for row, entry in enumerate(entries):
        name = str(entry["image"])
        extra = {} if heads is None else {"head_size": float(heads[row])}
        subjects[name].append(_subject(f"{source}: person {row + 1}", entry, sizes[name], extra))
    skeleton = published_skeleton("mpii")
    return Imported(
        names=skeleton.names,
        category="person",
        pictures=tuple(Picture(paths[name], tuple(those)) for name, those in subjects.items()),
        edges=skeleton.edges,
        flip_pairs=skeleton.flip_pairs,
        sigmas=skeleton.sigmas,
        notes=_NOTES if heads is None else _NOTES[:1],
    )


_NOTES = (
    "the format has no visibility: all labelled keypoints count as visible",
    "without head boxes there is no PCKh; those of valid.json are in gt_valid.mat, give --heads",
)


def _entries(source: Path) -> list[Json]:
    """The persons of a file, each with all that is read of one."""
    entries = read_json(source, "MPII annotations")
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        raise InputError(
            f"{source}: expected a list of MPII persons with {', '.join(_KEYS)}, as in the "
            "official train.json and valid.json"
        )
    for row, entry in enumerate(entries, 1):
        missing = [key for key in _KEYS if key not in entry]
        if missing:
            raise InputError(
                f"{source}: person {row} lacks {', '.join(missing)}; give the official train.json "
                "or valid.json (test.json has no joints)"
            )
    return entries


def _subject(name: str, entry: Json, size: Size, extra: Json) -> Subject:
    """What follows from one entry and the size of its picture."""
    joints = _numbers(name, "joints", entry["joints"], (NUM_JOINTS, 2))
    visible = _numbers(name, "joints_vis", entry["joints_vis"], (NUM_JOINTS,)) > 0
    center = _numbers(name, "center", entry["center"], (2,))
    scale = float(_numbers(name, "scale", entry["scale"], ()))
    if center[0] == -1 or scale <= 0:
        raise InputError(
            f"{name}: expected a centre and a scale above 0, got {center.tolist()} and {scale:g}; "
            "take out persons that are nowhere, and their head boxes"
        )
    side = _PIXELS_PER_SCALE * scale
    left, top = center + np.array([0, _DOWN * scale]) - 1 - side / 2
    right, bottom = min(left + side, size[1]), min(top + side, size[0])
    x, y = max(left, 0.0), max(top, 0.0)
    if min(right - x, bottom - y) <= 1:
        raise InputError(
            f"{name}: its box lies outside of {entry['image']} with {size[1]}x{size[0]} pixels; "
            "give the images that were annotated"
        )
    triples = np.zeros((NUM_JOINTS, 3))
    triples[visible] = np.column_stack([joints[visible] - 1, np.full(visible.sum(), 2)])
    box = (float(x), float(y), float(right - x), float(bottom - y))
    return Subject(triples, box, {"crop_box": [float(left), float(top), side, side], **extra})


def _read_heads(file: Path, count: int) -> NDArray[np.floating]:
    """Head sizes (count,) in pixels."""
    content = _content(file)
    if HEAD_BOXES not in content:
        raise InputError(f"{file}: expected {HEAD_BOXES}, as in the official gt_valid.mat")
    try:
        boxes = np.asarray(content[HEAD_BOXES], dtype=np.float64)
    except (TypeError, ValueError):
        raise InputError(f"{file}: expected an array of numbers in {HEAD_BOXES}") from None
    if boxes.shape != (2, 2, count):
        raise InputError(
            f"{file}: expected {HEAD_BOXES} of shape (2, 2, {count}), as there are {count} "
            f"persons, got {boxes.shape}; take the heads of the same part of MPII"
        )
    sizes = head_sizes(boxes.transpose(2, 0, 1).reshape(count, 4))
    wrong = np.flatnonzero(~((sizes > 0) & np.isfinite(sizes)))
    if wrong.size:
        raise InputError(
            f"{file}: expected head boxes with a diagonal above 0, got a head size of "
            f"{sizes[wrong[0]]:g} for person {wrong[0] + 1}; correct that box"
        )
    return sizes


def _content(file: Path) -> Mapping[str, object]:
    """The arrays of a file by their names."""
    if file.suffix == ".json":
        content = read_json(file, "head boxes")
        return content if isinstance(content, dict) else {}
    if file.suffix not in (".mat", ".npz"):
        raise InputError(f"expected head boxes as .mat, .npz or .json, got {file}")
    if file.suffix == ".mat" and find_spec("scipy") is None:
        raise InputError(
            f"reading {file} needs scipy, which is not installed; pip install 'hrnet[import]', or "
            f"give {HEAD_BOXES} as .npz or .json"
        )
    try:
        if file.suffix == ".mat":
            from scipy.io import loadmat

            return dict(loadmat(file, variable_names=[HEAD_BOXES]))
        with np.load(file, allow_pickle=False) as arrays:
            return dict(arrays)
    except Exception as error:  # both raise many types for a damaged file
        reason = getattr(error, "strerror", None) or one_line(error)
        raise InputError(f"cannot read head boxes {file}: {reason}; check the file") from None


def _numbers(name: str, field: str, value: object, shape: tuple[int, ...]) -> NDArray[np.float64]:
    """Finite numbers of that shape."""
    try:
        numbers = np.asarray(value, dtype=np.float64)
    except (TypeError, ValueError):
        numbers = np.full((), np.nan)
    if numbers.shape != shape or not np.isfinite(numbers).all():
        wanted = f"{' x '.join(map(str, shape))} finite numbers" if shape else "a finite number"
        raise InputError(f"{name}: expected {wanted} in {field}, got {value!r:.60}")
    return numbers
