"""Labelled pictures as a data set of the classification task."""

from hrnet.data.class_dataset import ClassDataset
from hrnet.data.class_folders import read_classes
from hrnet.data.source import DataSource
from hrnet.tasks import Job, Result
from hrnet.tasks.classification.imagenet import imagenet_names
from hrnet.tasks.classification.spec import ClassificationSpec


class ClassificationDataset(ClassDataset):
    """The pictures of a folder or list, one class each.

    class_names: as read, with the English names of ImageNet's classes in place of WordNet ids.
    """

    @property
    def jobs(self) -> list[Job]:
        return [Job(one.image_path, index=index) for index, one in enumerate(self.samples)]

    def keep(self, job: Job, result: Result) -> Result:
        """Return the result: the sizes of the pictures are not annotated."""
        return result

    def facts(self) -> dict[str, object]:
        """Return `data`, with counts and digest, and `metric` of the protocol."""
        return {"data": super().facts(), "metric": _METRIC}

    def describe(self) -> list[str]:
        """Describe in lines the pictures, their classes and the metric."""
        notes = (f"note: {note}" for note in self.notes)
        return [*super().describe(), _METRIC, *notes]

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
    names, english = pictures.class_names, imagenet_names()
    if all(name in english for name in names):
        names = tuple(english[name] for name in names)
    return ClassificationDataset(pictures.path, names, pictures.samples, pictures.notes)
