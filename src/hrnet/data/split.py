"""Split a COCO file of keypoints or boxes by its images: training, validation and test."""

import json
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

import numpy as np

from hrnet.data.category import choose_categories, describe_category, note_unlisted
from hrnet.data.coco_boxes import choose_classes, holds_boxes
from hrnet.data.coco_file import (
    CocoAnnotation,
    CocoFile,
    Json,
    note_problems,
    note_sizes,
    read_coco,
)
from hrnet.data.findings import Findings
from hrnet.errors import InputError
from hrnet.files import check_new_file, write_text


@dataclass(frozen=True, slots=True)
class WrittenPart:
    """One written part with its counts.

    subjects: all annotations, labelled or not. kind: their noun. lacking: names of the categories
    that another part shows and this one does not. groups: of images that stay together. alone:
    images that lack the key of the groups.
    """

    file: Path
    images: int
    subjects: int
    kind: str
    lacking: tuple[str, ...]
    groups: int = 0
    alone: int = 0


def split_dataset(
    annotations: Path,
    folder: Path,
    *,
    val: float = 0.1,
    test: float = 0.0,
    group: str | None = None,
    category: str | None = None,
    seed: int = 0,
    force: bool = False,
) -> list[WrittenPart]:
    """Write train.json, val.json and, with a share above 0, test.json into a folder.

    val, test: shares of all images. Whole groups are dealt out, so the shares are met as nearly as
    the groups allow, by category too (see `deal_balanced`). group: key of the images, such as
    video_id, whose equal values stay together; images without it stand alone. Entries of one
    picture stay together, too. category: take that category alone, by its name or id, and the
    images that show it. Everything else of the file is kept in each part. Sigmas that follow from
    several annotators are written into the category, so that all parts use the same.
    The seed fixes the parts.
    Raises InputError for shares outside 0..1, a group that no image has, parts that would be
    empty, files that exist (unless `force`) and for the input itself, before anything is written.
    """
    if seed < 0:
        raise InputError(f"expected --seed as a whole number from 0, got {seed}")
    # Group the images that must stay together, and deal the groups out.
    file = _read(annotations, category)
    images = [image.raw for image in file.images]
    shares = part_shares(val, test)
    files = {name: folder / f"{name}.json" for name in shares}
    members = _groups(annotations, images, group)
    members = _joined(members, [image.file_name for image in file.images])
    shown = _shown_categories(file)
    contents = [Counter(one for row in rows for one in shown[row]) for rows in members]
    dealt = deal_balanced([len(rows) for rows in members], contents, shares, seed)
    chosen = {
        name: [row for index in indices for row in members[index]]
        for name, indices in dealt.items()
    }
    # All that could go wrong is checked before the first file is written.
    empty = [name for name, rows in chosen.items() if not rows]
    if empty:
        raise InputError(
            f"{annotations}: expected images for each part, but {', '.join(empty)} would get none "
            f"of {len(members)} groups of images; change --val and --test, or add images"
        )
    for target in files.values():
        check_new_file(target, [annotations], force=force)
    categories = _with_sigmas(file)
    held = {name: {one for row in rows for one in shown[row]} for name, rows in chosen.items()}
    every = set().union(*held.values())
    return [
        replace(
            _write(files[name], file, categories, sorted(rows), every - held[name]),
            groups=len(dealt[name]),
            alone=sum(images[row].get(group) is None for row in rows) if group else 0,
        )
        for name, rows in chosen.items()
    ]


def split_folds(
    annotations: Path,
    folder: Path,
    names: Sequence[str],
    *,
    group: str | None = None,
    category: str | None = None,
    seed: int = 0,
) -> int:
    """Deal images out to folds, and write NAME_train.json and NAME_val.json for each.

    A fold's validation part is the fold, its training part all others. Groups and categories are
    as in `split_dataset`: what stays together is in one fold, and each fold has its share of each
    category. Returns how many images lack the key of `group`, and so stand alone.
    Raises InputError where there are fewer groups than folds, before anything is written.
    """
    file = _read(annotations, category)
    members = _groups(annotations, [image.raw for image in file.images], group)
    members = _joined(members, [image.file_name for image in file.images])
    if len(members) < len(names):
        raise InputError(
            f"{annotations}: expected {len(names)} groups of images or more for as many folds, "
            f"found {len(members)}; take fewer folds"
        )
    shown = _shown_categories(file)
    contents = [Counter(one for row in rows for one in shown[row]) for rows in members]
    shares = dict.fromkeys(names, 1 / len(names))
    dealt = deal_balanced([len(rows) for rows in members], contents, shares, seed)
    rows_of = {name: sorted(row for one in dealt[name] for row in members[one]) for name in names}
    categories = _with_sigmas(file)
    for name, rows in rows_of.items():
        others = sorted(row for other, own in rows_of.items() if other != name for row in own)
        for part, chosen in (("train", others), ("val", rows)):
            target = folder / f"{name}_{part}.json"
            check_new_file(target, [annotations], force=False)
            _write(target, file, categories, chosen, set())
    return 0 if group is None else sum(image.raw.get(group) is None for image in file.images)


