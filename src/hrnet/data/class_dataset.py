"""Labelled pictures of image classification, as values."""

import hashlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import final, overload

from hrnet.data.findings import first_of
from hrnet.errors import InputError
from hrnet.geometry import Size
from hrnet.spec import ModelSpec

MOST_CLASSES, LONGEST_NAME = 30_000, 200
"""Classes of a model and letters of a name; ImageNet-21k has 21,841 classes."""


@dataclass(frozen=True, slots=True)
class ClassSample:
    """One picture with its class.

    name: the path within the folder of the pictures. class_index: place of `class_name` in the
    class names of the data set, which may lack classes of a model. image_size: never annotated.
    """

    image_path: Path
    name: str
    class_index: int
    class_name: str
    image_size: Size | None = None


@final
class SampleList(Sequence[ClassSample]):
    """Samples that are made when they are needed: a million paths are half a gigabyte.

    names: of N pictures within `folder`. indices: N class indices into `class_names`.
    """

    def __init__(
        self, folder: Path, names: Sequence[str], indices: Sequence[int], class_names: Sequence[str]
    ) -> None:
        self._folder = folder
        self._names = names
        self._indices = indices
        self._class_names = class_names

    def __len__(self) -> int:
        return len(self._names)

    @overload
    def __getitem__(self, place: int) -> ClassSample: ...

    @overload
    def __getitem__(self, place: slice) -> tuple[ClassSample, ...]: ...

    def __getitem__(self, place: int | slice) -> ClassSample | tuple[ClassSample, ...]:
        if isinstance(place, slice):
            return tuple(self[one] for one in range(*place.indices(len(self))))
        name, index = self._names[place], self._indices[place]
        return ClassSample(self._folder / name, name, index, self._class_names[index])


@dataclass(frozen=True, slots=True, eq=False)
class ClassDataset:
    """Pictures with one class each.

    path: the folder or list that was read. class_names: K names, all different, in the order of
    the class indices. notes: one line for each kind of thing that was left out, with its count.
    """

    path: Path
    class_names: tuple[str, ...]
    samples: Sequence[ClassSample]
    notes: tuple[str, ...] = ()

    @property
    def counts(self) -> dict[str, int]:
        """The number of pictures of each class, in the order of the classes."""
        found = Counter(sample.class_index for sample in self.samples)
        return {name: found[index] for index, name in enumerate(self.class_names)}

    def facts(self) -> dict[str, object]:
        """Return counts, notes and a digest of the classes, names and bytes of the pictures."""
        return {
            "source": self.path.name,
            "sha256": self._digest(),
            "images": len(self.samples),
            "classes": self.counts,
            "notes": self.notes,
        }

    def describe(self) -> list[str]:
        """Describe the counts in a line; the smallest and the largest class show an imbalance."""
        counts = self.counts
        ordered = sorted(counts, key=counts.__getitem__)
        fewest, most = (f"{counts[name]} ({name:.60})" for name in (ordered[0], ordered[-1]))
        return [
            f"data {self.path.name}: {len(self.samples)} images of {len(counts)} classes, "
            f"{fewest} to {most} in a class"
        ]

    def expect_labels_of(self, spec: ModelSpec) -> None:
        """Raise InputError for classes that a model does not predict; it may predict more.

        The order is not compared: match samples to the model's outputs by `class_name`.
        """
        known: Sequence[str] | None = getattr(spec, "class_names", None)
        if known is None:
            raise InputError(f"{self.path}: expected a model that predicts classes, got none")
        unknown = sorted(set(self.class_names) - set(known))
        if unknown:
            raise InputError(
                f"{self.path}: expected classes among the model's {len(known)} "
                f"({first_of(known)}), got {len(unknown)} others ({first_of(unknown)}); "
                "rename them, or train a model on these data"
            )

    def _digest(self) -> str:
        """SHA-256 of the sorted lines `class, name, bytes`; a folder and its list have the same."""
        lines = sorted(
            f"{one.class_name}\0{one.name}\0{_num_bytes(one.image_path)}\n" for one in self.samples
        )
        text = "".join(lines)
        return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def _num_bytes(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return -1
