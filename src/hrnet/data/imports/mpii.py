"""MPII annotations, in the JSON form of the official HRNet pose code, to COCO keypoints.

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

from hrnet.data.coco import load_json
from hrnet.errors import InputError, one_line
from hrnet.geometry import Size
from hrnet.images import read_header
from hrnet.metrics.pckh import head_sizes
from hrnet.weights.skeletons import published_skeleton

NUM_JOINTS = 16

HEAD_BOXES = "headboxes_src"
"""The array (2, 2, N) in the official gt_valid.mat: two corners, x and y, N persons."""

_DOWN = 15
_PIXELS_PER_SCALE = 200

Json = Mapping[str, object]


def read_mpii(source: Path, images: Path, heads: Path | None = None) -> dict[str, object]:
    """Read MPII's JSON as the content of a COCO keypoint file.

    source: a list of {"joints": 16 x [x, y], "joints_vis": 16 x 0 or 1, "image", "center", "scale"}
        in pixels that count from 1. images: the folder of the pictures; only their sizes are read.
    heads: the head boxes of the same persons in the same order, in the official gt_valid.mat (needs
        scipy), or an .npz or .json that holds the same `headboxes_src`.

    Each annotation has `crop_box`, which with padding 1.25 and a square input is the official crop:
    the centre 15 * scale further down, 1.25 * 200 * scale wide. `bbox` is its part within the
    picture. With `heads` it has `head_size` in pixels, which PCKh is measured by.
    Raises InputError with one line for another form, missing pictures and persons outside of them,
    and for heads of other persons.
    """
    entries = load_json(source, "MPII annotations")
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        raise InputError(
            f"{source}: expected a list of MPII persons with joints, joints_vis, image, center and "
            "scale, as in the official train.json and valid.json"
        )
    sizes_px = _read_heads(heads, len(entries)) if heads is not None else None
    files = list(dict.fromkeys(_file_name(source, row, one) for row, one in enumerate(entries, 1)))
    sizes = _sizes(images, files)
    ids = {file: number for number, file in enumerate(files, 1)}
    annotations = []
    for row, entry in enumerate(entries, 1):
        file = str(entry["image"])
        person = _person(f"{source}: person {row}", entry, sizes[file])
        extra = {} if sizes_px is None else {"head_size": float(sizes_px[row - 1])}
        annotations.append({"id": row, "image_id": ids[file], "category_id": 1, **person, **extra})
    return {
        "images": [
            {"id": ids[file], "file_name": file, "height": sizes[file][0], "width": sizes[file][1]}
            for file in files
        ],
        "annotations": annotations,
        "categories": [_category()],
    }


def _category() -> dict[str, object]:
    """MPII's joints as a COCO category, whose bones count from 1."""
    skeleton = published_skeleton("mpii")
    return {
        "id": 1,
        "name": "person",
        "keypoints": list(skeleton.names),
        "skeleton": [[a + 1, b + 1] for a, b in skeleton.edges],
        "sigmas": list(skeleton.sigmas),
    }


def _file_name(source: Path, row: int, entry: Json) -> str:
    missing = [
        key for key in ("joints", "joints_vis", "image", "center", "scale") if key not in entry
    ]
    if missing:
        raise InputError(
            f"{source}: person {row} lacks {', '.join(missing)}; give the official train.json or "
            "valid.json (test.json has no joints)"
        )
    return str(entry["image"])


def _sizes(folder: Path, files: list[str]) -> dict[str, Size]:
    """Sizes (height, width) of all pictures."""
    missing = [file for file in files if not (folder / file).is_file()]
    if missing:
        raise InputError(
            f"{len(missing)} of {len(files)} annotated images are missing, the first is "
            f"{folder / missing[0]}; check the folder of the images"
        )
    return {file: read_header(folder / file).size for file in files}


def _person(name: str, entry: Json, size: Size) -> dict[str, object]:
    """The parts of a COCO annotation that follow from one entry."""
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
    bbox = [max(left, 0.0), max(top, 0.0)]
    bbox += [right - bbox[0], bottom - bbox[1]]
    if min(bbox[2:]) <= 1:
        raise InputError(
            f"{name}: its box lies outside of {entry['image']} with {size[1]}x{size[0]} pixels; "
            "give the images that were annotated"
        )
    triples = np.zeros((NUM_JOINTS, 3))
    triples[visible] = np.column_stack([joints[visible] - 1, np.full(visible.sum(), 2)])
    return {
        "bbox": [float(number) for number in bbox],
        "crop_box": [float(left), float(top), side, side],
        "iscrowd": 0,
        "keypoints": triples.ravel().tolist(),
        "num_keypoints": int(visible.sum()),
    }


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
        content = load_json(file, "head boxes")
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
