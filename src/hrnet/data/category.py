"""What a COCO category says of its keypoints: names, bones, mirror pairs and sigmas.

Training, evaluation and `hrnet data check` ask the same function, so the check shows what is used.
Source: https://cocodataset.org/#format-data. `sigmas` and `flip_pairs` are extensions.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from hrnet.data.sigmas import Json, annotator_spread
from hrnet.errors import InputError
from hrnet.skeleton import COCO_PERSON, DEFAULT_SIGMA, Skeleton, infer_flip_pairs

Pair = tuple[int, int]


@dataclass(frozen=True, slots=True)
class CategorySkeleton:
    """The skeleton of a category and where its parts come from.

    sigma_sources: for each keypoint "annotation file", "COCO", "annotators (N subjects)" or
    "default". flips_given: the category names its mirror pairs; otherwise they are inferred.
    """

    skeleton: Skeleton
    sigma_sources: tuple[str, ...]
    flips_given: bool

    @property
    def sigmas_source(self) -> str:
        """Where the sigmas come from, in a few words."""
        sources = self.sigma_sources
        if sources[0] in ("annotation file", "COCO"):
            return sources[0]
        inferred = sum(source != "default" for source in sources)
        if not inferred:
            return f"default {DEFAULT_SIGMA} for every keypoint"
        of_all = f"spread of annotators for {inferred} of {len(sources)} keypoints"
        rest = f", default {DEFAULT_SIGMA} for the others" if inferred < len(sources) else ""
        return of_all + rest


def describe_category(
    category: Mapping[str, object], annotations: Iterable[Json] = ()
) -> CategorySkeleton:
    """Read a COCO category's keypoints.

    Mirror pairs: `flip_pairs` of the category, pairs of names or of indices from 0, else inferred
    from left and right in the names. An empty list says that nothing mirrors.
    Sigmas: `sigmas` of the category, COCO's where the names are those of COCO persons, inferred
    from `annotations` of the category where several annotators labelled the same subjects
    (`annotator_spread`), else one default.
    Raises InputError where these do not fit the names.
    """
    names = tuple(str(name) for name in category["keypoints"])  # type: ignore[attr-defined]
    given = category.get("flip_pairs")
    inferred = infer_flip_pairs(names)
    flips = inferred if given is None else _flip_pairs(given, names, inferred)
    if names == COCO_PERSON.names and not category.get("sigmas"):
        skeleton = replace(COCO_PERSON, flip_pairs=flips)
        return CategorySkeleton(skeleton, ("COCO",) * len(names), given is not None)
    edges = bones_of(category.get("skeleton") or (), len(names))
    sigmas = tuple(float(value) for value in category.get("sigmas") or ())  # type: ignore[attr-defined]
    sources = ("annotation file",) * len(names)
    if not sigmas:
        sigmas, sources = _inferred_sigmas(annotations, len(names))
    return CategorySkeleton(Skeleton(names, edges, flips, sigmas), sources, given is not None)


def _inferred_sigmas(
    annotations: Iterable[Json], num_keypoints: int
) -> tuple[tuple[float, ...], tuple[str, ...]]:
    spread = annotator_spread(annotations, num_keypoints)
    values = tuple(DEFAULT_SIGMA if sigma is None else sigma for sigma in spread.sigmas)
    sources = (
        "default" if sigma is None else f"annotators ({count} subjects)"
        for sigma, count in zip(spread.sigmas, spread.subjects, strict=True)
    )
    return values, tuple(sources)


def _flip_pairs(given: object, names: Sequence[str], inferred: Sequence[Pair]) -> tuple[Pair, ...]:
    """Pairs of names or indices as pairs of indices; the names tell which one is the left one."""
    pairs = []
    for entry in given if isinstance(given, list) else [given]:
        if not isinstance(entry, list) or len(entry) != 2:
            raise InputError(
                f"expected flip_pairs as pairs of keypoint names or of indices from 0, got "
                f"{entry!r:.60}; write them as [[left, right], ...]"
            )
        first, second = (_index(member, names) for member in entry)
        pairs.append((second, first) if (second, first) in inferred else (first, second))
    return tuple(pairs)


def _index(member: object, names: Sequence[str]) -> int:
    if isinstance(member, int):
        return member
    if member not in names:
        raise InputError(
            f"flip_pairs names {member!r:.60}, which is no keypoint; use the names of the category"
        )
    return list(names).index(str(member))


def bones_of(pairs: object, num_keypoints: int) -> tuple[Pair, ...]:
    """Pairs of keypoint indices from 0 of a COCO category's bones.

    They count from 1 in COCO and from 0 in data sets such as ATRW, where an index 0 gives it away.
    CrowdPose repeats COCO's bones for its own, fewer keypoints: bones with an index beyond the
    keypoints are wrong as a whole and left out, for they are only drawn.
    """
    bones = [(int(a), int(b)) for a, b in pairs]  # type: ignore[attr-defined]
    used = [index for bone in bones for index in bone]
    first = 0 if 0 in used else 1
    if any(not first <= index < first + num_keypoints for index in used):
        return ()
    return tuple((a - first, b - first) for a, b in bones)
