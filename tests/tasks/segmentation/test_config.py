"""Settings of segmentation: where the data are, and what does not go together."""

from pathlib import Path

import pytest
from pydantic import ValidationError

from hrnet.data.mask_dataset import MaskDataset
from hrnet.data.source import DataSource
from hrnet.tasks.segmentation.config import MaskAugmentation, MaskData, make_spec

from .shapes import NAMES, experiment_of


def test_the_parts_of_a_known_layout():
    data = MaskData(path=Path("city"), split="train", val_split="val")
    assert data.training() == DataSource(Path("city"), split="train")
    assert data.validation() == DataSource(Path("city"), split="val")


def test_without_val_there_is_no_evaluation():
    assert MaskData(path=Path("a"), masks=Path("b")).validation() is None


def test_a_folder_to_evaluate_on_has_masks_of_its_own(tmp_path):
    """But lists and files of polygons have the pictures of those to train on."""
    data = MaskData(path=tmp_path, masks=Path("masks"), val=tmp_path)
    assert data.training() == DataSource(tmp_path, labels=Path("masks"))
    assert data.validation() == DataSource(tmp_path)
    data = MaskData(path=tmp_path, val=tmp_path, val_masks=Path("others"))
    assert data.validation() == DataSource(tmp_path, labels=Path("others"))
    data = MaskData(path=Path("a.json"), images=Path("images"), val=Path("b.json"))
    assert data.validation() == DataSource(Path("b.json"), Path("images"))


@pytest.mark.parametrize(
    "settings",
    [
        {"scale": (0.01, 1)},
        {"scale": (1, 0.5)},
        {"aspect": (2, 1)},
        {"flip": 1.5},
        {"most_of_one": 0},
        {"brightness": 300},
        {"crop": (0, 64)},
        {"crop": (2048, 2048)},
    ],
)
def test_changes_beyond_all_bounds_are_refused(settings):
    with pytest.raises(ValidationError):
        MaskAugmentation(**settings)


def test_a_model_has_the_colors_and_pairs_of_its_data(tmp_path):
    colors = ((0, 0, 0), (255, 0, 0), (0, 0, 255))
    data = MaskDataset(tmp_path, NAMES, (), colors, ((1, 2),))
    spec = make_spec(experiment_of(tmp_path, "model.long_side=640", "model.scales=[1,2]"), data)
    assert (spec.class_names, spec.colors, spec.mirror_pairs) == (NAMES, colors, ((1, 2),))
    assert (spec.long_side, spec.scales, spec.network.num_outputs) == (640, (1, 2), 3)
    assert (spec.mean, spec.channels) == ((0.485, 0.456, 0.406), "rgb")
