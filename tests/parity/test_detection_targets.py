"""What a detector's losses learn from equals what the published code assigned.

Every det_units_*.npz of the folder that HRNET_GOLDEN_TASKS names (else of one beside the project)
is compared: anchors and regions matched with boxes, points of FCOS, and the smooth L1 loss.
"""

import json
import os
from pathlib import Path

import numpy as np
import pytest
import torch

from hrnet.tasks.detection.anchors import pyramid_anchors, pyramid_points
from hrnet.tasks.detection.fcos_loss import REACH, assign_points, true_centreness
from hrnet.tasks.detection.matching import NEITHER, MatchRule, Truth, match
from hrnet.tasks.detection.two_stage_loss import ANCHOR_RULE, smooth_l1

BESIDE = Path(__file__).parents[3] / "shared" / "reference" / "golden_tasks"
PICTURE = (100, 150)
"""Height and width of the recorded picture."""


def recorded_files() -> list[Path]:
    folder = os.environ.get("HRNET_GOLDEN_TASKS") or BESIDE
    return sorted(Path(folder).glob("det_units_*.npz"))


def maps_of(strides) -> list[torch.Tensor]:
    height, width = PICTURE
    return [torch.zeros(1, 1, -(-height // stride), -(-width // stride)) for stride in strides]


def truth_of(boxes: np.ndarray) -> Truth:
    found = torch.from_numpy(boxes)
    return Truth(found, torch.arange(len(found)), found[:0])


def codes(matched: torch.Tensor) -> np.ndarray:
    """0 for background, -1 for neither, k for box k - 1, as recorded."""
    return torch.where(matched == NEITHER, -1, matched + 1).numpy()


@pytest.fixture(params=recorded_files() or [None], ids=lambda path: path.stem if path else "none")
def recorded(request):
    if request.param is None:
        pytest.skip("HRNET_GOLDEN_TASKS names no folder with det_units_*.npz")
    with np.load(request.param) as arrays:
        found = {key: arrays[key] for key in arrays}
    facts = json.loads(request.param.with_suffix(".json").read_text())
    return "fork" in request.param.stem, found, facts


def test_anchors_match_as_recorded(recorded):
    legacy, arrays, _ = recorded
    anchors = torch.cat(pyramid_anchors(maps_of((4, 8, 16, 32, 64)), legacy=legacy))
    matched = match(anchors, truth_of(arrays["assign_rpn/gt"]), ANCHOR_RULE, legacy=legacy)
    np.testing.assert_array_equal(codes(matched), arrays["assign_rpn/gt_inds"])


def test_regions_match_as_recorded(recorded):
    legacy, arrays, _ = recorded
    rule = MatchRule(0.5, 0.5, forced=0.5 if legacy else None)
    regions = torch.from_numpy(arrays["assign_rcnn/priors"])
    matched = match(regions, truth_of(arrays["assign_rcnn/gt"]), rule, legacy=legacy)
    np.testing.assert_array_equal(codes(matched), arrays["assign_rcnn/gt_inds"])


def test_points_get_the_recorded_boxes(recorded):
    _, arrays, facts = recorded
    if "fcos_targets" not in facts:
        pytest.skip("recorded without FCOS")
    truth, levels = (
        truth_of(arrays["fcos_targets/gt"]),
        pyramid_points(maps_of((8, 16, 32, 64, 128))),
    )
    # The recorded labels are of other classes than the numbers of the boxes, one for one.
    goals = []
    for level, (points, reach) in enumerate(zip(levels, REACH, strict=True)):
        labels, distances = assign_points(points, torch.tensor(reach).expand(len(points), 2), truth)
        expected = arrays[f"fcos_targets/labels{level}"]
        near = expected != facts["fcos_targets"]["background_label"]
        np.testing.assert_array_equal((labels >= 0).numpy(), near)
        np.testing.assert_array_equal(
            distances.numpy()[near], arrays[f"fcos_targets/reg{level}"][near]
        )
        goals.append(distances[labels >= 0])
    np.testing.assert_array_equal(
        true_centreness(torch.cat(goals)).numpy(), arrays["fcos_targets/centerness_pos"]
    )


def test_smooth_l1_is_the_recorded_one(recorded):
    _, arrays, facts = recorded
    if "smoothl1" not in facts:
        pytest.skip("recorded without smooth L1")
    found = torch.from_numpy(arrays["smoothl1/pred"])
    for beta, expected in facts["smoothl1"].items():
        loss = smooth_l1(found, torch.zeros_like(found), float(beta)) / len(found)
        assert loss.item() == pytest.approx(expected, rel=1e-6)
