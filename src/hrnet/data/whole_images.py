"""Whole pictures as subjects: keypoints without boxes, such as those of X-rays or pitches."""

from collections import Counter
from collections.abc import Sequence

from hrnet.data.coco_file import CocoAnnotation
from hrnet.data.findings import Findings


def are_whole(
    annotations: Sequence[CocoAnnotation], wanted: bool | None, findings: Findings
) -> bool:
    """Return whether each whole picture is one subject.

    wanted: as asked for; None is True where no annotation has a box and no picture more than one
    labelled subject. Notes pictures with several subjects where it is asked for.
    """
    counts = Counter(one.image_id for one in annotations if one.labelled)
    several = [one.name for one in annotations if one.labelled and counts[one.image_id] > 1]
    if wanted is None:
        has_boxes = any(one.box is not None or one.crop_box is not None for one in annotations)
        return bool(counts) and not several and not has_boxes
    if wanted:
        findings.error(
            "subjects that share their picture with others",
            several,
            "each whole picture is taken as one subject; give the subjects boxes",
        )
    return wanted
