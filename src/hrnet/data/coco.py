"""COCO keypoint annotations (any keypoints, any K) to samples.

Source: https://cocodataset.org/#format-data, "Keypoint Detection"; the reading of the official
HRNet pose code: crowds and subjects without a labelled keypoint are left out and boxes are clamped
to the picture, ending at the last pixel's centre.

Two keys of ours may stand in an annotation: `crop_box` (x, y, width, height), which is cropped in
place of the clamped `bbox` and may stick out of the picture; `head_size` in pixels, for PCKh.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hrnet.data.category import describe_category
from hrnet.data.sigmas import Json
from hrnet.errors import InputError
from hrnet.geometry import Size
from hrnet.skeleton import Skeleton


@dataclass(frozen=True, slots=True, eq=False)
class Sample:
    """One labelled subject in one picture.

    box_xywh: (4,) pixels, what is cropped. keypoints: (K, 2) pixels. visibility: (K,) of 0 (not
    labelled), 1 (hidden) and 2 (visible). image_size: (height, width) as the annotations say.
    head_size: the length in pixels that PCKh is measured by, where the annotations give one.
    """

    image_path: Path
    image_id: int
    annotation_id: int
    box_xywh: NDArray[np.float64]
    keypoints: NDArray[np.float64]
    visibility: NDArray[np.int64]
    image_size: Size
    head_size: float | None = None


@dataclass(frozen=True, slots=True, eq=False)
class KeypointDataset:
    """The labelled subjects of one annotation file.

    sigmas_source: where the OKS sigmas come from, for the evaluation's protocol.
    """

    path: Path
    skeleton: Skeleton
    sigmas_source: str
    category_id: int
    image_paths: Mapping[int, Path]
    samples: tuple[Sample, ...]


def load_json(path: Path, what: str) -> object:
    """Read a JSON file; InputError with one line where it is missing or not JSON."""
    try:
        return json.loads(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise InputError(f"cannot read {what} {path}: {error.strerror}; check the path") from None
    except (UnicodeDecodeError, json.JSONDecodeError, RecursionError) as error:
        reason = f"line {error.lineno}" if isinstance(error, json.JSONDecodeError) else "not text"
        raise InputError(f"expected JSON in {what} {path}, got something else ({reason})") from None


def read_keypoints(annotations: str | Path, images: str | Path) -> KeypointDataset:
    """Read a COCO keypoint file; pictures are `images`/file_name.

    Raises InputError with one line for a file that is not JSON, has another form, no labelled
    subject, annotations of unknown pictures or categories, or lists of another length than 3 * K.
    """
    path = Path(annotations)
    return parse_keypoints(path, Path(images), load_json(path, "annotations"))


def parse_keypoints(path: Path, images: Path, content: object) -> KeypointDataset:
    """Read the content of a COCO keypoint file, as `read_keypoints`; `path` is for the messages."""
    if not isinstance(content, dict):
        raise InputError(f"{path}: expected an object with images, annotations and categories")
    missing = [key for key in ("images", "annotations", "categories") if key not in content]
    if missing:
        raise InputError(f"{path}: not a COCO keypoint file, it lacks {', '.join(missing)}")
    try:
        return _read(path, images, content)
    except InputError:
        raise
    except (KeyError, TypeError, ValueError, AttributeError, IndexError) as error:
        detail = f"{type(error).__name__}: {error}"
        raise InputError(f"{path}: not in the COCO keypoint form ({detail})") from None


def _read(
    path: Path, folder: Path, content: Mapping[str, list[dict[str, object]]]
) -> KeypointDataset:
    category = _keypoint_category(path, content["categories"])
    annotations = [
        annotation
        for annotation in content["annotations"]
        if annotation.get("category_id", category["id"]) == category["id"]
    ]
    try:
        skeleton, source = skeleton_of(category, annotations)
    except InputError as error:
        raise InputError(f"{path}: {error}") from None
    images = {int(str(image["id"])): image for image in content["images"]}
    samples = []
    for annotation in annotations:
        sample = _sample(path, folder, annotation, images, skeleton)
        if sample is not None:
            samples.append(sample)
    if not samples:
        raise InputError(f"{path}: no subject with a labelled keypoint, so nothing can be done")
    return KeypointDataset(
        path=path,
        skeleton=skeleton,
        sigmas_source=source,
        category_id=int(str(category["id"])),
        image_paths={key: folder / str(image["file_name"]) for key, image in images.items()},
        samples=tuple(samples),
    )


def _keypoint_category(path: Path, categories: list[dict[str, object]]) -> dict[str, object]:
    found = [category for category in categories if category.get("keypoints")]
    if len(found) != 1:
        raise InputError(
            f"{path}: expected one category with a list of keypoint names, got {len(found)}; "
            "split the file by category or add the names"
        )
    return found[0]


def skeleton_of(
    category: Mapping[str, object], annotations: Iterable[Json] = ()
) -> tuple[Skeleton, str]:
    """Read a COCO category's keypoints; returns the skeleton and where its sigmas come from.

    See `describe_category`. The annotations are those of the category.
    """
    described = describe_category(category, annotations)
    return described.skeleton, described.sigmas_source


def _sample(
    path: Path,
    folder: Path,
    annotation: Json,
    images: Mapping[int, Json],
    skeleton: Skeleton,
) -> Sample | None:
    """One annotation as a sample; None for crowds, empty boxes and subjects without keypoints."""
    name = f"{path}: annotation {annotation['id']}"
    image = images.get(int(str(annotation["image_id"])))
    if image is None:
        raise InputError(f"{name} belongs to image {annotation['image_id']}, which is not listed")
    numbers = _numbers(name, "keypoints", annotation.get("keypoints", []))
    if annotation.get("iscrowd") or not numbers.any():
        return None
    if len(numbers) != 3 * skeleton.num_keypoints:
        raise InputError(
            f"{name}: expected {3 * skeleton.num_keypoints} numbers in keypoints "
            f"(x, y, visibility of {skeleton.num_keypoints}), got {len(numbers)}"
        )
    triples = numbers.reshape(-1, 3)
    size = (int(str(image["height"])), int(str(image["width"])))
    box = clamp_box(_numbers(name, "bbox", annotation.get("bbox"), 4), size)
    if box is None or not (triples[:, 2] > 0).any():
        return None
    return Sample(
        image_path=folder / str(image["file_name"]),
        image_id=int(str(image["id"])),
        annotation_id=int(str(annotation["id"])),
        box_xywh=_crop_box(name, annotation, box),
        keypoints=triples[:, :2],
        visibility=triples[:, 2].astype(np.int64),
        image_size=size,
        head_size=_head_size(name, annotation),
    )


def _crop_box(name: str, annotation: Json, box: NDArray[np.float64]) -> NDArray[np.float64]:
    """The box to crop: `crop_box` as it stands where there is one, else the clamped `bbox`.

    Data sets such as MPII say where to crop. Such a box may stick out of the picture, and clamping
    would move its centre.
    """
    if "crop_box" not in annotation:
        return box
    xywh = _numbers(name, "crop_box", annotation["crop_box"], 4)
    if min(xywh[2:]) <= 0:
        raise InputError(
            f"{name}: expected a crop_box (x, y, width, height) of positive width and height, got "
            f"{xywh.tolist()}"
        )
    return xywh


def _head_size(name: str, annotation: Json) -> float | None:
    """The head size of one annotation in pixels, None where it has none."""
    value = annotation.get("head_size")
    if value is None:
        return None
    (size,) = _numbers(name, "head_size", [value], 1)
    if size <= 0:
        raise InputError(f"{name}: expected a head_size above 0 pixels, got {value!r:.60}")
    return float(size)


def _numbers(
    name: str, field: str, values: object, length: int | None = None
) -> NDArray[np.float64]:
    if values is None:
        raise InputError(f"{name}: expected numbers in {field}, but it has none")
    try:
        array = np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError):
        raise InputError(
            f"{name}: expected a list of numbers in {field}, got {values!r:.60}"
        ) from None
    if array.ndim != 1 or (length is not None and len(array) != length):
        raise InputError(f"{name}: expected a flat list of numbers in {field}, got {values!r:.60}")
    if not np.isfinite(array).all():
        raise InputError(f"{name}: expected finite numbers in {field}, got NaN or infinity")
    return array


def clamp_box(xywh: NDArray[np.float64], size: Size) -> NDArray[np.float64] | None:
    """Clamp as the official code does: a box ends at a pixel's centre, one less than its width.

    Returns None where nothing of the box is within the picture.
    """
    left, top = np.maximum(xywh[:2], 0)
    right = min(size[1] - 1, left + max(0.0, xywh[2] - 1))
    bottom = min(size[0] - 1, top + max(0.0, xywh[3] - 1))
    if right <= left or bottom <= top:
        return None
    return np.array([left, top, right - left, bottom - top])


def expect_size(path: Path, found: Size, annotated: Size) -> None:
    """Raise InputError where a picture is not of the size (height, width) that was annotated."""
    if found != annotated:
        raise InputError(
            f"{path} has {found[1]}x{found[0]} pixels (EXIF applied) but the annotations say "
            f"{annotated[1]}x{annotated[0]}; use the images that were annotated"
        )
