"""Whole detectors equal the published ones: from the picture to boxes, and on the way.

Every recording of the folder that HRNET_GOLDEN_TASKS names (else of one beside the project) is
compared, and those kept beside this file, which are parts of them.
"""

import re
from pathlib import Path

import numpy as np
import pytest
import torch

from hrnet.predict import normalise
from hrnet.tasks.detection.crops import fit_picture
from hrnet.tasks.detection.masks import paste_masks
from hrnet.tasks.detection.predictor import content_sizes
from hrnet.tasks.detection.proposals import Proposals, propose
from hrnet.tasks.detection.regions import pool_regions, region_levels
from hrnet.weights.schemes import to_upstream

from .detectors import (
    FOLDER,
    KEPT,
    ROWS,
    Recorded,
    arrays_of,
    facts_of,
    recorded,
    shapes_of,
    wholes_of,
)
from .recordings import digest

BOXES, SCORES, MASKS = 2e-3, 2e-5, 1e-3
"""Tolerances: pixels, scores, and share of differing pixels."""
INNER = 5e-5
"""Of maps and logits, whose values go up to 10."""

each_kept = pytest.mark.parametrize("path", wholes_of(KEPT), ids=lambda path: path.stem)
each_file = pytest.mark.parametrize("path", wholes_of(FOLDER), ids=lambda path: path.stem)


def input_of(one: Recorded) -> torch.Tensor:
    pixels, _, (height, width) = fit_picture(one.image, one.spec)
    images = normalise(pixels[None], one.spec)
    images[:, :, height:] = 0
    images[:, :, :, width:] = 0
    return torch.from_numpy(images)


def check_detections(one: Recorded, rows: int | None = None) -> None:
    found, expected = one.model.predict(one.image, min_score=0), one.detections()
    count = len(expected["scores"])
    assert len(found) >= count if rows else len(found) == count
    height, width = one.image.shape[:2]
    boxes = expected["boxes"].clip(0, [width, height, width, height])
    assert found.class_ids[:count].tolist() == expected["labels"].tolist()
    assert np.abs(found.scores[:count] - expected["scores"]).max() < SCORES
    assert np.abs(found.boxes[:count] - boxes).max() < BOXES * np.max(one.scale)
    if "masks" in expected:
        size = expected["masks"].shape[1:]
        maps = found.mask_maps[:count]
        placed = (found.boxes[:count] / one.scale).astype(np.float32)
        masks = paste_masks(maps, placed, size, legacy=one.legacy)
        assert (masks != expected["masks"]).mean() < MASKS
        assert masks.any(axis=(1, 2)).mean() > 0.5


@each_kept
def test_the_best_detections_equal_those_of_the_published_code(path: Path) -> None:
    one = recorded(path)
    assert digest(shapes_of(path)) == one.facts["names_and_shapes"]
    check_detections(one, ROWS)


def test_the_kept_detectors_are_of_all_kinds() -> None:
    kinds = {(one["scheme"], one["network"]["head"]) for one in map(facts_of, wholes_of(KEPT))}
    assert kinds >= {
        *(("mmdetection", head) for head in ("faster", "mask", "cascade", "fcos")),
        *(("official", head) for head in ("faster", "mask")),
    }


@each_file
def test_all_detections_equal(path: Path) -> None:
    check_detections(recorded(path))


@each_file
def test_the_names_come_back(path: Path) -> None:
    one = recorded(path)
    network, head = one.spec.network, one.spec.network.head
    scheme = "official" if one.legacy else "mmdetection"
    theirs = to_upstream(one.network.state_dict(), network, scheme)
    assert {name: tuple(value.shape) for name, value in theirs.items()} == shapes_of(path), head


@each_file
def test_all_maps_equal(path: Path) -> None:
    one, arrays = recorded(path), arrays_of(path)
    images = input_of(one)
    assert np.abs(images[..., ::4, ::4].numpy() - arrays["input_sub4"]).max() < 1e-6
    with torch.inference_mode():
        maps = one.network(images)
    names = {"neck": "features", "rpn_cls": "objectness", "rpn_reg": "deltas"}
    names |= {"head_cls": "classes", "head_reg": "distances", "head_ctr": "centreness"}
    compared = 0
    for key, values in arrays.items():
        match = re.fullmatch(r"(\w+?)(\d)_first64", key)
        if match and hasattr(maps, names[match[1]]):
            ours = getattr(maps, names[match[1]])[int(match[2])].flatten()[:64]
            assert np.abs(ours.numpy() - values).max() < INNER, key
            compared += 1
    assert compared == 15


@pytest.mark.parametrize(
    "path",
    [path for path in wholes_of(FOLDER) if "proposals" in arrays_of(path)],
    ids=lambda path: path.stem,
)
def test_proposals_and_what_is_made_of_them_equal(path: Path) -> None:
    one, arrays = recorded(path), arrays_of(path)
    images, most = input_of(one), 2000 if one.legacy else 1000
    with torch.inference_mode():
        maps = one.network(images)
        sizes = content_sizes(images)
        assert sizes.tolist() == [list(fit_picture(one.image, one.spec)[2])]
        found = propose(
            maps.objectness, maps.deltas, sizes, legacy=one.legacy, per_level=most, most=most
        )
    _check_proposals(found, arrays)
    # From here on the recorded proposals, so that errors do not add up.
    boxes = torch.from_numpy(arrays["proposals"][None, :, :4])
    levels = region_levels(boxes, legacy=one.legacy)[0]
    if "proposal_levels" in arrays:
        assert levels.tolist() == arrays["proposal_levels"].tolist()
    if "roi_feat_first8x3" in arrays:
        with torch.inference_mode():
            pooled = pool_regions(maps.features, boxes, 7, legacy=one.legacy)
            logits, deltas = maps.head.boxes[0](pooled[:16])
        assert np.abs(pooled[:8, :3].numpy() - arrays["roi_feat_first8x3"]).max() < 1e-5
        first = int(one.legacy)  # there the background is the first class
        ours = np.roll(logits.numpy(), first, axis=1)
        assert np.abs(ours - arrays["cls_score_first16"]).max() < INNER
        ours = deltas[:4].flatten(1).numpy()
        assert np.abs(ours - arrays["bbox_pred_first4"][:, 4 * first :]).max() < INNER


def _check_proposals(found: Proposals, arrays: dict[str, np.ndarray]) -> None:
    expected = arrays["proposals"]
    scores = arrays["proposal_scores"] if "proposal_scores" in arrays else expected[:, 4]
    assert found.boxes.shape[1] == len(expected)
    assert np.abs(found.boxes[0].numpy() - expected[:, :4]).max() < BOXES
    assert np.abs(found.scores[0].numpy() - scores).max() < SCORES
