"""Labelled pictures of the classification task, with the names of ImageNet's classes."""

from dataclasses import replace

from hrnet.data.class_dataset import ClassDataset
from hrnet.data.class_folders import read_classes
from hrnet.data.source import DataSource
from hrnet.tasks.classification.imagenet import imagenet_names
from hrnet.tasks.classification.spec import ClassificationSpec


def read_dataset(source: DataSource) -> ClassDataset:
    """Read a folder a class, or a list, see `hrnet.data.class_folders`.

    Where all classes are WordNet ids of ImageNet, they get the English names of the published
    models; the order stays. Raises InputError with one line for the first error in the data.
    """
    dataset = read_classes(source)
    english = imagenet_names()
    if not all(name in english for name in dataset.class_names):
        return dataset
    return replace(dataset, class_names=tuple(english[name] for name in dataset.class_names))


def true_classes(dataset: ClassDataset, spec: ClassificationSpec) -> list[int]:
    """Return the class index of each sample among the model's classes, found by name."""
    index = {name: place for place, name in enumerate(spec.class_names)}
    places = [index[name] for name in dataset.class_names]
    return [places[one.class_index] for one in dataset.samples]
