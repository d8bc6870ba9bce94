"""The folders of known data sets, found by their names.

    Cityscapes       leftImg8bit/PART/CITY/   gtFine/PART/CITY/*_gtFine_labelIds.png
    ADE20K           images/training/         annotations/training/, objectInfo150.txt
    LIP              TrainVal_images/PART_images/
                     TrainVal_parsing_annotations/PART_segmentations/
    COCO-Stuff 164k  PART2017/                stuffthingmaps/PART2017/
    COCO panoptic    PART2017/                annotations/panoptic_PART2017/ and .json
    PASCAL VOC       JPEGImages/              SegmentationClass/
                     ImageSets/Segmentation/PART.txt
    PASCAL-Context   JPEGImages/              SegmentationClassContext/
                     ImageSets/SegmentationContext/PART.txt

Folders of other forms have a classes.json that names the data set: {"dataset": "ade20k"}. Such a
file in the root of a known layout says how its masks are read, as for the 59 classes of
PASCAL-Context: {"dataset": "pascal_context59"}.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from hrnet.data.findings import Findings
from hrnet.data.mask_classes import CLASSES_FILE, MaskClasses, known_name
from hrnet.data.mask_dataset import MaskSample
from hrnet.data.mask_known import known_classes
from hrnet.data.mask_panoptic import read_panoptic
from hrnet.errors import InputError
from hrnet.files import is_file, is_folder, is_taken, read_text
from hrnet.images import SUFFIXES

PARTS: Mapping[str, tuple[str, ...]] = {
    "train": ("train", "training"),
    "val": ("val", "validation"),
    "test": ("test", "testing"),
}
"""Parts of all known data sets, with their names in some."""

_Read = Callable[[Path, str, Findings], tuple[list[MaskSample], MaskClasses]]


@dataclass(frozen=True, slots=True)
class Layout:
    """The folders of a data set. fits: True for a root that has them. read: a part by its name."""

    name: str
    fits: Callable[[Path], bool]
    read: _Read


def find_layout(root: Path) -> Layout | None:
    """Return the known layout of a root; None where it has none."""
    return next((one for one in LAYOUTS if is_folder(root) and one.fits(root)), None)


def read_layout(
    root: Path, part: str | None, findings: Findings
) -> tuple[list[MaskSample], MaskClasses]:
    """Read a part of a known data set; InputError where there is no such part."""
    layout = find_layout(root)
    assert layout is not None
    if part is None or part not in PARTS:
        raise InputError(
            f"{root} holds {layout.name}: expected a part of {', '.join(PARTS)}, got "
            f"{part or 'none':.60}; name one"
        )
    return layout.read(root, part, findings)


def _samples(
    pairs: Mapping[Path, Path], classes: MaskClasses, part: str, findings: Findings
) -> tuple[list[MaskSample], MaskClasses]:
    """Make samples of pictures and their masks; missing ones are errors."""
    if not pairs:
        raise InputError(f"{findings.path}: expected pictures of the part {part}, found none")
    missing = [str(file) for pair in pairs.items() for file in pair if not is_file(file)]
    findings.error("files that are missing", missing, "complete the data set")
    found = [
        MaskSample(image, mask, image.name, classes.codes)
        for image, mask in pairs.items()
        if is_file(image) and is_file(mask)
    ]
    return found, classes


def _pictures(folder: Path) -> list[Path]:
    if not is_folder(folder):
        return []
    files = (one for one in folder.iterdir() if not one.name.startswith("."))
    return sorted(one for one in files if one.suffix.lower() in SUFFIXES)


def _first_folder(*folders: Path) -> Path:
    return next((one for one in folders if is_folder(one)), folders[0])


def _read_cityscapes(
    root: Path, part: str, findings: Findings
) -> tuple[list[MaskSample], MaskClasses]:
    cities = root / "leftImg8bit" / part
    folders = sorted(cities.iterdir()) if is_folder(cities) else []
    pictures = [file for city in folders if is_folder(city) for file in _pictures(city)]

    def mask_of(picture: Path, kind: str) -> Path:
        stem = picture.stem.removesuffix("_leftImg8bit")
        return root / "gtFine" / part / picture.parent.name / f"{stem}_gtFine_{kind}.png"

    # Some copies hold the numbers of the 19 classes alone.
    has_ids = not pictures or is_file(mask_of(pictures[0], "labelIds"))
    kind, name = (
        ("labelIds", "cityscapes") if has_ids else ("labelTrainIds", "cityscapes_train_ids")
    )
    pairs = {picture: mask_of(picture, kind) for picture in pictures}
    return _samples(pairs, known_classes(name), part, findings)


def _same_stems(name: str, images: Callable[[Path, str], Path], masks: str) -> _Read:
    """Read pictures whose masks have the same names; `masks` holds PART for that of the part."""

    def read(root: Path, part: str, findings: Findings) -> tuple[list[MaskSample], MaskClasses]:
        folders = [root / masks.replace("PART", one) for one in PARTS[part]]
        folder = _first_folder(*folders)
        pairs = {one: folder / f"{one.stem}.png" for one in _pictures(images(root, part))}
        return _samples(pairs, _classes(root, name), part, findings)

    return read


def _classes(root: Path, usual: str) -> MaskClasses:
    """Return the classes of the data set that a classes.json names, else the usual ones."""
    file = root / CLASSES_FILE
    named = known_name(file) if is_taken(file) else None
    return known_classes(named or usual)


def _listed(name: str, lists: str, masks: str) -> _Read:
    """Read the pictures that a list of the part names, as PASCAL's."""

    def read(root: Path, part: str, findings: Findings) -> tuple[list[MaskSample], MaskClasses]:
        stems = read_text(root / "ImageSets" / lists / f"{part}.txt", "the list of a part").split()
        pairs = {
            root / "JPEGImages" / f"{stem}.jpg": root / masks / f"{stem}.png" for stem in stems
        }
        return _samples(pairs, _classes(root, name), part, findings)

    return read


