"""Read pictures with masks: folders of pictures and of masks of the same names.

    ROOT/images/a.jpg  ROOT/masks/a.png  ROOT/classes.json     or any two folders
    ROOT/train/images/...  or  ROOT/images/train/...            with parts
    a list of pictures and masks, see `hrnet.data.mask_lists`
    a known data set, see `hrnet.data.mask_layouts`

`hrnet.data.mask_classes` has the form of classes.json.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from hrnet.data.findings import Findings, first_of
from hrnet.data.mask_classes import (
    CLASSES_FILE,
    USUAL_IGNORED,
    MaskClasses,
    known_name,
    read_mask_classes,
)
from hrnet.data.mask_dataset import IGNORED, MaskCodes, MaskDataset, MaskSample
from hrnet.data.mask_file import read_values
from hrnet.data.mask_known import known_classes
from hrnet.data.mask_layouts import find_layout, read_layout
from hrnet.data.mask_lists import LIST_SUFFIXES, is_mask_list, read_mask_list
from hrnet.data.source import DataSource
from hrnet.errors import InputError
from hrnet.files import is_file, is_folder, is_taken
from hrnet.images import SUFFIXES, read_header

IMAGE_FOLDERS = ("images", "image", "img", "imgs")
MASK_FOLDERS = ("masks", "mask", "labels", "label", "annotations")
TRAIN_NAMES = ("train", "training")
VAL_NAMES = ("val", "validation", "valid", "test")

_SEARCHED = 200
"""Masks whose values are read to find the classes of data without classes.json."""


def holds_masks(path: Path) -> bool:
    """Return True for a folder with pictures beside masks, or with such parts, and for a list."""
    if is_mask_list(path) or find_layout(path) is not None:
        return True
    return find_folders(path) is not None or find_parts(path) != (None, None)


def find_folders(root: Path, part: str | None = None) -> tuple[Path, Path] | None:
    """Return the folders of pictures and masks below a root, of a part such as train or of all."""
    for images, masks in _pairs(root, part):
        if is_folder(images) and is_folder(masks):
            return images, masks
    return None


def _pairs(root: Path, part: str | None) -> Iterator[tuple[Path, Path]]:
    for images in IMAGE_FOLDERS:
        for masks in MASK_FOLDERS:
            if part is None:
                yield root / images, root / masks
            else:
                yield root / part / images, root / part / masks
                yield root / images / part, root / masks / part


def find_parts(root: Path) -> tuple[str | None, str | None]:
    """Return the names of the parts to train and to measure on, None for missing ones."""
    if find_layout(root) is not None:
        return "train", "val"
    found = []
    for names in (TRAIN_NAMES, VAL_NAMES):
        found.append(next((name for name in names if find_folders(root, name)), None))
    return found[0], found[1]


def read_masks(source: DataSource, findings: Findings | None = None) -> MaskDataset:
    """Read pictures with their masks, see the top of this file.

    source: its path is the root, or the folder of the pictures where `labels` names that of the
    masks; `split` a part of the root. findings: collects all errors, for a check; without it the
    first one is raised.
    Raises InputError for anything else than such data.
    """
    path = source.path
    findings = Findings(strict=True, path=path) if findings is None else findings
    if source.boxes is not None or source.category is not None:
        raise InputError(f"{path}: expected no boxes and no category for masks; leave them out")
    if source.labels is None and source.images is None and find_layout(path) is not None:
        samples, classes = read_layout(path, source.split, findings)
    else:
        samples, classes = _read_own(source, findings)
    if len(samples) > 0:
        _check_sizes(samples, findings)
        _check_labels(samples, findings)
    return MaskDataset(
        path, classes.names, samples, classes.colors, classes.mirror_pairs, findings.notes
    )


def _read_own(source: DataSource, findings: Findings) -> tuple[list[MaskSample], MaskClasses]:
    """Read pictures and masks of the same names, or as a list has them, with their classes."""
    path = source.path
    if path.suffix.lower() in LIST_SUFFIXES and not is_folder(path):
        if source.labels is not None or source.split is not None:
            raise InputError(
                f"{path} names the pictures of a part and their masks; leave out --masks and --part"
            )
        pairs, places = read_mask_list(path, source.images or path.parent, findings), [path.parent]
        places += [source.images] if source.images else []
    else:
        images, masks = _folders(source)
        pairs = _common(images, masks, findings)
        places = [masks, masks.parent, path, images.parent]
    if not pairs:
        raise InputError(f"{path}: expected pictures with masks, found none")
    classes = _classes(places, pairs, findings)
    return [MaskSample(file, mask, name, classes.codes) for name, file, mask in pairs], classes


def _common(images: Path, masks: Path, findings: Findings) -> list[tuple[str, Path, Path]]:
    """Return name, picture and mask where a folder of each has a file of the same name."""
    pictures, drawn = _by_stem(images, findings), _by_stem(masks, findings)
    pairs = [(file.name, file, drawn[stem]) for stem, file in pictures.items() if stem in drawn]
    if not pairs:
        raise InputError(
            f"expected pictures in {images} with masks of the same names in {masks}, found "
            f"{len(pictures)} pictures and {len(drawn)} masks without a common name"
        )
    without = [file.name for stem, file in pictures.items() if stem not in drawn]
    findings.error("pictures without a mask", without, f"add theirs to {masks}, or remove them")
    left = [file.name for stem, file in drawn.items() if stem not in pictures]
    findings.warning("masks without a picture", left, "left out")
    return pairs


def _folders(source: DataSource) -> tuple[Path, Path]:
    path = source.path
    if not is_folder(path):
        raise InputError(
            f"expected a folder of pictures, one of images/ and masks/, or a list of both "
            f"({', '.join(LIST_SUFFIXES)}), got {path}"
        )
    if source.labels is None and source.images is not None:
        raise InputError(
            f"expected --images with --masks or a list, got the folder {path}; add --masks, or "
            "leave it out"
        )
    if source.labels is not None and source.split is not None:
        raise InputError("expected either --masks or --part, got both; leave one out")
    if source.labels is not None:
        images = source.images or path
        for folder in (images, source.labels):
            if not is_folder(folder):
                raise InputError(f"expected a folder, but {folder} is none; check the path")
        return images, source.labels
    found = find_folders(path, source.split)
    if found is None:
        parts = [name for name in find_parts(path) if name]
        hint = f"name a part: {' or '.join(parts)}" if parts and not source.split else "add --masks"
        raise InputError(
            f"expected a folder with images/ and masks/, found none of these in {path}"
            f"{f' for the part {source.split}' if source.split else ''}; {hint}"
        )
    return found


def _by_stem(folder: Path, findings: Findings) -> dict[str, Path]:
    """Return the pictures of a folder by their names without suffix, in order."""
    found: dict[str, Path] = {}
    twice: list[str] = []
    for file in sorted(folder.iterdir()):
        if file.name.startswith(".") or file.suffix.lower() not in SUFFIXES or not is_file(file):
            continue
        if file.stem in found:
            twice.append(f"{found[file.stem].name} and {file.name}")
        found.setdefault(file.stem, file)
    findings.error(f"files of one name in {folder}", twice, "rename or remove one of them")
    return found


def _classes(
    folders: Sequence[Path], pairs: Sequence[tuple[str, Path, Path]], findings: Findings
) -> MaskClasses:
    """Return the classes of classes.json, or those of the values that occur."""
    files = (folder / CLASSES_FILE for folder in folders)
    # Anything of that name: a folder or a link to nothing is refused, not passed over.
    file = next((one for one in files if is_taken(one)), None)
    if file is not None:
        known = known_name(file)
        return read_mask_classes(file) if known is None else known_classes(known)
    # The values of some masks, evenly spread.
    step = max(1, len(pairs) // _SEARCHED)
    values: set[int] = set()
    for _, _, mask in pairs[::step]:
        values |= set(np.unique(read_values(mask, rgb=False)).tolist())
    values.discard(USUAL_IGNORED)
    if len(values) < 2:
        raise InputError(
            f"expected masks of at least two classes, found the values {sorted(values)}; list "
            f"the classes in {folders[0] / CLASSES_FILE}"
        )
    highest = max(values)
    names = tuple(f"class {value}" for value in range(highest + 1))
    codes = {value: value for value in range(highest + 1)} | {USUAL_IGNORED: IGNORED}
    findings.warning(
        f"classes that are named after the values, since there is no {CLASSES_FILE}",
        [first_of([names[one] for one in sorted(values)])],
        f"{USUAL_IGNORED} is ignored",
    )
    return MaskClasses(names, MaskCodes(codes))


def _check_sizes(samples: Sequence[MaskSample], findings: Findings) -> None:
    """Note masks of another size than their picture, by the headers alone."""
    wrong, unreadable = [], []
    for one in samples:
        try:
            picture, mask = read_header(one.image_path).size, read_header(one.mask_path).size
        except InputError as error:
            unreadable.append(str(error))
            continue
        if picture != mask:
            sizes = f"{mask[1]}x{mask[0]}, not {picture[1]}x{picture[0]}"
            wrong.append(f"{one.mask_path.name} is {sizes}")
    findings.error("files that cannot be read", unreadable, "get them again")
    findings.error(
        "masks of another size (width x height) than their picture",
        wrong,
        "draw them on the pictures that are here",
    )


def _check_labels(samples: Sequence[MaskSample], findings: Findings) -> None:
    """Note data in which no pixel has a class; usually the first mask ends the search."""
    try:
        if any((one.labels() >= 0).any() for one in samples):
            return
    except InputError:  # which whoever reads the masks meets
        return
    findings.error(
        "masks without a single pixel that counts",
        [one.mask_path.name for one in samples],
        "nothing can be learned or measured; list the values of the classes in classes.json",
    )