def _shown_categories(file: CocoFile) -> list[set[int | None]]:
    """Return the category ids that each image shows; {None} where it shows none."""
    of_image: dict[int | None, set[int | None]] = {}
    for one in file.annotations:
        of_image.setdefault(one.image_id, set()).add(one.category_id)
    return [of_image.get(image.id, {None}) for image in file.images]


def _read(path: Path, category: str | None) -> CocoFile:
    """Read a file whole, or one category of it with its annotations and their images."""
    findings = Findings(strict=True, path=path)
    file = read_coco(path, findings)
    note_unlisted(file, findings)
    if category is not None:
        file = _of_category(file, category, findings)
    # Only annotations with keypoints are held to the rules of keypoints.
    note_sizes(file.images, findings)
    keyed = {one.id for one in file.categories if one.keypoints} | {None}
    note_problems([one for one in file.annotations if one.category_id in keyed], findings)
    note_problems(file.annotations, findings, ("image_id", "unlisted"))
    return file


def _of_category(file: CocoFile, category: str, findings: Findings) -> CocoFile:
    """Return a file with one category, its annotations and the images that show it."""
    if holds_boxes(file.raw):
        ids: frozenset[int | None] = frozenset(
            one.id for one in choose_classes(file, findings, category)
        )
        annotations: Sequence[CocoAnnotation] = [
            one for one in file.annotations if one.category_id in ids
        ]
    else:
        chosen = choose_categories(file, findings, category)
        ids, annotations = frozenset(chosen.ids), chosen.annotations
    shown = {one.image_id for one in annotations}
    return replace(
        file,
        images=[image for image in file.images if image.id in shown],
        categories=[one for one in file.categories if one.id in ids],
        annotations=annotations,
    )


def part_shares(val: float, test: float) -> dict[str, float]:
    """Return the shares of train, val and test that are above 0; InputError for impossible ones."""
    if not (val >= 0 and test >= 0 and val + test < 1):
        raise InputError(
            f"expected --val and --test as shares from 0, together below 1, got {val} and {test}"
        )
    shares = {"train": 1 - val - test, "val": val, "test": test}
    return {name: share for name, share in shares.items() if share > 0}


def _groups(path: Path, images: Sequence[Json], key: str | None) -> list[list[int]]:
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


def _joined(groups: Sequence[list[int]], names: Sequence[str | None]) -> list[list[int]]:
    """Join the groups that share a picture, for a file may list one more than once."""
    leader = list(range(len(groups)))  # of each group an earlier one of its set, or itself

    # A forest of disjoint sets: each group points to an earlier one until the first.
    def first_of(group: int) -> int:
        while leader[group] != group:
            leader[group] = leader[leader[group]]
            group = leader[group]
        return group

    # Two groups that show one file become one set.
    shown_in: dict[PurePosixPath, int] = {}
    for number, rows in enumerate(groups):
        for name in filter(None, (names[row] for row in rows)):
            ends = {first_of(shown_in.setdefault(PurePosixPath(name), number)), first_of(number)}
            leader[max(ends)] = min(ends)
    joined: dict[int, list[int]] = {}
    for number, rows in enumerate(groups):
        joined.setdefault(first_of(number), []).extend(rows)
    return list(joined.values())


def deal_groups(
    sizes: Sequence[int], shares: Mapping[str, float], total: int, seed: int | Sequence[int]
) -> dict[str, list[int]]:
    """Deal groups out to parts in a drawn order, each to the part that lacks most images.

    sizes: images in each group. shares: of `total` images, by part. Returns indices of groups by
    part. A part that got none, because the groups are larger than it, takes the last group of the
    part with most groups.
    """
    # Each group goes to the part whose share is least filled, in numbers of images.
    order = np.random.default_rng(seed).permutation(len(sizes)).tolist()
    lacking = {name: share * total for name, share in shares.items()}
    dealt: dict[str, list[int]] = {name: [] for name in shares}
    for index in order:
        poorest = max(lacking, key=lambda name: lacking[name])
        dealt[poorest].append(index)
        lacking[poorest] -= sizes[index]
    _fill_empty(dealt)
    return dealt


