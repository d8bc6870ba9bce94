"""Judge a COCO keypoint data set before it is trained on."""

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

from hrnet.data.check.content import Content, read_content
from hrnet.data.check.findings import Finding, Findings
from hrnet.data.check.pictures import check_pictures
from hrnet.data.check.rules import Counts, check_links, check_subjects, count, is_sample
from hrnet.data.check.skeletons import SkeletonReport, report_skeleton
from hrnet.data.coco import parse_keypoints
from hrnet.errors import InputError
from hrnet.skeleton import Skeleton


@dataclass(frozen=True, slots=True, eq=False)
class CheckResult:
    """All that a check found. skeleton: as training uses it, for drawing."""

    content: Content
    images: Path
    counts: Counts
    report: SkeletonReport
    skeleton: Skeleton
    findings: tuple[Finding, ...]

    @property
    def errors(self) -> tuple[Finding, ...]:
        """The findings with which training would stop or be wrong."""
        return tuple(finding for finding in self.findings if finding.level == "error")

    @property
    def warnings(self) -> tuple[Finding, ...]:
        """The findings that are worth a look."""
        return tuple(finding for finding in self.findings if finding.level == "warning")

    def to_json(self) -> str:
        """Everything that is printed, machine-readable."""
        found = {
            "annotations": str(self.content.path),
            "images": str(self.images),
            "category": self.content.category.get("name"),
            "counts": asdict(self.counts),
            "skeleton": asdict(self.report),
            "errors": [asdict(finding) for finding in self.errors],
            "warnings": [asdict(finding) for finding in self.warnings],
        }
        return json.dumps(found, indent=1)


def check_dataset(
    annotations: Path, images: Path, progress: Callable[[int, int], None] | None = None
) -> CheckResult:
    """Check a COCO keypoint file of any number of keypoints, and decode all its pictures.

    progress is called with how many pictures are done and of how many.
    Raises InputError with one line where the file is not JSON, not in COCO's form at all, or where
    `images` is no folder; everything else is a finding.
    """
    if not images.is_dir():
        raise InputError(f"expected the folder of the images, but {images} is none")
    findings = Findings()
    content = read_content(annotations, findings)
    check_links(content, findings)
    check_subjects(content, findings)
    report, skeleton = report_skeleton(content, findings)
    counts = count(content)
    if counts.subjects:
        unseen = [n for n, some in zip(content.names, counts.labelled, strict=True) if not some]
        findings.warning("keypoints that nobody labelled", unseen, "a network cannot learn them")
    else:
        findings.state("error", "subjects with a labelled keypoint", 0, "nothing can be trained")
    sizes = {image.key: image.size for image in content.images}
    used = {s.image for s in content.subjects if is_sample(content, s, sizes.get(s.image))}
    check_pictures(images, content.images, used, findings, progress)
    if all(finding.level == "warning" for finding in findings.found):
        _try_reading(content, images, findings)
    return CheckResult(content, images, counts, report, skeleton, tuple(findings.found))


def _try_reading(content: Content, images: Path, findings: Findings) -> None:
    """Whatever no rule has caught: training's own reader has the last word."""
    try:
        parse_keypoints(content.path, images, content.raw)
    except InputError as error:
        findings.state("error", "training's own reader refuses the file", error, "correct it")
