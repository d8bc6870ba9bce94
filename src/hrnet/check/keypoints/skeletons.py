"""The use of a category's keypoints in training: bones, mirror pairs and sigmas, by name."""

from collections.abc import Sequence
from dataclasses import dataclass

from hrnet.data.category import CategorySkeleton
from hrnet.data.coco_file import CocoAnnotation
from hrnet.data.findings import Findings
from hrnet.data.sigmas import annotator_spread
from hrnet.skeleton import infer_flip_pairs, one_sided

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


def report_skeleton(
    described: CategorySkeleton, annotations: Sequence[CocoAnnotation], findings: Findings
) -> SkeletonReport:
    """Describe the category's keypoints and note odd ones."""
    skeleton = described.skeleton
    # Odd names, missing partners, several annotators.
    findings.warning(
        "keypoint names with spaces at an end",
        [repr(name) for name in skeleton.names if name != name.strip()],
        "a partner may be missed; remove the spaces",
    )
    _check_flips(described, findings)
    several = annotator_spread(annotations, skeleton.num_keypoints).num_subjects
    if several:
        findings.state(
            "warning",
            "subjects that several annotators labelled",
            several,
            "each of their annotations is a sample, and in an evaluation a subject, of its own",
        )
    # All of it by name.
    names = skeleton.names
    paired = {index for pair in skeleton.flip_pairs for index in pair}
    inferred = "inferred from the names" if skeleton.flip_pairs else "none"
    return SkeletonReport(
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


def _check_flips(described: CategorySkeleton, findings: Findings) -> None:
    skeleton = described.skeleton
    names = skeleton.names
    if not skeleton.flip_pairs:
        cause = "the category's flip_pairs are empty" if described.flips_given else "none in names"
        findings.state("warning", MIRRORING_OFF, cause, HOW_TO_PAIR)
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
