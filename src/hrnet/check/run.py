"""Judge a COCO keypoint data set before it is trained on."""

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

from hrnet.check.pictures import check_pictures
from hrnet.check.rules import Counts, check_counts, check_names, check_subjects, count
from hrnet.check.skeletons import SkeletonReport, report_skeleton
from hrnet.data.category import choose_categories
from hrnet.data.coco import KeypointDataset, make_dataset
from hrnet.data.coco_file import read_coco
from hrnet.data.findings import Finding, Findings
from hrnet.errors import InputError
from hrnet.files import is_folder
from hrnet.skeleton import Skeleton


@dataclass(frozen=True, slots=True, eq=False)
class CheckResult:
    """All that a check found.

    category: its name. dataset: what training would take. errors: the findings with which training
    would stop or be wrong. warnings: those that are worth a look.
    """

    path: Path
    images: Path
    category: str
    dataset: KeypointDataset
    counts: Counts
    report: SkeletonReport
    errors: tuple[Finding, ...]
    warnings: tuple[Finding, ...]

    @property
    def skeleton(self) -> Skeleton:
        return self.dataset.skeleton

    @property
    def findings(self) -> tuple[Finding, ...]:
        """The errors, then the warnings."""
        return self.errors + self.warnings

    def to_json(self) -> str:
        """Everything that is printed, machine-readable."""
        found = {
            "annotations": str(self.path),
            "images": str(self.images),
            "category": self.category,
            "counts": asdict(self.counts),
            "skeleton": asdict(self.report),
            "errors": [asdict(finding) for finding in self.errors],
            "warnings": [asdict(finding) for finding in self.warnings],
        }
        return json.dumps(found, indent=1)


def check_dataset(
    annotations: Path,
    images: Path,
    progress: Callable[[int, int], None] | None = None,
    *,
    category: str | None = None,
) -> CheckResult:
    """Check a COCO keypoint file of any number of keypoints, and decode all its pictures.

    progress is called with how many pictures are done and of how many. category: as in
    `read_keypoints`, whose first error is the first that is found here.
    Raises InputError with one line where the file is not JSON, not in COCO's form at all, or where
    `images` is no folder; everything else is a finding.
    """
    if not is_folder(images):
        raise InputError(f"expected the folder of the images, but {images} is none")
    # The reader of training and evaluation, which goes on after an error here.
    findings = Findings(path=annotations)
    file = read_coco(annotations, findings)
    chosen = choose_categories(file, findings, category)
    dataset = make_dataset(file, chosen, images, findings)
    # What is worth a look although it stops nothing.
    check_names(file, findings)
    check_counts(chosen.annotations, findings)
    check_subjects(file, dataset.subjects, findings)
    report = report_skeleton(dataset.described, chosen.annotations, findings)
    used = {sample.image_id for sample in dataset.samples}
    check_pictures(images, file.images, dataset.image_paths, used, findings, progress)
    return CheckResult(
        path=annotations,
        images=images,
        category=chosen.name,
        dataset=dataset,
        counts=count(file, dataset),
        report=report,
        errors=findings.errors,
        warnings=findings.warnings,
    )
