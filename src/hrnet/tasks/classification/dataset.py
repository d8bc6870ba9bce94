"""Labelled pictures as a data set of the classification task."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from hrnet.data.class_dataset import ClassDataset, ClassSample
from hrnet.data.class_folders import read_classes
from hrnet.data.source import DataSource
from hrnet.spec import ModelSpec
from hrnet.tasks import Job, Result
from hrnet.tasks.classification.imagenet import imagenet_names
from hrnet.tasks.classification.spec import ClassificationSpec


@dataclass(frozen=True, eq=False)
class ClassificationDataset:
    """The pictures of a folder or list, one class each.

    pictures: as read, with the English names of ImageNet's classes in place of WordNet ids.
    """

    pictures: ClassDataset

    @property
    def path(self) -> Path:
        return self.pictures.path

    @property
    def notes(self) -> Sequence[str]:
        return self.pictures.notes

    @property
    def samples(self) -> Sequence[ClassSample]:
        return self.pictures.samples

    @property
    def class_names(self) -> tuple[str, ...]:
        return self.pictures.class_names

    @property
    def jobs(self) -> list[Job]:
        return [Job(one.image_path, index=index) for index, one in enumerate(self.samples)]

    def check_result(self, job: Job, result: Result) -> None:
        """Accept every result: the sizes of the pictures are not annotated."""

    def facts(self) -> dict[str, object]:
        """Return `data`, with counts and digest, and `metric` of the protocol."""
        return {"data": dict(self.pictures.facts()), "metric": _METRIC}

    def describe(self) -> list[str]:
        """Describe in lines the pictures, their classes and the metric."""
        notes = (f"note: {note}" for note in self.notes)
        return [*self.pictures.describe(), _METRIC, *notes]

    def expect_labels_of(self, spec: ModelSpec) -> None:
        """Raise InputError for classes that a model does not predict; it may predict more."""
        self.pictures.expect_labels_of(spec)

    def true_classes(self, spec: ClassificationSpec) -> list[int]:
        """Return the class index of each sample among the model's classes, by name."""
        # Each name's place among the model's classes, then that of each sample.
        index = {name: place for place, name in enumerate(spec.class_names)}
        places = [index[name] for name in self.class_names]
        return [places[one.class_index] for one in self.samples]


_METRIC = (
    "top-1 and, of more than 5 classes, top-5 accuracy, mean of class accuracies; of equal scores "
    "the lower class index ranks first"
)


def read_dataset(source: DataSource) -> ClassificationDataset:
    """Read a folder a class, or a list, see `hrnet.data.class_folders`.

    Classes that are all WordNet ids of ImageNet get their English names.
    Raises InputError with one line for the first error in the data.
    """
    pictures = read_classes(source)
    names = imagenet_names()
    if all(name in names for name in pictures.class_names):
        english = tuple(names[name] for name in pictures.class_names)
        pictures = replace(pictures, class_names=english)
    return ClassificationDataset(pictures)
