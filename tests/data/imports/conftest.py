"""Convert what a test has written in a tool's layout, and read the result back."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from hrnet.check.keypoints import check_keypoints
from hrnet.data.box_dataset import BoxDataset
from hrnet.data.coco import KeypointDataset, read_keypoints
from hrnet.data.coco_boxes import read_coco_boxes
from hrnet.data.imports.common import ImportOptions
from hrnet.data.imports.run import ImportReport, import_annotations


@dataclass(frozen=True)
class Converted:
    """The file that was written, as JSON and as training reads it."""

    report: ImportReport
    content: dict
    dataset: KeypointDataset

    def points(self, row: int = 0) -> list:
        """Triples of one annotation."""
        return np.array(self.content["annotations"][row]["keypoints"]).reshape(-1, 3).tolist()

    def box(self, row: int = 0) -> list:
        return self.content["annotations"][row]["bbox"]

    @property
    def category(self) -> dict:
        return self.content["categories"][0]


@pytest.fixture
def picture() -> Callable[..., Path]:
    """Write a picture of (width, height)."""

    def write(path: Path, size: tuple[int, int] = (200, 100)) -> Path:
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", size, (40, 90, 160)).save(path)
        return path

    return write


@pytest.fixture
def convert(tmp_path: Path) -> Callable[..., Converted]:
    """Import a source, check the result without errors, and read it."""

    def run(source: Path, *, margin: float | None = 0.1, format_name: str | None = None, **options):
        out = tmp_path / "out" / "annotations.json"
        chosen = ImportOptions(**{"extracted": tmp_path / "out" / "extracted", **options})
        report = import_annotations(
            source, out, chosen, format_name=format_name, margin=margin, force=True
        )
        checked = check_keypoints(out, report.images)
        assert checked.errors == (), [finding.line for finding in checked.errors]
        return Converted(report, json.loads(out.read_text()), read_keypoints(out, report.images))

    return run


@dataclass(frozen=True)
class ConvertedBoxes:
    """The file of boxes that was written, as JSON and as training reads it."""

    report: ImportReport
    content: dict
    dataset: BoxDataset

    @property
    def boxes(self) -> list:
        """The name of the class and the box of each annotation."""
        names = {one["id"]: one["name"] for one in self.content["categories"]}
        return [(names[one["category_id"]], one["bbox"]) for one in self.content["annotations"]]

    @property
    def files(self) -> dict:
        """Part of each file, None where it has none."""
        return {one["file_name"]: one.get("part") for one in self.content["images"]}

    @property
    def notes(self) -> str:
        return " | ".join(self.report.notes)


@pytest.fixture
def convert_boxes(tmp_path: Path) -> Callable[..., ConvertedBoxes]:
    """Import a source of boxes and read the result, which needs no note of the reader."""

    def run(source: Path, *, format_name: str | None = None, **options):
        out = tmp_path / "out" / "boxes.json"
        report = import_annotations(
            source, out, ImportOptions(**options), format_name=format_name, force=True
        )
        assert report.kind == "boxes"
        dataset = read_coco_boxes(out, report.images)
        assert dataset.notes == ()
        assert all(sample.image_path.is_file() for sample in dataset.samples)
        return ConvertedBoxes(report, json.loads(out.read_text()), dataset)

    return run
