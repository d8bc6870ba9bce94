"""Labelled pictures of image classification, as values."""

import hashlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from hrnet.data.findings import first_of
from hrnet.errors import InputError
from hrnet.geometry import Size
from hrnet.spec import ModelSpec
from hrnet.tasks import Job, Result

METRIC = "top-1 and top-5: share of the images whose class is the first, or among the first five"


@dataclass(frozen=True, slots=True)
class ClassSample:
    """One picture with its class.

    name: the path within the folder of the pictures. class_index: place of `class_name` in the
    class names of the data set, which may lack classes of a model. image_size: never annotated.
    """

    folder: Path
    name: str
    class_index: int
    class_name: str
    image_size: Size | None = None

    @property
    def image_path(self) -> Path:
        """The picture's file; made when it is needed, since a million paths are half a gigabyte."""
        return self.folder / self.name


@dataclass(frozen=True, slots=True, eq=False)
class ClassDataset:
    """Pictures with one class each; a `hrnet.tasks.Dataset`.

    path: the folder or list that was read. class_names: K names, all different, in the order of
    the class indices. notes: one line for each kind of thing that was left out, with its count.
    """

    path: Path
    class_names: tuple[str, ...]
    samples: tuple[ClassSample, ...]
    notes: tuple[str, ...] = ()

    @property
    def jobs(self) -> tuple[Job, ...]:
        """One job a sample, in the samples' order."""
        return tuple(
            Job(sample.image_path, index=index) for index, sample in enumerate(self.samples)
        )

    @property
    def counts(self) -> dict[str, int]:
        """The number of pictures of each class, in the order of the classes."""
        found = Counter(sample.class_index for sample in self.samples)
        return {name: found[index] for index, name in enumerate(self.class_names)}

    def check_result(self, job: Job, result: Result) -> None:
        """Accept any result: classes do not depend on the size of a picture."""

    def facts(self) -> dict[str, object]:
        """Return `data` and `metric` of the protocol of an evaluation.

        data: counts, and a digest of the classes, names and sizes in bytes of all pictures.
        """
        return {
            "data": {
                "source": self.path.name,
                "sha256": self._digest(),
                "images": len(self.samples),
                "classes": self.counts,
                "notes": self.notes,
            },
            "metric": METRIC,
        }

    def describe(self) -> list[str]:
        """Describe in lines the counts, the metric and the notes."""
        counts = self.counts
        # The smallest and the largest class show an imbalance at once.
        ordered = sorted(counts, key=counts.__getitem__)
        fewest, most = (f"{counts[name]} ({name:.60})" for name in (ordered[0], ordered[-1]))
        return [
            f"data {self.path.name}: {len(self.samples)} images of {len(counts)} classes, "
            f"{fewest} to {most} in a class",
            METRIC,
            *(f"note: {note}" for note in self.notes),
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
        """Digest of the sorted lines `class, name, bytes`; the same for a folder and its list."""
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
