"""Labelled boxes as a data set of the detection task."""

from importlib.metadata import version
from pathlib import Path

from hrnet.data.box_dataset import BoxDataset
from hrnet.data.coco_boxes import read_coco_boxes
from hrnet.data.findings import first_of
from hrnet.data.source import DataSource
from hrnet.errors import InputError
from hrnet.files import is_folder, sha256_of
from hrnet.images import expect_size
from hrnet.metrics.coco import expect_pycocotools
from hrnet.spec import ModelSpec
from hrnet.tasks import Job, Result
from hrnet.tasks.detection.spec import DetectionSpec

_OF_TOOLS = (".yaml", ".yml", ".xml")
"""Suffixes of data of other tools."""


class DetectionDataset(BoxDataset):
    """The pictures of an annotation file, each with its boxes."""

    @property
    def jobs(self) -> list[Job]:
        return [Job(one.image_path, index=index) for index, one in enumerate(self.samples)]

    def keep(self, job: Job, result: Result) -> Result:
        """Return the result; InputError where a picture has another size than annotated."""
        size = self.samples[job.index].image_size
        if size is not None:
            expect_size(Path(str(job.image)), result.image_size, size)
        return result

    @property
    def counts(self) -> tuple[int, int]:
        """Boxes that count, and regions to ignore."""
        ignored = sum(int(one.ignore.sum()) for one in self.samples)
        return sum(len(one.ignore) for one in self.samples) - ignored, ignored

    @property
    def has_masks(self) -> bool:
        """True where a box has a mask."""
        return any(one.masks is not None for one in self.samples)

    def facts(self) -> dict[str, object]:
        """Return `data` and `metric` of the protocol."""
        boxes, ignored = self.counts
        data = {
            "annotations": self.path.name,
            "sha256": sha256_of(self.path),
            "images": len(self.samples),
            "boxes": boxes,
            "ignored": ignored,
            "classes": self.class_names,
            "masks": self.has_masks,
            "notes": self.notes,
        }
        return {"data": data, "metric": self._metric()}

    def describe(self) -> list[str]:
        """Describe in lines the boxes and the metric."""
        boxes, ignored = self.counts
        more = f", {ignored} regions to ignore" if ignored else ""
        return [
            f"data {self.path.name}: {boxes} boxes of {len(self.class_names)} classes in "
            f"{len(self.samples)} images{more}",
            self._metric(),
            *(f"note: {note}" for note in self.notes),
        ]

    def expect_labels_of(self, spec: ModelSpec) -> None:
        """Raise InputError for classes that a model does not find; it may find more."""
        assert isinstance(spec, DetectionSpec)
        unknown = [name for name in self.class_names if name not in spec.class_names]
        if unknown:
            raise InputError(
                f"{self.path}: expected classes among the model's {len(spec.class_names)} "
                f"({first_of(spec.class_names)}), got {len(unknown)} others ({first_of(unknown)}); "
                "rename them, or train a model on these data"
            )

    def _metric(self) -> str:
        masks = ", and of masks where the model has them" if self.has_masks else ""
        return (
            f"COCO AP of boxes{masks}, at most 100 of a class in an image, by pycocotools "
            f"{version('pycocotools')}; precision and recall at IoU 0.50 and the usual score"
        )


def read_dataset(source: DataSource) -> DetectionDataset:
    """Read a COCO instance file; raises InputError with one line for the first error in it."""
    expect_pycocotools()
    if is_folder(source.path) or source.path.suffix in _OF_TOOLS:
        kind = "folder" if is_folder(source.path) else "file"
        raise InputError(
            f"expected boxes in a COCO file (.json), got the {kind} {source.path}; "
            "`hrnet data import` makes one of other tools' data"
        )
    if source.images is None:
        raise InputError(
            f"expected the image folder of {source.path}, got none; add --images DIR (images=...)"
        )
    read = read_coco_boxes(source.path, source.images, source.category)
    return DetectionDataset(read.path, read.class_names, read.samples, read.notes)
