"""The check of COCO keypoint files."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from rich.console import Console

from hrnet.check.keypoints.rules import Counts, check_counts, check_names, check_subjects, count
from hrnet.check.keypoints.sheet import draw_sheets
from hrnet.check.keypoints.show import print_counts, print_keypoints, print_skeleton
from hrnet.check.keypoints.skeletons import MIRRORING_OFF, SkeletonReport, report_skeleton
from hrnet.check.pictures import PictureFile, check_pictures
from hrnet.check.result import Check, CheckResult, Progress
from hrnet.check.show import print_warnings
from hrnet.data.category import choose_categories
from hrnet.data.coco import KeypointDataset, make_dataset
from hrnet.data.coco_file import CocoImage, read_coco
from hrnet.data.findings import Findings
from hrnet.data.source import DataSource
from hrnet.errors import InputError
from hrnet.files import is_folder


@dataclass(frozen=True, slots=True, eq=False)
class KeypointCheck(CheckResult):
    """The findings in a keypoint file.

    category: its name. dataset: the data as training would take them.
    """

    images: Path
    category: str
    dataset: KeypointDataset
    counts: Counts
    report: SkeletonReport

    def facts(self) -> Mapping[str, object]:
        """Return the source, the counts and the skeleton."""
        return {
            "annotations": str(self.path),
            "images": str(self.images),
            "category": self.category,
            "whole_images": self.dataset.whole_images,
            "counts": asdict(self.counts),
            "skeleton": asdict(self.report),
        }

    def print_facts(self, console: Console) -> None:
        """Print counts, keypoints, bones, mirror pairs and warnings."""
        whole = ", each whole picture is one subject" if self.dataset.whole_images else ""
        print_counts(console, f"{self.path}, {self.category}{whole}", self.counts)
        print_keypoints(console, self.report, self.counts)
        print_skeleton(console, self.report)
        # The skeleton's lines include this one, in capitals.
        print_warnings(console, [one for one in self.warnings if one.what != MIRRORING_OFF])

    def draw(self, folder: Path, seed: int) -> list[Path]:
        """Draw a sample of the subjects, and some with their mirrored twins."""
        return draw_sheets(self.dataset, folder, seed)


def check_keypoints(
    annotations: Path,
    images: Path,
    progress: Progress | None = None,
    *,
    category: str | None = None,
    whole_images: bool | None = None,
) -> KeypointCheck:
    """Check a COCO keypoint file of any number of keypoints, and decode all its pictures.

    category, whole_images: as in `read_keypoints`, whose first error is the first one here.
    Raises InputError with one line where the file is not JSON, not in COCO's form at all, or where
    `images` is no folder; everything else is a finding.
    """
    if not is_folder(images):
        raise InputError(f"expected the folder of the images, but {images} is none")
    # The reader of training and evaluation, which goes on after an error here.
    findings = Findings(path=annotations)
    file = read_coco(annotations, findings)
    chosen = choose_categories(file, findings, category)
    dataset = make_dataset(file, chosen, images, findings, whole_images=whole_images)
    # Oddities that do not stop a training.
    check_names(file, findings)
    check_counts(chosen.annotations, findings)
    check_subjects(file, dataset.subjects, findings)
    report = report_skeleton(dataset.described, chosen.annotations, findings)
    listed = _picture_files(file.images, dataset)
    check_pictures(images, listed, findings, progress, any_channels=True)
    return KeypointCheck(
        path=annotations,
        findings=findings,
        images=images,
        category=chosen.name,
        dataset=dataset,
        counts=count(file, dataset),
        report=report,
    )


def _picture_files(images: Sequence[CocoImage], dataset: KeypointDataset) -> list[PictureFile]:
    """The listed pictures that have a name and an id; samples need theirs."""
    needed = {sample.image_id for sample in dataset.samples}
    return [
        PictureFile(one.file_name, dataset.image_paths[one.id], one.size, needed=one.id in needed)
        for one in images
        if one.id is not None and one.file_name
    ]


def _run(source: DataSource, val: Path | None, progress: Progress | None) -> KeypointCheck:
    if source.images is None:
        raise InputError(f"{source.path}: expected the folder of its images; add --images")
    if val is not None:
        raise InputError(f"{source.path}: expected --val for classes alone; check {val} by itself")
    return check_keypoints(
        source.path,
        source.images,
        progress,
        category=source.category,
        whole_images=source.whole_images,
    )


CHECK = Check(accepts=lambda source: not is_folder(source.path), run=_run, whole_images=True)
"""Any file may be JSON; the reader names what it is instead."""
