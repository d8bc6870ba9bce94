"""COCO-WholeBody: COCO's 17 keypoints and those of feet, face and hands as one list of 133.

Source: https://github.com/jin-s13/COCO-WholeBody. An annotation is one of COCO's, with `foot_kpts`
(6 points), `face_kpts` (68), `lefthand_kpts` and `righthand_kpts` (21 each) as x, y and a value
above 0 where the point is labelled, which for face and hands may be a score; `face_valid` and the
like are false where a part is too small to be labelled well, and it is not labelled then.
"""

from pathlib import Path

import numpy as np

from hrnet.data.coco_file import WHOLEBODY_PARTS, CocoAnnotation, Floats, note_problems, read_coco
from hrnet.data.findings import Findings
from hrnet.data.imports.coco import coco_pictures
from hrnet.data.imports.common import Imported, ImportedSubject, Source, mentions
from hrnet.errors import InputError
from hrnet.numbers import to_floats
from hrnet.skeleton import published_skeleton

MARK = '"lefthand_kpts"'
"""A key that no other format has."""

_BODY = 17
_COUNTS = dict(zip(WHOLEBODY_PARTS, (6, 68, 21, 21), strict=True))


def fits(source: Path) -> bool:
    """Return True for a JSON file of COCO-WholeBody's."""
    return mentions(source, MARK)


def read(source: Source) -> Imported:
    """Read COCO-WholeBody's annotations; ids, areas and crowds stay as they are.

    Raises InputError with one line for the errors of `hrnet data check`, points of another number,
    and missing pictures.
    """
    # Annotations with the 17 keypoints of the body.
    findings = Findings(strict=True, path=source.path)
    file = read_coco(source.path, findings)
    note_problems(file.annotations, findings)
    odd = [one.name for one in file.annotations if not _is_body(one)]
    findings.error("annotations without the 17 keypoints of COCO", odd, "correct them")
    # Subjects with all points.
    subjects: dict[int | None, list[ImportedSubject]] = {}
    counts = dict.fromkeys(WHOLEBODY_PARTS, 0)
    for one in file.annotations:
        subjects.setdefault(one.image_id, []).append(_subject(source, one, counts))
    source.notes += [
        "points of feet, face and hands count as visible where they are labelled",
        *(f"{count} subjects have no labelled {part}" for part, count in counts.items()),
    ]
    skeleton = published_skeleton("coco_wholebody")
    return Imported(
        names=skeleton.names,
        category="person",
        pictures=coco_pictures(source, file, subjects),
        edges=skeleton.edges,
        flip_pairs=skeleton.flip_pairs,
        sigmas=skeleton.sigmas,
    )


def _is_body(one: CocoAnnotation) -> bool:
    return "length" not in one.wrong and (one.triples is None or len(one.triples) == _BODY)


def _subject(source: Source, one: CocoAnnotation, without: dict[str, int]) -> ImportedSubject:
    body = np.zeros((_BODY, 3)) if one.triples is None else one.triples
    points = [body, *(_part(source, one, part) for part in WHOLEBODY_PARTS)]
    for part, found in zip(WHOLEBODY_PARTS, points[1:], strict=True):
        without[part] += not found[:, 2].any()
    extra: dict[str, object] = {"id": one.id, "image_id": one.image_id, "iscrowd": int(one.iscrowd)}
    if one.area is not None:
        extra["area"] = one.area
    box = None if one.box is None else one.box.tolist()
    return ImportedSubject(np.concatenate(points), box, extra)


def _part(source: Source, one: CocoAnnotation, part: str) -> Floats:
    """The points (N, 3) of a part, visible (2) where they are labelled."""
    count = _COUNTS[part]
    values, valid = one.raw.get(part), one.raw.get(part.replace("_kpts", "_valid"), True)
    numbers = to_floats([0] * 3 * count if values is None else values, 3 * count)
    if numbers is None:
        raise InputError(
            f"{source}: annotation {one.name}: expected {3 * count} finite numbers in {part}, x, y "
            f"and value of {count} points; correct them"
        )
    points = numbers.reshape(-1, 3)
    labelled = (points[:, 2] > 0) & bool(valid)
    return np.where(labelled[:, None], points, 0) * (1, 1, 0) + np.outer(labelled, (0, 0, 2))
