"""Anchors, box coder, RoIAlign and suppression equal the published ones.

Every det_units_* file of the folder that HRNET_GOLDEN_TASKS names (else of one beside the project)
is compared, and those kept beside this file, which are parts of them.
"""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from hrnet.spec import NetworkSpec
from hrnet.tasks.detection.anchors import ANCHOR_STRIDES, base_anchors, map_anchors, map_points
from hrnet.tasks.detection.box_coder import box_iou, clip, decode, encode
from hrnet.tasks.detection.nms import grown, keep_mask
from hrnet.tasks.detection.regions import pool_level, region_levels
from hrnet.tasks.detection.second_stage import select
from hrnet.tasks.detection.spec import DetectionSpec

from .detectors import FOLDER, KEPT, arrays_of, facts_of, units_of

POINT_STRIDES = (8, 16, 32)
each_file = pytest.mark.parametrize(
    "path", [*units_of(KEPT), *units_of(FOLDER)], ids=lambda path: f"{path.parent.name}-{path.stem}"
)


def is_fork(path: Path) -> bool:
    return "mcnms/boxes_bg_first" in arrays_of(path)


def part(path: Path, start: str) -> Iterator[tuple[str, bool, Tensor]]:
    """Arrays whose names begin so: the rest of the name, whether legacy, and the values."""
    for key, values in arrays_of(path).items():
        legacy = is_fork(path) or key.startswith("legacy_")
        name = key.removeprefix("legacy_")
        if name.startswith(start):
            yield name.removeprefix(start), legacy, torch.from_numpy(values)


def gap(one: Tensor, other: Tensor) -> float:
    assert one.shape == other.shape
    return float((one - other).abs().max())


def map_for(positions: Tensor) -> Tensor:
    """A map (1, 1, h, w) of the size that positions (h * w, 2) come from."""
    width, height = (len(positions[:, axis].unique()) for axis in (0, 1))
    return torch.zeros(1, 1, height, width)


@each_file
def test_anchors_are_exactly_those(path: Path) -> None:
    found = 0
    for name, legacy, expected in part(path, "anchors/"):
        stride = ANCHOR_STRIDES[int(name[-1])]
        if name.startswith("base"):
            ours = base_anchors(stride, legacy=legacy)
        else:
            ours = map_anchors(map_for(expected[::3, :2]), stride, legacy=legacy)
        assert gap(ours, expected) == 0
        found += 1
    assert found in (8, 16)


@each_file
def test_points_are_exactly_those(path: Path) -> None:
    for name, _, expected in part(path, "fcos_points"):
        assert gap(map_points(map_for(expected), POINT_STRIDES[int(name)]), expected) == 0


@each_file
@pytest.mark.parametrize("kind", ["coder_rpn", "coder_rcnn"])
def test_the_box_coder(path: Path, kind: str) -> None:
    arrays, facts = arrays_of(path), facts_of(path)[kind]
    boxes, goals, deltas = (
        torch.from_numpy(arrays[f"{kind}/{name}"]) for name in ("boxes", "gt", "deltas")
    )
    stds, sizes = tuple(facts["stds"]), torch.tensor([facts["max_shape"]])
    found = 0
    for name, legacy, expected in part(path, f"{kind}/"):
        decoded = decode(boxes, deltas, stds, legacy=legacy)
        if legacy and not is_fork(path):
            # The old code moved each side by half a pixel; mmdetection's coder for it forgets that.
            decoded += torch.tensor((-0.5, -0.5, 0.5, 0.5))
        ours = {
            "encode": encode(boxes, goals, stds, legacy=legacy),
            "decode_noclip": decoded,
            "decode": clip(decoded[None], sizes, legacy=legacy)[0],
        }
        if name in ours:
            large = expected.abs().max().item() * 1e-6
            assert gap(ours[name], expected) < max(1e-4, large), name
            found += 1
    assert found in (3, 6)


