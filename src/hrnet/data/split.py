"""Split a COCO keypoint file by its images into parts for training, validation and test."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from hrnet.data.category import describe_category
from hrnet.data.coco import load_json
from hrnet.data.sigmas import Json
from hrnet.errors import InputError
from hrnet.files import atomic_path, check_writable_file

Entries = list[dict[str, object]]


@dataclass(frozen=True, slots=True)
class Part:
    """One written part and how much is in it."""

    file: Path
    images: int
    groups: int
    subjects: int


def split_dataset(
    annotations: Path,
    folder: Path,
    *,
    val: float = 0.1,
    test: float = 0.0,
    group: str | None = None,
    seed: int = 0,
    force: bool = False,
) -> list[Part]:
    """Write train.json, val.json and, with a share above 0, test.json into a folder.

    val, test: shares of all images. Whole groups are dealt out, so the shares are met as nearly as
    the groups allow. group: key of the images, such as video_id, whose equal values stay together;
    images without it stand alone. Everything else of the file is kept in each part. Sigmas that
    follow from several annotators are written into the category, so that all parts use the same.
    The seed fixes the parts.
    Raises InputError for shares outside 0..1, a group that no image has, parts that would be
    empty, files that exist (unless `force`) and for the input itself, before anything is written.
    """
    content = _read(annotations)
    images = content["images"]
    shares = _shares(val, test)
    files = {name: folder / f"{name}.json" for name in shares}
    members = _groups(annotations, images, group)
    dealt = _deal([len(rows) for rows in members], shares, len(images), seed)
    chosen = {
        name: [row for index in indices for row in members[index]]
        for name, indices in dealt.items()
    }
    empty = [name for name, rows in chosen.items() if not rows]
    if empty:
        raise InputError(
            f"{annotations}: expected images for each part, but {', '.join(empty)} would get none "
            f"of {len(members)} groups of images; change --val and --test, or add images"
        )
    _expect_free(files.values(), annotations, force)
    shared = {**content, "categories": _with_sigmas(content)}
    return [
        _write(files[name], shared, sorted(rows), len(dealt[name])) for name, rows in chosen.items()
    ]


def _read(path: Path) -> dict[str, Entries]:
    content = load_json(path, "annotations")
    parts = ("images", "annotations", "categories")
    wrong = not isinstance(content, dict) or any(
        not isinstance(content.get(part), list)
        or not all(isinstance(entry, dict) for entry in content[part])
        for part in parts
    )
    if wrong:
        raise InputError(
            f"{path}: expected a COCO file with the lists images, annotations and categories; "
            "see what `hrnet data check` says of it"
        )
    assert isinstance(content, dict)
    for part, key in (("images", "id"), ("annotations", "image_id")):
        if any(key not in entry for entry in content[part]):
            raise InputError(f"{path}: expected {key} in each of {part}; `hrnet data check` helps")
    ids = [str(image["id"]) for image in content["images"]]
    known = set(ids)
    lost = sum(str(one["image_id"]) not in known for one in content["annotations"])
    if lost or len(known) < len(ids):
        raise InputError(
            f"{path}: expected images with ids of their own and annotations of them alone, got "
            f"{len(ids) - len(known)} ids again and {lost} annotations of unknown images; "
            "`hrnet data check` lists them"
        )
    return content


def _shares(val: float, test: float) -> dict[str, float]:
    if not (val >= 0 and test >= 0 and val + test < 1):
        raise InputError(
            f"expected --val and --test as shares from 0, together below 1, got {val} and {test}"
        )
    shares = {"train": 1 - val - test, "val": val, "test": test}
    return {name: share for name, share in shares.items() if share > 0}


def _expect_free(files: Iterable[Path], annotations: Path, force: bool) -> None:
    for file in files:
        check_writable_file(file, [annotations])
        if file.exists() and not force:
            raise InputError(
                f"{file} exists and is not replaced; name another --out or add --force"
            )


def _groups(path: Path, images: Entries, key: str | None) -> list[list[int]]:
    """Rows of images that stay together, in the file's order."""
    groups: dict[object, list[int]] = {}
    for row, image in enumerate(images):
        value = image.get(key) if key is not None else None
        name = ("alone", row) if value is None else ("together", json.dumps(value, sort_keys=True))
        groups.setdefault(name, []).append(row)
    if key is not None and images and not any(image.get(key) is not None for image in images):
        raise InputError(
            f"{path}: no image has the key {key!r} of --group; "
            f"images have {', '.join(sorted(images[0]))}"
        )
    return list(groups.values())


def _deal(
    sizes: Sequence[int], shares: Mapping[str, float], total: int, seed: int
) -> dict[str, list[int]]:
    """Indices of groups for each part, dealt in a drawn order to the part that lacks most images.

    A part that got none, because the groups are larger than it, takes the last one of the largest.
    """
    order = np.random.default_rng(seed).permutation(len(sizes)).tolist()
    lacking = {name: share * total for name, share in shares.items()}
    dealt: dict[str, list[int]] = {name: [] for name in shares}
    for index in order:
        poorest = max(lacking, key=lambda name: lacking[name])
        dealt[poorest].append(index)
        lacking[poorest] -= sizes[index]
    for groups in dealt.values():
        richest = max(dealt.values(), key=len)
        if not groups and len(richest) > 1:
            groups.append(richest.pop())
    return dealt


def _with_sigmas(content: Mapping[str, Entries]) -> Entries:
    """The categories, with sigmas where annotators' spread over the whole file gives some."""
    categories = []
    for category in content["categories"]:
        found = dict(category)
        if category.get("keypoints"):
            annotations: list[Json] = [
                one
                for one in content["annotations"]
                if one.get("category_id", category.get("id")) == category.get("id")
            ]
            described = describe_category(category, annotations)
            if any(source.startswith("annotators") for source in described.sigma_sources):
                found["sigmas"] = list(described.skeleton.sigmas)
        categories.append(found)
    return categories


def _write(file: Path, content: Mapping[str, Entries], rows: Sequence[int], groups: int) -> Part:
    images = [content["images"][row] for row in rows]
    ids = {str(image["id"]) for image in images}
    annotations = [one for one in content["annotations"] if str(one["image_id"]) in ids]
    with atomic_path(file) as temporary:
        part = {**content, "images": images, "annotations": annotations}
        temporary.write_text(json.dumps(part), encoding="utf-8")
    return Part(file, len(images), groups, len(annotations))
