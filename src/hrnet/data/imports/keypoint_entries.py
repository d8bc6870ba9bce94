"""Imported keypoints as the entries of a COCO keypoint file."""

from collections.abc import Iterator, Sequence

import numpy as np

from hrnet.data.findings import first_of
from hrnet.data.imports.common import Box, Imported, ImportedPicture, ImportedSubject, Source
from hrnet.data.imports.entries import Entries, sized
from hrnet.data.subject_boxes import DEFAULT_MARGIN, clamp_box, extent_box
from hrnet.geometry import Size
from hrnet.skeleton import of_persons

_Boxed = tuple[ImportedSubject, Box | None]


def keypoint_entries(source: Source, imported: Imported, margin: float | None) -> Entries:
    """Make the entries of a source's subjects, and count what cannot be used.

    margin: see `import_annotations`. Raises InputError where no keypoint is labelled.
    """
    # The pictures that can be read and the subjects that have a box, or could have one.
    whole = margin is None and _are_whole(imported)
    margin = DEFAULT_MARGIN if margin is None else margin
    pictures: list[tuple[ImportedPicture, Size]] = []
    kept: list[list[_Boxed]] = []
    for picture, size in sized(source, imported.pictures):
        boxed = [(one, _box(one, size, margin)) for one in picture.subjects]
        kept.append([(one, None if whole else box) for one, box in boxed if box is not None])
        pictures.append((picture, size))
        source.leave_out(
            "subjects without a usable box or a keypoint within their picture",
            picture.path.name,
            len(boxed) - len(kept[-1]),
        )
    # Without a labelled keypoint the file could not be trained on.
    if not any((one.triples[:, 2] > 0).any() for own in kept for one, _ in own):
        raise source.nothing_left(
            f"{source}: no subject with a labelled keypoint, so nothing can be done"
        )
    return Entries(
        kind="keypoints",
        names=imported.names,
        pictures=pictures,
        categories=[_category(imported)],
        annotations=list(_annotations(kept)),
        notes=tuple(_notes(imported, pictures, kept, margin)),
    )


def _are_whole(imported: Imported) -> bool:
    """Return True where no subject has a box and no picture two, so each may be a whole picture.

    Keypoints of persons are none: the reader takes their extent, since a detector finds them.
    """
    if of_persons(imported.names):
        return False
    subjects = [one.subjects for one in imported.pictures]
    return all(len(own) < 2 for own in subjects) and all(
        one.box_xywh is None and "crop_box" not in one.extra for own in subjects for one in own
    )


def _box(subject: ImportedSubject, size: Size, margin: float) -> Box | None:
    """Return a subject's box if it can be cropped, else the extent of its keypoints, else None."""
    for box in (subject.box_xywh, extent_box(subject.triples, size, margin).tolist()):
        if box is not None and clamp_box(np.array(box), size) is not None:
            return box
    return None


def _category(imported: Imported) -> dict[str, object]:
    names = imported.names
    category: dict[str, object] = {
        "id": 1,
        "name": imported.category,
        "keypoints": list(names),
        "skeleton": [[a + 1, b + 1] for a, b in imported.edges],
    }
    if imported.flip_pairs is not None:
        category["flip_pairs"] = [[names[a], names[b]] for a, b in imported.flip_pairs]
    if imported.sigmas is not None:
        category["sigmas"] = list(imported.sigmas)
    return category


def _annotations(kept: Sequence[Sequence[_Boxed]]) -> Iterator[dict[str, object]]:
    """Annotations in the pictures' order. They have no area: an evaluation estimates it."""
    number = 0
    for image_id, own in enumerate(kept, 1):
        for subject, box in own:
            number += 1
            labelled = subject.triples[:, 2:] > 0
            triples = np.where(labelled, subject.triples, 0.0)
            yield {
                "id": number,
                "image_id": image_id,
                "category_id": 1,
                "keypoints": [round(value, 3) for value in triples.ravel().tolist()],
                "num_keypoints": int(labelled.sum()),
                **({} if box is None else {"bbox": [round(value, 3) for value in box]}),
                "iscrowd": 0,
                **subject.extra,
            }


def _notes(
    imported: Imported,
    pictures: Sequence[tuple[ImportedPicture, Size]],
    kept: Sequence[Sequence[_Boxed]],
    margin: float,
) -> Iterator[str]:
    """Sentences on boxes that were made, and on pictures, subjects and keypoints without labels."""
    # Boxes that the source lacks, or has outside of the picture.
    subjects = [pair for own in kept for pair in own]
    if not any(box for _, box in subjects):
        yield (
            "the source has no boxes and one subject a picture: each whole picture is a subject "
            "(--margin 0.1 makes boxes of the keypoints in their place)"
        )
    made = [subject for subject, box in subjects if subject.box_xywh != box]
    without = sum(subject.box_xywh is None for subject in made)
    theirs = (
        "theirs is the extent of their labelled keypoints, grown on each side by "
        f"{margin:g} of its longer side"
    )
    if without:
        yield f"{without} of {len(subjects)} subjects have no box in the source: {theirs}"
    if len(made) > without:
        yield (
            f"{len(made) - without} of {len(subjects)} subjects have a box in the source without "
            f"an area within the picture: {theirs}"
        )
    # Pictures, subjects and keypoints without a label.
    empty = [one.path.name for (one, _), own in zip(pictures, kept, strict=True) if not own]
    if empty:
        yield f"{len(empty)} of {len(pictures)} pictures have no subject ({first_of(empty)})"
    labels = np.array([subject.triples[:, 2] > 0 for subject, _ in subjects])
    bare = int((~labels.any(axis=1)).sum())
    if bare:
        yield f"{bare} of {len(subjects)} subjects have no labelled keypoint"
    never = [imported.names[k] for k in np.flatnonzero(~labels.any(axis=0))]
    if never:
        yield f"{len(never)} keypoints are never labelled ({first_of(never)})"