@each_file
def test_levels_of_regions(path: Path) -> None:
    arrays = arrays_of(path)
    boxes = torch.from_numpy(arrays["levels/rois"][:, 1:])
    expected = arrays["levels/fork" if is_fork(path) else "levels/mmdet3"]
    assert region_levels(boxes, legacy=is_fork(path)).tolist() == expected.tolist()


@each_file
def test_pooling_of_regions(path: Path) -> None:
    arrays = arrays_of(path)
    if "roialign/feat" not in arrays:
        pytest.skip("not kept")
    features, rois = (torch.from_numpy(arrays[f"roialign/{name}"]) for name in ("feat", "rois"))
    expected = arrays["roialign/sample2_7x7" if is_fork(path) else "roialign/aligned_sr0_7x7"]
    ours = pool_level(features, rois, 7, 4, legacy=is_fork(path))
    assert gap(ours, torch.from_numpy(expected)) < 1e-5


@each_file
def test_suppression_keeps_the_same(path: Path) -> None:
    arrays, legacy = arrays_of(path), is_fork(path)
    if legacy:
        boxes, scores = np.split(arrays["nms/dets"], [4], axis=1)
        scores = scores[:, 0]
    else:
        boxes, scores = arrays["nms/boxes"], arrays["nms/scores"]
    boxes, scores = torch.from_numpy(boxes), torch.from_numpy(scores)
    for iou in (0.5, 0.7):
        mask = keep_mask(grown(boxes[None, None], int(legacy)), scores[None, None], iou)
        assert mask[0, 0].nonzero()[:, 0].tolist() == sorted(arrays[f"nms/keep_{iou}"].tolist())
    if "nms/labels" in arrays:
        labels = torch.from_numpy(arrays["nms/labels"])
        by_class = scores * (labels[None] == torch.arange(int(labels.max()) + 1)[:, None])
        mask = keep_mask(boxes[None, None], by_class[None], 0.5)[0].any(dim=0)
        assert mask.nonzero()[:, 0].tolist() == sorted(arrays["nms/batched_0.5"].tolist())


@each_file
def test_the_best_boxes_of_all_classes(path: Path) -> None:
    arrays, facts = arrays_of(path), facts_of(path)["mcnms"]
    # Their background is the first class in the fork, and the last one in mmdetection.
    if is_fork(path):
        boxes, scores = (
            arrays["mcnms/boxes_bg_first"][:, 4:],
            arrays["mcnms/scores_bg_first"][:, 1:],
        )
    else:
        boxes, scores = arrays["mcnms/boxes"], arrays["mcnms/scores_bg_last"][:, :-1]
    classes = scores.shape[1]
    spec = DetectionSpec(
        name="units",
        network=NetworkSpec(variant="hrnet_w18", task="detection", num_outputs=classes),
        input_size=(64, 64),
        class_names=[f"class {index}" for index in range(classes)],
        min_score=facts["score_thr"],
        nms_iou=facts["iou"],
        max_detections=facts["max_num"],
    )
    found = select(
        torch.from_numpy(boxes).reshape(1, -1, classes, 4),
        torch.from_numpy(np.ascontiguousarray(scores))[None],
        torch.tensor([float(is_fork(path))]),
        spec,
    )
    expected = arrays["mcnms/dets"]
    order = np.argsort(-expected[:, 4], kind="stable")
    assert found.labels[0].tolist() == arrays["mcnms/labels"][order].tolist()
    assert np.array_equal(found.boxes[0].numpy(), expected[order, :4])
    assert np.array_equal(found.scores[0].numpy(), expected[order, 4])


@each_file
def test_overlaps(path: Path) -> None:
    arrays = arrays_of(path)
    if "iou/iou" in arrays:
        one, other, expected = (torch.from_numpy(arrays[f"iou/{n}"]) for n in ("a", "b", "iou"))
        assert gap(box_iou(one, other, legacy=is_fork(path)), expected) < 1e-6
