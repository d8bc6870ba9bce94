"""Labelled masks as a data set of the segmentation task."""

import hashlib

import numpy as np

from hrnet.data.findings import first_of
from hrnet.data.mask_dataset import IGNORED, Labels, MaskDataset
from hrnet.data.masks import read_masks
from hrnet.data.source import DataSource
from hrnet.errors import InputError
from hrnet.spec import ModelSpec
from hrnet.tasks import Job, Result
from hrnet.tasks.segmentation.compared import ComparedMap
from hrnet.tasks.segmentation.result import LabelMap
from hrnet.tasks.segmentation.spec import SegmentationSpec


class SegmentationDataset(MaskDataset):
    """The pictures of a folder, list or known layout, each with its mask."""

    @property
    def jobs(self) -> list[Job]:
        return [Job(one.image_path, index=index) for index, one in enumerate(self.samples)]

    def keep(self, job: Job, result: Result) -> ComparedMap:
        """Compare a result with its mask; InputError for a mask of another size."""
        assert isinstance(result, LabelMap)
        labels = self.labels_of(job, result.class_names)
        self.samples[job.index].expect_size(labels, result.image_size)
        return ComparedMap.of(result, labels)

    def labels_of(self, job: Job, class_names: tuple[str, ...]) -> Labels:
        """Read a picture's labels in the indices of a model's classes, found by their names."""
        labels = self.samples[job.index].labels()
        if class_names == self.class_names:
            return labels
        # The last entry is that of IGNORED, -1.
        places = [class_names.index(name) for name in self.class_names]
        renumbered: Labels = np.array([*places, IGNORED], np.int16)[labels]
        return renumbered

    def facts(self) -> dict[str, object]:
        """Return `data`, with counts and a digest, and `metric` of the protocol."""
        data = {
            "source": self.path.name,
            "sha256": self._digest(),
            "images": len(self.samples),
            "classes": self.class_names,
            "notes": self.notes,
        }
        return {"data": data, "metric": METRIC}

    def describe(self) -> list[str]:
        """Describe in lines the pictures and the metric."""
        return [
            f"data {self.path.name}: {len(self.samples)} images with masks of "
            f"{len(self.class_names)} classes",
            METRIC,
            *(f"note: {note}" for note in self.notes),
        ]

    def expect_labels_of(self, spec: ModelSpec) -> None:
        """Raise InputError for classes that a model does not predict; it may predict more."""
        assert isinstance(spec, SegmentationSpec)
        unknown = [name for name in self.class_names if name not in spec.class_names]
        if unknown:
            raise InputError(
                f"{self.path}: expected classes among the model's {len(spec.class_names)} "
                f"({first_of(spec.class_names)}), got {len(unknown)} others ({first_of(unknown)}); "
                "rename them, or train a model on these data"
            )

    def _digest(self) -> str:
        """SHA-256 of the names and bytes of all masks, in order."""
        digest = hashlib.sha256()
        for one in self.samples:
            digest.update(one.name.encode("utf-8", "surrogatepass"))
            digest.update(one.mask_path.read_bytes())
        return digest.hexdigest()


METRIC = (
    "mean IoU over the classes, of all pixels together; ignored pixels count nowhere; classes in "
    "neither truth nor prediction are left out (conventions hrnet: count as 0)"
)


def read_dataset(source: DataSource) -> SegmentationDataset:
    """Read pictures with masks, see `hrnet.data.masks`; InputError for the first error in them."""
    read = read_masks(source)
    return SegmentationDataset(
        read.path, read.class_names, read.samples, read.colors, read.mirror_pairs, read.notes
    )