@dataclass(slots=True)
class _ClassShares:
    """The dealing of the groups of one class.

    left: groups not dealt yet, in order. images: in all groups. dealt: images of each part.
    without: parts that have none.
    """

    left: dict[int, None]
    images: int
    dealt: Counter[str]
    without: set[str]

    def lacks(self, part: str, share: float) -> float:
        """Return the images that a part lacks of its share."""
        return round(share * self.images - self.dealt[part], 6)


def deal_balanced(
    sizes: Sequence[int],
    contents: Sequence[Mapping[int | None, int]],
    shares: Mapping[str, float],
    seed: int,
) -> dict[str, list[int]]:
    """Deal groups out so that each part has its share of the images of each class.

    sizes: images in each group. contents: class -> its images in the group. Returns indices of
    groups by part. The rarest class comes first, as in iterative stratification (Sechidis et al.
    2011), its larger groups first, and a part that has none of a class gets one of the last groups
    of it. So each part shows a class that has as many groups as there are parts, unless two classes
    ask for different parts of one group; many rare classes make small parts larger than their
    share. The seed fixes the parts.
    """
    # The groups of each class in a drawn order, and the images that each part lacks.
    order = np.random.default_rng(seed).permutation(len(sizes)).tolist()
    classes: dict[int | None, _ClassShares] = {}
    for index in sorted(order, key=lambda one: -sizes[one]):
        for label, images in contents[index].items():
            own = classes.setdefault(label, _ClassShares({}, 0, Counter(), set(shares)))
            own.left[index] = None
            own.images += images
    lacking = {name: share * sum(sizes) for name, share in shares.items()}
    dealt: dict[str, list[int]] = {name: [] for name in shares}
    # Group by group of the rarest class that is left, to the part that needs it most.
    while waiting := [label for label, own in classes.items() if own.left]:
        rarest = classes[min(waiting, key=lambda label: len(classes[label].left))]
        # Its last group may have to fill a gap, so that is the one that fills most gaps.
        missing = {label for label, own in classes.items() if own.without}
        last = max(rarest.left, key=lambda one: (-sizes[one], len(missing & contents[one].keys())))
        for index in [*(one for one in rarest.left if one != last), last]:
            held = [classes[label] for label in contents[index]]
            urgent = [own.without for own in held if len(own.left) <= len(own.without)]
            needs = {
                name: (sum(name in one for one in urgent), rarest.lacks(name, share), lacking[name])
                for name, share in shares.items()
            }
            part = max(needs, key=lambda name: needs[name])
            dealt[part].append(index)
            lacking[part] -= sizes[index]
            for label, images in contents[index].items():
                del classes[label].left[index]
                classes[label].dealt[part] += images
                classes[label].without.discard(part)
    _fill_empty(dealt)
    return dealt


def _fill_empty(dealt: Mapping[str, list[int]]) -> None:
    """Give each part without a group the last one of the part that has most."""
    for groups in dealt.values():
        richest = max(dealt.values(), key=len)
        if not groups and len(richest) > 1:
            groups.append(richest.pop())


def _with_sigmas(file: CocoFile) -> list[Json]:
    """The categories, with sigmas where annotators' spread over the whole file gives some."""
    categories: list[Json] = []
    is_only = sum(bool(one.keypoints) for one in file.categories) == 1
    for category in file.categories:
        found = dict(category.raw)
        # An annotation without a category belongs to the only one.
        ids = {category.id, None} if is_only else {category.id}
        own = [one for one in file.annotations if one.category_id in ids]
        if category.keypoints and own:
            findings = Findings(strict=True, path=file.path)
            described = describe_category(category.raw, own, findings)
            if any(source.startswith("annotators") for source in described.sigma_sources):
                found["sigmas"] = list(described.skeleton.sigmas)
        categories.append(found)
    return categories


def _write(
    target: Path,
    file: CocoFile,
    categories: list[Json],
    rows: Sequence[int],
    lacking: Collection[int | None],
) -> WrittenPart:
    images = [file.images[row] for row in rows]
    ids = {image.id for image in images}
    shown = {"images": [image.raw for image in images], "categories": categories}
    annotations = [one.raw for one in file.annotations if one.image_id in ids]
    write_text(target, json.dumps({**file.raw, **shown, "annotations": annotations}))
    return WrittenPart(
        file=target,
        images=len(images),
        subjects=len(annotations),
        kind="boxes" if holds_boxes(file.raw) else "subjects",
        lacking=tuple(one.name for one in file.categories if one.id in lacking),
    )