def _coco_images(root: Path, part: str) -> Path:
    return _first_folder(root / f"{part}2017", root / "images" / f"{part}2017")


def _read_panoptic(
    root: Path, part: str, findings: Findings
) -> tuple[list[MaskSample], MaskClasses]:
    annotations = root / "annotations"
    file = annotations / f"panoptic_{part}2017.json"
    masks = annotations / f"panoptic_{part}2017"
    return read_panoptic(file, _coco_images(root, part), masks, findings)


def _has(*names: str) -> Callable[[Path], bool]:
    return lambda root: all(is_folder(root / name) for name in names)


LAYOUTS = (
    Layout("Cityscapes", _has("leftImg8bit", "gtFine"), _read_cityscapes),
    Layout(
        "LIP",
        _has("TrainVal_images", "TrainVal_parsing_annotations"),
        _same_stems(
            "lip",
            lambda root, part: root / "TrainVal_images" / f"{part}_images",
            "TrainVal_parsing_annotations/PART_segmentations",
        ),
    ),
    Layout(
        "COCO-Stuff 164k",
        _has("stuffthingmaps"),
        _same_stems("cocostuff164k", _coco_images, "stuffthingmaps/PART2017"),
    ),
    Layout(
        "COCO panoptic",
        lambda root: any((root / "annotations").glob("panoptic_*2017.json")),
        _read_panoptic,
    ),
    Layout(
        "PASCAL-Context",
        _has("JPEGImages", "SegmentationClassContext"),
        _listed("pascal_context60", "SegmentationContext", "SegmentationClassContext"),
    ),
    Layout(
        "PASCAL VOC",
        _has("JPEGImages", "SegmentationClass"),
        _listed("voc", "Segmentation", "SegmentationClass"),
    ),
    Layout(
        "ADE20K",
        lambda root: (
            is_file(root / "objectInfo150.txt")
            and _has("images/training", "annotations/training")(root)
        ),
        _same_stems(
            "ade20k",
            lambda root, part: _first_folder(*(root / "images" / one for one in PARTS[part])),
            "annotations/PART",
        ),
    ),
)
"""All known layouts; the first that fits is taken."""
