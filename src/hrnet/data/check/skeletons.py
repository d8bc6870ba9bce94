"""What training will make of a category's keypoints: bones, mirror pairs and sigmas, by name."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from hrnet.data.category import CategorySkeleton, describe_category
from hrnet.data.check.content import Content
from hrnet.data.check.findings import Findings
from hrnet.data.sigmas import annotator_spread
from hrnet.errors import InputError
from hrnet.skeleton import Skeleton, infer_flip_pairs, one_sided

MIRRORING_OFF = "MIRRORING IS OFF in training, because no mirror pairs are known"
HOW_TO_PAIR = (
    'name the keypoints left_x and right_x, or add "flip_pairs": [["name", "name"], ...] to the '
    "category; a subject without sides needs none"
)


@dataclass(frozen=True, slots=True)
class SkeletonReport:
    """The keypoints as training and evaluation use them, by name.

    flip_pairs: pairs (left, right). no_partner: the keypoints in no pair, which keep their place
    in a mirrored picture. flips_from: "given by the category", "inferred from the names" or
    "none". sigmas_from: the same words as in an evaluation's protocol. several_annotators: how many
    subjects more than one annotator labelled.
    """

    names: tuple[str, ...]
    edges: tuple[tuple[str, str], ...]
    flip_pairs: tuple[tuple[str, str], ...]
    no_partner: tuple[str, ...]
    flips_from: str
    sigmas: tuple[float, ...]
    sigma_sources: tuple[str, ...]
    sigmas_from: str
    several_annotators: int


def report_skeleton(content: Content, findings: Findings) -> tuple[SkeletonReport, Skeleton]:
    """Describe the category's keypoints and note what is wrong with them."""
    described = _described(content, findings)
    skeleton = described.skeleton
    _check_names(content, findings)
    _check_bones(content, skeleton, findings)
    _check_flips(described, findings)
    several = annotator_spread(content.annotations, skeleton.num_keypoints).num_subjects
    if several:
        findings.state(
            "warning",
            "subjects that several annotators labelled",
            several,
            "each of their annotations is a sample, and in an evaluation a subject, of its own",
        )
    names = skeleton.names
    paired = {index for pair in skeleton.flip_pairs for index in pair}
    inferred = "inferred from the names" if skeleton.flip_pairs else "none"
    report = SkeletonReport(
        names=names,
        edges=tuple((names[a], names[b]) for a, b in skeleton.edges),
        flip_pairs=tuple((names[a], names[b]) for a, b in skeleton.flip_pairs),
        no_partner=tuple(name for index, name in enumerate(names) if index not in paired),
        flips_from="given by the category" if described.flips_given else inferred,
        sigmas=skeleton.sigmas,
        sigma_sources=described.sigma_sources,
        sigmas_from=described.sigmas_source,
        several_annotators=several,
    )
    return report, skeleton


def _described(content: Content, findings: Findings) -> CategorySkeleton:
    """The category as training reads it; if it cannot, with as much of it as can be read."""
    try:
        return describe_category(content.category, content.annotations)
    except (InputError, TypeError, ValueError, KeyError) as error:
        reason = str(error) if isinstance(error, InputError) else f"{type(error).__name__}: {error}"
        hint = "training would stop"
        findings.state("error", "the category cannot be used", reason, hint)
    named: dict[str, object] = {"keypoints": _all_different(content.names)}
    for part in ("flip_pairs", "sigmas", "skeleton"):
        trial = {**named, part: content.category.get(part)}
        try:
            describe_category(trial)
            named = trial
        except (InputError, TypeError, ValueError):
            continue
    return describe_category(named)


def _all_different(names: Sequence[str]) -> list[str]:
    seen: Counter[str] = Counter()
    different = []
    for name in names:
        seen[name] += 1
        different.append(name if seen[name] == 1 else f"{name} #{seen[name]}")
    return different


def _check_names(content: Content, findings: Findings) -> None:
    findings.warning(
        "keypoint names with spaces at an end",
        [repr(name) for name in content.names if name != name.strip()],
        "a partner may be missed; remove the spaces",
    )


def _check_bones(content: Content, skeleton: Skeleton, findings: Findings) -> None:
    given = content.category.get("skeleton")
    if given and not skeleton.edges:
        findings.state(
            "warning",
            "bones that do not fit the keypoints",
            given,
            "they are left out, which only changes drawings; they count from 1 (or from 0)",
        )


def _check_flips(described: CategorySkeleton, findings: Findings) -> None:
    skeleton = described.skeleton
    names = skeleton.names
    if not skeleton.flip_pairs:
        said = "the category's flip_pairs are empty" if described.flips_given else "none in names"
        findings.state("warning", MIRRORING_OFF, said, HOW_TO_PAIR)
    findings.warning(
        "keypoints with a side in their name but no partner",
        [names[index] for index in one_sided(names, skeleton.flip_pairs)],
        "mirrored pictures would show them on the wrong side; correct the names or give flip_pairs",
    )
    used = {frozenset(pair) for pair in skeleton.flip_pairs}
    findings.warning(
        "mirror pairs that the names suggest and the category does not have",
        [f"{names[a]} - {names[b]}" for a, b in infer_flip_pairs(names) if {a, b} not in used],
        "correct flip_pairs, or leave them out",
    )
