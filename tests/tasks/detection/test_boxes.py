"""Anchors, box coder and suppression: by hand, and by what must hold for any boxes."""

import numpy as np
import pytest
import torch
from torch import Tensor

from hrnet.tasks.detection.anchors import base_anchors, map_anchors, map_points
from hrnet.tasks.detection.box_coder import STAGE_STDS, box_iou, clip, decode, encode
from hrnet.tasks.detection.nms import grown, keep_mask
from hrnet.tasks.detection.regions import pool_level, pool_regions, region_levels

both = pytest.mark.parametrize("legacy", [False, True])


def boxes_of(count: int, seed: int = 0, side: float = 40) -> Tensor:
    draw = torch.Generator().manual_seed(seed)
    corner = torch.rand(count, 2, generator=draw) * 60
    return torch.cat([corner, corner + 2 + torch.rand(count, 2, generator=draw) * side], dim=1)


def test_the_anchors_of_stride_4():
    """Those of ratio 1 stand in mmdetection's and in the fork's own notes."""
    assert base_anchors(4, legacy=False)[1].tolist() == [-16, -16, 16, 16]
    assert base_anchors(4, legacy=True)[1].tolist() == [-14, -14, 17, 17]
    sizes = base_anchors(8, legacy=False)[:, 2:] * 2
    assert (sizes[:, 1] / sizes[:, 0]).tolist() == pytest.approx([0.5, 1, 2])
    assert sizes.prod(dim=1).tolist() == pytest.approx([64 * 64] * 3)


def test_anchors_and_points_go_row_by_row():
    x = torch.zeros(1, 7, 2, 3)
    anchors = map_anchors(x, 16, legacy=False)
    middles = (anchors[1::3, :2] + anchors[1::3, 2:]) / 2
    assert middles.tolist() == [[0, 0], [16, 0], [32, 0], [0, 16], [16, 16], [32, 16]]
    assert map_points(x, 16)[:4].tolist() == [[8, 8], [24, 8], [40, 8], [8, 24]]


@both
@pytest.mark.parametrize("stds", STAGE_STDS)
def test_decoding_takes_encoding_back(legacy, stds):
    boxes, targets = boxes_of(30), boxes_of(30, seed=1)
    deltas = encode(boxes, targets, stds, legacy=legacy)
    found = decode(boxes, deltas, stds, legacy=legacy)
    torch.testing.assert_close(found, targets, rtol=0, atol=1e-3)


def test_a_legacy_box_counts_both_ends():
    box = torch.tensor([[0.0, 0, 9, 9]])
    assert box_iou(box, torch.tensor([[5.0, 0, 9, 9]]), legacy=True).item() == pytest.approx(0.5)
    assert decode(box, torch.zeros(1, 4), STAGE_STDS[0], legacy=True).tolist() == box.tolist()
    sizes = torch.tensor([[8, 6]])
    assert clip(box[None], sizes, legacy=True).tolist() == [[[0, 0, 5, 7]]]
    assert clip(box[None], sizes, legacy=False).tolist() == [[[0, 0, 6, 8]]]
    inner = torch.tensor([[2.0, 2, 4, 4]])
    assert box_iou(inner, box, legacy=False, of_first=True).item() == 1


def test_a_box_grows_at_most_by_a_factor_of_62():
    box = torch.tensor([[0.0, 0, 10, 10]])
    wide = decode(box, torch.tensor([[0.0, 0, 99, -99]]), (1, 1, 1, 1), legacy=False)[0]
    assert (wide[2] - wide[0]).item() == pytest.approx(625)
    assert (wide[3] - wide[1]).item() == pytest.approx(0.16)


def greedy(boxes: Tensor, scores: Tensor, iou: float) -> set[int]:
    """Suppression as it is defined."""
    kept: list[int] = []
    for index in scores.argsort(descending=True).tolist():
        others = boxes[kept]
        if (
            scores[index] > 0
            and not (box_iou(boxes[index][None], others, legacy=False) > iou).any()
        ):
            kept.append(index)
    return set(kept)


def test_suppression_is_exact_within_each_group_and_picture():
    boxes = torch.stack([boxes_of(50, seed).reshape(2, 25, 4) for seed in (0, 1, 2)])
    boxes[1] += 1e4  # of another picture, far away
    scores = torch.rand(3, 2, 25, generator=torch.Generator().manual_seed(3)) - 0.1
    mask = keep_mask(boxes, scores, 0.3)
    for picture in range(3):
        for group in range(2):
            expected = greedy(boxes[picture, group], scores[picture, group], 0.3)
            assert set(mask[picture, group].nonzero()[:, 0].tolist()) == expected
    shared = keep_mask(boxes[:, :1], scores, 0.3)
    assert set(shared[0, 1].nonzero()[:, 0].tolist()) == greedy(boxes[0, 0], scores[0, 1], 0.3)


def test_suppression_of_nothing_keeps_nothing():
    assert not keep_mask(boxes_of(4)[None, None], torch.zeros(1, 2, 4), 0.5).any()


def test_legacy_boxes_overlap_more():
    pair = torch.tensor([[0.0, 0, 2, 2], [1, 0, 3, 2]])[None, None]
    scores = torch.tensor([[[0.9, 0.8]]])
    kept = [keep_mask(grown(pair, extent), scores, 0.4).sum().item() for extent in (0, 1, 1.5)]
    assert kept == [2, 1, 1]  # IoU 1/3, 1/2 and more
    by_picture = grown(pair.expand(2, -1, -1, -1), torch.tensor([0.0, 1.0]))
    assert keep_mask(by_picture, scores.expand(2, -1, -1), 0.4).sum(dim=(1, 2)).tolist() == [2, 1]


def test_levels_follow_the_side():
    sides = torch.tensor([1.0, 100, 112, 223, 224, 447, 448, 2000])
    boxes = torch.stack([torch.zeros(8), torch.zeros(8), sides, sides], dim=1)
    assert region_levels(boxes, legacy=False).tolist() == [0, 0, 1, 1, 2, 2, 3, 3]


def test_pooling_a_slope_gives_the_middles_of_cells():
    """Of x itself the mean over a cell is the cell's middle: exact for bilinear samples."""
    slope = torch.arange(32.0).expand(1, 1, 32, 32)
    roi = torch.tensor([[0, 16.0, 16, 72, 72]])
    plain = pool_level(slope, roi, 7, 4, legacy=False)[0, 0]
    np.testing.assert_allclose(plain[0], (16 + 8 * (np.arange(7) + 0.5)) / 4 - 0.5, rtol=1e-5)
    # Legacy maps begin half a cell later, and a box ends one pixel later.
    legacy = pool_level(slope, roi, 7, 4, legacy=True)[0, 0]
    np.testing.assert_allclose(legacy[0], (16 + 57 / 7 * (np.arange(7) + 0.5)) / 4, rtol=1e-5)


def test_regions_keep_their_order_over_levels_and_pictures():
    features = [torch.full((2, 1, 64 // 2**i, 64 // 2**i), float(i)) for i in range(5)]
    for x in features:
        x[1] += 10
    sides = torch.tensor([[200.0, 20, 120], [20, 250, 60]])
    boxes = torch.stack([torch.zeros(2, 3), torch.zeros(2, 3), sides, sides], dim=2)
    pooled = pool_regions(features, boxes, 7, legacy=False)
    assert pooled.shape == (6, 1, 7, 7)
    assert pooled[:, 0, 3, 3].tolist() == [1, 0, 1, 10, 12, 10]
