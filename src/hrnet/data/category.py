"""The categories of a COCO file that are taken, and their bones, mirror pairs and sigmas.

Training, evaluation and `hrnet data check` call the same functions, so the check shows what the
others use.
Source: https://cocodataset.org/#format-data. `sigmas` and `flip_pairs` are extensions.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

from hrnet.data.coco_file import (
    WHOLEBODY_PARTS,
    CocoAnnotation,
    CocoCategory,
    CocoFile,
    Json,
    twice,
)
from hrnet.data.findings import Findings
from hrnet.data.sigmas import annotator_spread
from hrnet.errors import InputError, printable
from hrnet.numbers import to_floats, to_int
from hrnet.skeleton import (
    COCO_PERSON,
    DEFAULT_SIGMA,
    LONGEST_NAME,
    MOST_BONES,
    MOST_KEYPOINTS,
    Skeleton,
    find_published,
    infer_flip_pairs,
)

Pair = tuple[int, int]
Kind = TypeVar("Kind")


@dataclass(frozen=True, slots=True)
class CategorySkeleton:
    """The skeleton of a category and where its parts come from.

    sigma_sources: for each keypoint "annotation file", the name of a published skeleton ("COCO" for
    that of COCO's persons), "annotators (N subjects)" or "default". flips_given: the category names
    its mirror pairs; otherwise they are inferred.
    """

    skeleton: Skeleton
    sigma_sources: tuple[str, ...]
    flips_given: bool

    @property
    def sigmas_source(self) -> str:
        """Name the source of the sigmas in a few words."""
        sources = self.sigma_sources
        if not sources[0].startswith(("annotators", "default")):
            return sources[0]
        inferred = sum(source != "default" for source in sources)
        if not inferred:
            return f"default {DEFAULT_SIGMA} for every keypoint"
        of_all = f"spread of annotators for {inferred} of {len(sources)} keypoints"
        rest = f", default {DEFAULT_SIGMA} for the others" if inferred < len(sources) else ""
        return of_all + rest


@dataclass(frozen=True, slots=True, eq=False)
class Chosen:
    """The categories that are taken as one, by the entry of the first, and their annotations.

    raw: its keypoints are the K names, or stand-ins where the file has none.
    """

    name: str
    raw: Json
    ids: frozenset[int]
    annotations: Sequence[CocoAnnotation]


def choose_categories(file: CocoFile, findings: Findings, wanted: str | None = None) -> Chosen:
    """Choose the categories with keypoints and annotations; they must have the same keypoints.

    wanted: the name or id of the one to take. An annotation without a category is of the only one.
    Raises InputError where the file has no wanted category with keypoints.
    """
    note_unlisted(file, findings)
    # Group the used categories by their keypoints; a stand-in keeps a check going without any.
    used = Counter(one.category_id for one in file.annotations)
    groups = _groups([one for one in _wanted(file, wanted) if one.keypoints], used)
    if not groups:
        findings.state(
            "error",
            "no category has keypoint names",
            "expected one",
            'training would stop; add them to the category as "keypoints": [...], or, for a '
            "detector, boxes to the annotations",
        )
        groups = [[_stand_in(file, used)]]
    # Several groups cannot be trained together; the largest is checked further.
    if len(groups) > 1:
        findings.error(
            "categories with different keypoints, where one kind is expected",
            [one.name for group in groups for one in group],
            "training would stop; choose one with --category NAME, or write a file of its own with "
            "`hrnet data split FILE --category NAME --val 0 --out DIR`",
        )
    group = max(groups, key=lambda group: sum(used[one.id] for one in group))
    if len(group) > 1:
        findings.warning(
            "categories with the same keypoints",
            [one.name for one in group],
            "they are taken as one; --category NAME takes one alone",
        )
    return _taken(file, group, findings)


def note_unlisted(file: CocoFile, findings: Findings) -> None:
    """Note the annotations of categories that the file does not list."""
    listed = {one.id for one in file.categories} | {None}
    findings.error(
        "annotations of categories that are not listed",
        [one.name for one in file.annotations if one.category_id not in listed],
        "training would leave them out; correct their category_id",
    )


def _wanted(file: CocoFile, name: str | None) -> Sequence[CocoCategory]:
    """The categories of a name or, if there is none, of that id; all without a name."""
    if name is None:
        return file.categories
    name = str(name)  # an id may come as the number that it is
    named = [one for one in file.categories if one.name == name]
    found = named or [one for one in file.categories if one.id is not None and str(one.id) == name]
    if not any(one.keypoints for one in found):
        known = ", ".join([one.name for one in file.categories if one.keypoints][:20]) or "none"
        raise InputError(
            f"{file.path}: expected --category as one with keypoint names ({known}), got {name}"
        )
    return found


def _groups(
    categories: Sequence[CocoCategory], used: Mapping[int | None, int]
) -> list[list[CocoCategory]]:
    """Those with annotations, if there are any, with their likes: names, pairs and sigmas."""
    alike: dict[str, list[CocoCategory]] = {}
    for one in [one for one in categories if used.get(one.id)] or categories[:1]:
        rest = (one.raw.get("flip_pairs"), one.raw.get("sigmas"))
        alike.setdefault(repr((one.keypoints, *rest)), []).append(one)
    return list(alike.values())


def _stand_in(file: CocoFile, used: Mapping[int | None, int]) -> CocoCategory:
    """The category with most annotations, with names made up for as many keypoints as most have."""
    empty = CocoCategory(None, "no name", (), {})
    most = max(file.categories, key=lambda one: used.get(one.id, 0), default=empty)
    lengths = Counter(
        len(one.triples)
        for one in file.annotations
        if one.triples is not None and one.category_id in (most.id, None)
    )
    count = lengths.most_common(1)[0][0] if lengths else 1
    return replace(most, keypoints=tuple(f"kp_{k}" for k in range(count)))


def _note_entries(file: CocoFile, group: Sequence[CocoCategory], findings: Findings) -> None:
    """Note ids that other categories have too, and keypoint names that are none."""
    ids = {one.id for one in group if one.id is not None}
    if not ids:
        findings.state("error", "the category has no id", "expected a whole number", "add it")
    named = {(one.id, one.name, one.keypoints) for one in file.categories if one.id in ids}
    findings.error(
        "ids that several categories have",
        twice(number for number, _, _ in named),
        "their subjects cannot be told apart; number the categories anew",
    )
    names = group[0].raw.get("keypoints")
    findings.error(
        "keypoint names that are neither text nor number",
        [f"{name!r:.60}" for name in names if not isinstance(name, str | int | float)]
        if isinstance(names, list)
        else [],
        'training would stop; write "keypoints": ["nose", ...]',
    )


def _taken(file: CocoFile, group: Sequence[CocoCategory], findings: Findings) -> Chosen:
    _note_entries(file, group, findings)
    ids = frozenset(one.id for one in group if one.id is not None)
    taken = [one for one in file.annotations if one.category_id is None or one.category_id in ids]
    others = [one for one in file.annotations if one.category_id not in (ids | {None})]
    findings.warning(
        "subjects of other categories",
        [one.name for one in others if one.labelled],
        "they are left out",
    )
    findings.warning(
        f"subjects with points beyond the keypoints ({', '.join(WHOLEBODY_PARTS)})",
        [one.name for one in taken if one.parts],
        "these are not read; `hrnet data import FILE --format wholebody` takes all 133",
    )
    return Chosen(group[0].name, {**group[0].raw, "keypoints": group[0].keypoints}, ids, taken)


def describe_category(
    category: Json, annotations: Iterable[CocoAnnotation] = (), findings: Findings | None = None
) -> CategorySkeleton:
    """Read a COCO category's keypoints.

    Mirror pairs: `flip_pairs` of the category, pairs of names or of indices from 0, else inferred
    from left and right in the names. With an empty list nothing mirrors.
    Sigmas: `sigmas` of the category, those of the published skeleton that has the same names, as
    COCO's persons have, inferred from `annotations` of the category where several annotators
    labelled the same subjects (`annotator_spread`), else one default.
    Bones that do not fit are left out with a warning, since they are only drawn.
    findings: collects the errors; a value that cannot be used is then treated as absent. Without it
    the first error raises InputError.
    """
    findings = Findings(strict=True) if findings is None else findings
    # The keypoints, with names made up where the given ones cannot be used.
    given = category.get("keypoints")
    names = tuple(map(str, given)) if isinstance(given, list | tuple) else ()
    skeleton = _try(lambda: Skeleton(names), Skeleton(_all_different(names) or ("kp_0",)), findings)
    # Mirror pairs as given, else by the names.
    flips, sigmas = category.get("flip_pairs"), category.get("sigmas")
    inferred = infer_flip_pairs(skeleton.names)
    skeleton = replace(skeleton, flip_pairs=inferred)
    if flips is not None:
        skeleton = _try(
            lambda: replace(skeleton, flip_pairs=_flip_pairs(flips, names, inferred)),
            skeleton,
            findings,
        )
    # Published keypoints have an upper half, and bones and sigmas where none are given.
    skeleton = replace(skeleton, edges=_bones(category.get("skeleton"), skeleton.names, findings))
    published = find_published(names)
    if published is not None:
        source, known = published
        skeleton = replace(
            skeleton, edges=skeleton.edges or known.edges, upper_body=known.upper_body
        )
        if not sigmas and known is COCO_PERSON:
            skeleton = replace(known, flip_pairs=skeleton.flip_pairs)
            return CategorySkeleton(skeleton, ("COCO",) * len(names), flips is not None)
        if not sigmas:
            skeleton = replace(skeleton, sigmas=known.sigmas)
            return CategorySkeleton(skeleton, (source,) * len(names), flips is not None)
    # Sigmas as given, else from several annotators, else the default.
    with_sigmas = None
    if sigmas:
        with_sigmas = _try(lambda: _given_sigmas(skeleton, sigmas), None, findings)
    if with_sigmas is not None:
        sources = ("annotation file",) * skeleton.num_keypoints
        return CategorySkeleton(with_sigmas, sources, flips is not None)
    values, sources = _inferred_sigmas(annotations, skeleton.num_keypoints)
    return CategorySkeleton(replace(skeleton, sigmas=values), sources, flips is not None)


def _try(read: Callable[[], Kind], otherwise: Kind, findings: Findings) -> Kind:
    """Return the result of `read`; note its InputError, if any, and return `otherwise`."""
    try:
        return read()
    except InputError as error:
        findings.state("error", "the category cannot be used", error, "training would stop")
        return otherwise


def _all_different(names: Sequence[str]) -> tuple[str, ...]:
    """Make names that a skeleton accepts: short, printable, all different."""
    different: dict[str, None] = {}
    for name in map(printable, names[:MOST_KEYPOINTS]):
        another, count = name[: LONGEST_NAME // 2], 1
        name = another
        while another in different:
            count += 1
            another = f"{name} #{count}"
        different[another] = None
    return tuple(different)


def _given_sigmas(skeleton: Skeleton, given: object) -> Skeleton:
    values = to_floats(given)
    if values is None:
        raise InputError(
            f"expected {skeleton.num_keypoints} positive sigmas, one for each keypoint, "
            f"got {given!r:.60}; give one for each name or leave them out"
        )
    return replace(skeleton, sigmas=tuple(values.tolist()))


def _inferred_sigmas(
    annotations: Iterable[CocoAnnotation], num_keypoints: int
) -> tuple[tuple[float, ...], tuple[str, ...]]:
    spread = annotator_spread(annotations, num_keypoints)
    values = tuple(DEFAULT_SIGMA if sigma is None else sigma for sigma in spread.sigmas)
    sources = (
        "default" if sigma is None else f"annotators ({count} subjects)"
        for sigma, count in zip(spread.sigmas, spread.subjects, strict=True)
    )
    return values, tuple(sources)


def _flip_pairs(given: object, names: Sequence[str], inferred: Sequence[Pair]) -> tuple[Pair, ...]:
    """Pairs of names or indices as pairs of indices, the left one first where names have sides."""
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
    if member in names:
        return list(names).index(str(member))
    number = None if isinstance(member, str) else to_int(member)
    if number is None:
        raise InputError(
            f"flip_pairs names {member!r:.60}, which is no keypoint; use the names of the category"
        )
    return number


def _bones(given: object, names: Sequence[str], findings: Findings) -> tuple[Pair, ...]:
    """The bones of a COCO category as pairs of keypoint indices from 0; odd ones are left out.

    They are pairs of names or of numbers, which count from 1 in COCO and from 0 in data sets such
    as ATRW, recognised by an index 0.
    CrowdPose repeats COCO's bones for its own, fewer keypoints: bones with an index beyond the
    keypoints are wrong as a whole and left out, for they are only drawn.
    """
    # Both ends of each bone as (index of a name, number); one of the two is None.
    places = {name: index for index, name in enumerate(names)}
    listed = given if isinstance(given, list) else []
    ends = [
        [(places.get(end) if isinstance(end, str) else None, to_int(end)) for end in bone]
        for bone in listed
        if isinstance(bone, list) and len(bone) == 2
    ]
    # Numbers count from 1 unless one of them is 0.
    first = 0 if any(end == (None, 0) for bone in ends for end in bone) else 1
    pairs = []
    for bone in ends:
        a, b = (
            place if place is not None else None if number is None else number - first
            for place, number in bone
        )
        if a is not None and b is not None:
            pairs.append((a, b))
    fits = all(0 <= index < len(names) for pair in pairs for index in pair)
    bones = tuple(pairs[:MOST_BONES]) if fits else ()
    # Something in place of a list counts as one bone that does not fit.
    if given and len(bones) < max(1, len(listed)):
        findings.state(
            "warning",
            "bones that do not fit the keypoints",
            f"{given!r:.120}" if not bones else f"{len(listed) - len(bones)} of {len(listed)}",
            "they are left out, which only changes drawings; they are pairs of names, or of "
            "numbers that count from 1 (or from 0)",
        )
    return bones
