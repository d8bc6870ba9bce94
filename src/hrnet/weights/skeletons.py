"""The keypoints of published data sets, by name; the facts are in skeletons.toml beside this."""

import tomllib
from difflib import get_close_matches
from functools import cache
from pathlib import Path
from typing import Any

from hrnet.errors import InputError
from hrnet.skeleton import COCO_PERSON, Skeleton


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


def skeleton_names() -> tuple[str, ...]:
    """Return every name that `published_skeleton` takes."""
    return ("coco", *_tables())


@cache
def _tables() -> dict[str, dict[str, Any]]:
    return tomllib.loads(Path(__file__).with_name("skeletons.toml").read_text("utf-8"))


def _pairs(rows: list[list[int]]) -> tuple[tuple[int, int], ...]:
    return tuple((first, second) for first, second in rows)
