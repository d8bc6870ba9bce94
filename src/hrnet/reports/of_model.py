"""The parts of a report about the model: figures, keypoints, left and right, examples."""

from hrnet.metrics.by_keypoint import SWAP_OKS
from hrnet.reports.markup import Section, bar, gallery, section, share, table, text, tiles
from hrnet.reports.measure import Findings, KeypointFigures

_MEANING = {
    "AP": "mean precision, over OKS 0.50, 0.55 ... 0.95",
    "AP50": "at OKS 0.50, loose",
    "AP75": "at OKS 0.75, strict",
    "APM": "of subjects of 32² to 96² pixels",
    "APL": "of subjects of more than 96² pixels",
    "AR": "mean recall, over OKS 0.50, 0.55 ... 0.95",
    "AR50": "at OKS 0.50",
    "AR75": "at OKS 0.75",
    "ARM": "of subjects of 32² to 96² pixels",
    "ARL": "of subjects of more than 96² pixels",
}

_TILES = ("PCKh@0.5", "AP", "AP50", "AP75", "AR")


def figures(found: Findings) -> Section:
    """The figures with what they were measured on, and the table of all."""
    metrics = found.result.metrics
    main = [(name, share(metrics[name])) for name in _TILES if name in metrics]
    rows = [
        (f"<b>{text(name)}</b>", share(value), bar(value), text(_meaning(name)))
        for name, value in metrics.items()
    ]
    lines = "".join(f"<li>{text(line)}</li>" for line in found.result.summary().splitlines())
    return section(
        "figures",
        "Figures",
        tiles([*main, ("left and right swapped", _percent(found.swap_rate))]),
        f'<ul class="protocol">{lines}<li>{text(str(found.result.protocol["decoder"]))}</li></ul>',
        table(("figure", "0..1", "", "what it is"), rows, numbers=(1,)),
        "<p>Figures are comparable with others of the same pictures, boxes and flip test alone. "
        "A dash stands where nothing could count.</p>",
    )


def no_figures(reason: str) -> Section:
    """The stand-in for all parts of this file where nothing was measured."""
    return section(
        "figures", "Figures", f'<p class="note">There are no figures: {text(reason)}.</p>'
    )


def _meaning(name: str) -> str:
    if name.startswith("PCKh"):
        return "part of the keypoints within this part of the head size, or its mean over a group"
    return _MEANING.get(name, "")


def _percent(value: float) -> str:
    return f"{value:.1%}" if value >= 0 else "–"


def keypoints(found: Findings) -> Section:
    """Each keypoint with its AP, its median error and how often it was swapped."""
    return section(
        "keypoints",
        "Keypoint by keypoint",
        table(
            ("keypoint", "labelled", "AP", "", "median error, % of √area", "swapped"),
            [_keypoint_row(one) for one in found.keypoints],
            numbers=(1, 2, 4, 5),
        ),
        "<p><b>AP</b> is the AP above, computed as if this keypoint were the only one that is "
        "labelled: the visibility of all others is set to 0, so OKS is that of this one point, and "
        "subjects without the label are ignored together with the poses in and around their boxes, "
        "as COCO ignores subjects without any label. Poses and their scores stay the same. "
        "<b>Median error</b> is half-way in the list of distances from the truth, each divided by "
        "the square root of the subject’s area, for the pose of each subject’s own annotated "
        "box. <b>Swapped</b> are points that lie at the mirror partner: of keypoints that are "
        "labelled on both sides, those whose OKS with the partner’s truth, taken by itself, is "
        f"at least {SWAP_OKS:g} and with their own truth is below.</p>",
    )


def _keypoint_row(one: KeypointFigures) -> tuple[str, ...]:
    swapped = f"{one.swapped / one.comparable:.1%}" if one.comparable else "–"
    return (
        text(one.name),
        f"{one.labelled:,}",
        share(one.ap),
        bar(one.ap),
        _percent(one.median_error),
        f'<span title="{one.swapped} of {one.comparable}">{swapped}</span>',
    )


def examples(found: Findings) -> Section | None:
    """The worst and the best subjects."""
    if not found.worst:
        return None
    return section(
        "examples",
        "Worst and best",
        "<p>Left is the predicted pose, right the annotated one, on the crop that the network saw. "
        "Orange is the subject’s left side, blue its right. Predicted points fade with their "
        "score; annotated but hidden points are paler. OKS is that of the subject with its own "
        f"truth. Subjects with fewer than {found.least_labelled} labelled keypoints are left "
        "out.</p>",
        f"<h3>The {len(found.worst)} worst</h3>",
        gallery(found.worst),
        f"<h3>The {len(found.best)} best</h3>{gallery(found.best)}" if found.best else "",
    )
