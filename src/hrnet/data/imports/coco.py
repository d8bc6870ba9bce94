"""COCO keypoint files of published data sets, whose keypoints take the published names.

AP-10K, Animal-Pose and others have names of their own and neither sigmas nor an upper half. Those
of the skeleton that `--skeleton` names replace them, so that weights of the same skeleton can be
evaluated and trained further. All else of images and annotations stays as it is.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from hrnet.data.category import choose_categories, describe_category
from hrnet.data.coco import note_lengths
from hrnet.data.coco_file import CocoAnnotation, CocoFile, note_problems, read_coco
from hrnet.data.findings import Findings
from hrnet.data.image_paths import image_paths
from hrnet.data.imports.common import Imported, ImportedPicture, ImportedSubject, Source
from hrnet.errors import InputError
from hrnet.files import is_file
from hrnet.skeleton import Skeleton, find_published, published_skeleton

OPTIONS = frozenset({"category", "skeleton"})

_WRITTEN = frozenset({"keypoints", "num_keypoints", "bbox", "category_id"})
"""Keys of an annotation that every import writes itself."""


def fits(source: Path) -> bool:
    """Return False: a COCO file needs no import, unless it is asked for."""
    return False


def read(source: Source) -> Imported:
    """Read a COCO file whose K keypoints are those of a published skeleton, in its order.

    Raises InputError with one line where K differs, for the errors of `hrnet data check`, and for
    missing pictures.
    """
    if source.options.skeleton is None:
        raise InputError(
            "expected the keypoints of a published data set with --format coco; name them by "
            "--skeleton, such as ap10k (COCO files need no import otherwise)"
        )
    skeleton = published_skeleton(source.options.skeleton)
    # The categories that are taken as one.
    findings = Findings(strict=True, path=source.path)
    file = read_coco(source.path, findings)
    note_problems(file.annotations, findings)
    chosen = choose_categories(file, findings, source.options.category)
    names = describe_category(chosen.raw).skeleton.names
    count = len(names)
    if count != skeleton.num_keypoints:
        raise InputError(
            f"{source}: expected the {skeleton.num_keypoints} keypoints of "
            f"{source.options.skeleton}, got {count}; name another --skeleton"
        )
    _expect_names(source, names, skeleton)
    note_lengths(chosen.annotations, count, findings)
    source.leave_out("subjects of other categories", count=_others(file, chosen.annotations))
    if len(chosen.ids) > 1:
        source.notes.append(f"{len(chosen.ids)} categories with the same keypoints became one")
    return Imported(
        names=skeleton.names,
        category=chosen.name if len(chosen.ids) == 1 else source.options.skeleton,
        pictures=coco_pictures(source, file, _subjects(chosen.annotations, count)),
        edges=skeleton.edges,
        flip_pairs=skeleton.flip_pairs,
        sigmas=skeleton.sigmas,
        inputs=(source.path,),
    )


def _expect_names(source: Source, names: tuple[str, ...], skeleton: Skeleton) -> None:
    """Note how keypoints are renamed; InputError where theirs are another published skeleton's."""
    known = find_published(names)
    if known is not None and known[1].names != skeleton.names:
        raise InputError(
            f"{source}: expected keypoints of {source.options.skeleton}, but their names are those "
            f"of {known[0]}; name that --skeleton, or import nothing"
        )
    pairs = zip(names, skeleton.names, strict=True)
    renamed = [f"{own:.40} became {published}" for own, published in pairs if own != published]
    if renamed:
        source.notes.append(f"keypoints in their order, see that they fit: {', '.join(renamed)}")


def coco_pictures(
    source: Source, file: CocoFile, subjects: Mapping[int | None, Sequence[ImportedSubject]]
) -> tuple[ImportedPicture, ...]:
    """Return the pictures of a COCO file with their subjects by image id, and their own entries.

    Raises InputError where some are missing.
    """
    paths = image_paths(source.options.images or source.path.parent, file.images)
    missing = [str(path) for path in paths.values() if not is_file(path)]
    findings = Findings(strict=True, path=source.path)
    findings.error("pictures that are not there", missing, "give their folder with --images")
    placed = ("file_name", "height", "width")
    return tuple(
        ImportedPicture(
            paths[image.id],
            tuple(subjects.get(image.id, ())),
            image.size,
            {key: value for key, value in image.raw.items() if key not in placed},
        )
        for image in file.images
        if image.id is not None
    )


def _others(file: CocoFile, taken: Sequence[CocoAnnotation]) -> int:
    return sum(one.labelled for one in file.annotations) - sum(one.labelled for one in taken)


def _subjects(
    annotations: Sequence[CocoAnnotation], num_keypoints: int
) -> dict[int | None, list[ImportedSubject]]:
    """Return the subjects of each image; one without keypoints has K that are not labelled."""
    found: dict[int | None, list[ImportedSubject]] = {}
    for one in annotations:
        triples = np.zeros((num_keypoints, 3)) if one.triples is None else one.triples
        box = None if one.box is None else one.box.tolist()
        extra = {key: value for key, value in one.raw.items() if key not in _WRITTEN}
        found.setdefault(one.image_id, []).append(ImportedSubject(triples, box, extra))
    return found
