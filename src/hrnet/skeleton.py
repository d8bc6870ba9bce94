"""Keypoints of a subject, their bones and their mirror pairs.

Skeletons of published data sets go by names; all but that of COCO persons are in skeletons.toml.
"""

import re
import tomllib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cache
from pathlib import Path
from typing import Any

from hrnet.errors import InputError

DEFAULT_SIGMA = 0.05
"""OKS sigma of an unmeasured keypoint: between COCO's eyes (0.025) and hips (0.107)."""

MOST_KEYPOINTS, MOST_BONES, LONGEST_NAME = 1000, 3000, 200
"""Limits of a skeleton, and of the characters of a name. Face meshes have 478 keypoints and about
1,350 bones; without limits a file could demand any amount of time and memory."""

_SIDES = (
    (re.compile("left"), "right"),
    (re.compile("Left"), "Right"),
    (re.compile("LEFT"), "RIGHT"),
    (re.compile(r"(?<![a-zA-Z])l(?![a-z])"), "r"),
    (re.compile(r"(?<![a-zA-Z])L(?![a-zA-Z])|^L(?=[A-Z][a-z])|(?<=[a-z])L(?=\d*$)"), "R"),
)
"""Pattern of "left" in a name -> its replacement in the right keypoint's name."""

_ONE_SIDED = (
    re.compile("(?<!c)left|(?<!up)(?<!b)(?<!f)right", re.IGNORECASE),
    re.compile(r"(?<![a-zA-Z])[lr](?![a-z])"),
    re.compile(r"(?<![a-zA-Z])[LR](?![a-zA-Z])|^[LR](?=[A-Z][a-z])|(?<=[a-z])[LR](?=\d*$)"),
)
"""Patterns of a name with a side, left or right."""


@dataclass(frozen=True, slots=True)
class Skeleton:
    """Keypoints of one kind of subject.

    names: K names, all different.
    edges: pairs of keypoint indices (from 0) that are drawn as bones.
    flip_pairs: pairs (left, right) that swap in a mirrored image; empty if nothing swaps.
    sigmas: K OKS sigmas, the standard deviation of human annotators relative to the square root
        of the subject's area (COCO keypoint evaluation; larger is more tolerant).
    upper_body: indices of the upper half, for half-body augmentation; empty turns it off.
    Raises InputError for values that do not fit together.
    """

    names: tuple[str, ...]
    edges: tuple[tuple[int, int], ...] = ()
    flip_pairs: tuple[tuple[int, int], ...] = ()
    sigmas: tuple[float, ...] = ()
    upper_body: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        # Names: any number within the limits, all different.
        if not self.names:
            raise InputError("a skeleton needs at least one keypoint name, got none")
        counts = (len(self.names), len(self.edges), max(map(len, self.names)))
        most = (MOST_KEYPOINTS, MOST_BONES, LONGEST_NAME)
        if any(count > limit for count, limit in zip(counts, most, strict=True)):
            raise InputError(
                "a skeleton has at most {} keypoints, {} bones and {} letters in a name, "
                "got {}, {} and {}".format(*most, *counts)
            )
        # Names must differ, and be text that UTF-8 can hold.
        if len(set(self.names)) != len(self.names):
            twice = sorted(name for name, count in Counter(self.names).items() if count > 1)
            raise InputError(
                f"keypoint names must differ, got {twice!s:.200} more than once; rename them"
            )
        # Lone surrogates cannot be encoded as UTF-8.
        unwritable = [name for name in self.names if any("\ud800" <= c <= "\udfff" for c in name)]
        if unwritable:
            raise InputError(
                f"keypoint names must be text that can be written, got "
                f"{unwritable[0]!a:.60}; rename it"
            )
        # Sigmas: one for each keypoint.
        if not self.sigmas:
            object.__setattr__(self, "sigmas", (DEFAULT_SIGMA,) * len(self.names))
        if len(self.sigmas) != len(self.names) or not all(1e-6 <= s <= 1e6 for s in self.sigmas):
            raise InputError(
                f"expected {len(self.names)} positive sigmas, one for each keypoint, "
                f"got {list(self.sigmas)}; give one for each name or leave them out"
            )
        # Indices: of existing keypoints, each in one mirror pair at most.
        upper_body = [(index,) for index in self.upper_body]
        groups = (("edge", self.edges), ("flip pair", self.flip_pairs), ("upper body", upper_body))
        for kind, members in groups:
            for member in members:
                if not all(0 <= index < len(self.names) for index in member):
                    raise InputError(
                        f"{kind} {member} names a keypoint outside 0..{len(self.names) - 1}; "
                        "indices count from 0"
                    )
        mirrored = [index for pair in self.flip_pairs for index in pair]
        if len(set(mirrored)) != len(mirrored):
            raise InputError(f"a keypoint mirrors one other at most, got pairs {self.flip_pairs}")

    @property
    def num_keypoints(self) -> int:
        return len(self.names)

    @property
    def flip_order(self) -> tuple[int, ...]:
        """K indices: entry k is the keypoint that takes the place of k in a mirrored image."""
        order = list(range(self.num_keypoints))
        for left, right in self.flip_pairs:
            order[left], order[right] = right, left
        return tuple(order)


def infer_flip_pairs(names: Sequence[str]) -> tuple[tuple[int, int], ...]:
    """Pair each left keypoint with the right one of the same name.

    Recognises left, Left and LEFT anywhere in a name, and l and L as a part of it: l_x, x-l, x.L,
    LHip, hipL, legL2, lHip. Returns pairs (left index, right index) where both names exist.
    """
    index = {name: position for position, name in enumerate(names)}
    pairs: dict[int, int] = {}
    for position, name in enumerate(names):
        # The first existing name with the side replaced is the partner.
        mirrored = (index.get(side.sub(other, name, count=1)) for side, other in _SIDES)
        partner = next((other for other in mirrored if other not in (None, position)), None)
        if partner is not None and not {position, partner} & {*pairs, *pairs.values()}:
            pairs[position] = partner
    return tuple(pairs.items())


def one_sided(names: Sequence[str], flip_pairs: Sequence[tuple[int, int]]) -> tuple[int, ...]:
    """Find names with a side but without a mirror pair, such as a left_eye without right_eye.

    Recognises left and right anywhere but in words such as upright, and l and r as a part of a
    name. Returns their indices.
    """
    paired = {index for pair in flip_pairs for index in pair}
    return tuple(
        index
        for index, name in enumerate(names)
        if index not in paired and any(side.search(name) for side in _ONE_SIDED)
    )


COCO_PERSON = Skeleton(
    names=(
        "nose",
        "left_eye",
        "right_eye",
        "left_ear",
        "right_ear",
        "left_shoulder",
        "right_shoulder",
        "left_elbow",
        "right_elbow",
        "left_wrist",
        "right_wrist",
        "left_hip",
        "right_hip",
        "left_knee",
        "right_knee",
        "left_ankle",
        "right_ankle",
    ),
    edges=(
        (15, 13),
        (13, 11),
        (16, 14),
        (14, 12),
        (11, 12),
        (5, 11),
        (6, 12),
        (5, 6),
        (5, 7),
        (6, 8),
        (7, 9),
        (8, 10),
        (1, 2),
        (0, 1),
        (0, 2),
        (1, 3),
        (2, 4),
        (3, 5),
        (4, 6),
    ),
    flip_pairs=((1, 2), (3, 4), (5, 6), (7, 8), (9, 10), (11, 12), (13, 14), (15, 16)),
    sigmas=(
        0.026,
        0.025,
        0.025,
        0.035,
        0.035,
        0.079,
        0.079,
        0.072,
        0.072,
        0.062,
        0.062,
        0.107,
        0.107,
        0.087,
        0.087,
        0.089,
        0.089,
    ),
    upper_body=(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10),
)
"""The 17 keypoints of COCO persons, with the sigmas of the COCO evaluation code."""


@cache
def published_skeleton(name: str) -> Skeleton:
    """Return the skeleton of a data set, such as "mpii" or "coco_wholebody".

    Raises InputError, with near names, for one that is not known; see `skeleton_names`.
    """
    if name == "coco":
        return COCO_PERSON
    facts = _tables().get(name)
    if facts is None:
        near = get_close_matches(name, skeleton_names(), n=3) or skeleton_names()
        raise InputError(f"expected the name of a skeleton, got {name!r}; try {', '.join(near)}")
    if "same_as" in facts:
        return published_skeleton(facts["same_as"])
    return Skeleton(
        names=tuple(facts["names"]),
        edges=_pairs(facts.get("edges", [])),
        flip_pairs=_pairs(facts.get("flip_pairs", [])),
        sigmas=tuple(facts.get("sigmas", [])),
        upper_body=tuple(facts.get("upper_body", [])),
    )


@cache
def find_published(names: tuple[str, ...]) -> tuple[str, Skeleton] | None:
    """Return the published skeleton that has these keypoint names and sigmas, and its own name."""
    measured = [name for name, facts in _tables().items() if "sigmas" in facts]
    found = (name for name in ("coco", *measured) if published_skeleton(name).names == names)
    return next(((name, published_skeleton(name)) for name in found), None)


def skeleton_names() -> tuple[str, ...]:
    """Return every name that `published_skeleton` takes."""
    return ("coco", *_tables())


@cache
def _tables() -> dict[str, dict[str, Any]]:
    return tomllib.loads(Path(__file__).with_name("skeletons.toml").read_text("utf-8"))


def _pairs(rows: list[list[int]]) -> tuple[tuple[int, int], ...]:
    return tuple((first, second) for first, second in rows)


_OF_PERSONS = (
    *("mpii", "aic", "coco_aic", "crowdpose", "posetrack18", "exlpose"),
    *("coco_wholebody", "humanart", "ubody"),
)
"""Published skeletons of whole persons, beside COCO's."""


def of_persons(names: tuple[str, ...]) -> bool:
    """Return whether keypoints are those of a published data set of persons."""
    if names == COCO_PERSON.names:
        return True
    return any(published_skeleton(name).names == names for name in _OF_PERSONS)


def count_subjects(count: int, *, persons: bool) -> str:
    """Write a number of subjects: "no persons", "1 person", or "2 subjects" of other kinds."""
    noun = "person" if persons else "subject"
    return f"{count or 'no'} {noun}{'s' * (count != 1)}"
