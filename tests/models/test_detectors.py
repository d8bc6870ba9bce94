"""The heads of detectors: on the streams of every family, and as they start."""

import pytest
import torch

from hrnet.errors import InputError
from hrnet.models import create_model
from hrnet.models.heads.fcos import PointMaps
from hrnet.models.heads.two_stage import TwoStageMaps

TWO_STAGE = {"faster": (1, 0), "mask": (1, 1), "cascade": (3, 0), "cascade_mask": (3, 3)}
"""Head -> its numbers of box heads and of mask heads."""

every_family = pytest.mark.parametrize(
    "variant", ["small_hrnet_w16", "naive_litehrnet_18", "hrformer_tiny"]
)


def build(variant: str, head: str, count: int | None = None, device: str = "meta"):
    with torch.device(device):
        return create_model(variant, task="detection", num_outputs=count, options={"head": head})


def shapes(maps: list[torch.Tensor]) -> list[tuple[int, ...]]:
    return [tuple(x.shape[1:]) for x in maps]


@every_family
@pytest.mark.parametrize("head", TWO_STAGE)
def test_two_stages_have_a_pyramid_and_anchors(variant, head):
    network = build(variant, head, 5)
    maps = network(torch.empty(2, 3, 64, 96, device="meta"))
    assert isinstance(maps, TwoStageMaps)
    sizes = [(16, 24), (8, 12), (4, 6), (2, 3), (1, 1)]
    assert shapes(maps.features) == [(256, *size) for size in sizes]
    assert shapes(maps.objectness) == [(3, *size) for size in sizes]
    assert shapes(maps.deltas) == [(12, *size) for size in sizes]
    boxes, masks = TWO_STAGE[head]
    assert (len(maps.head.boxes), len(maps.head.masks)) == (boxes, masks)
    logits, deltas = maps.head.boxes[0](torch.empty(7, 256, 7, 7, device="meta"))
    assert logits.shape == (7, 6)
    assert deltas.shape == (7, 5 if boxes == 1 else 1, 4)
    for mask_head in maps.head.masks:
        assert mask_head(torch.empty(7, 256, 14, 14, device="meta")).shape == (7, 5, 28, 28)


@every_family
def test_fcos_has_points_at_strides_8_to_128(variant):
    maps = build(variant, "fcos", 5)(torch.empty(2, 3, 128, 192, device="meta"))
    assert isinstance(maps, PointMaps)
    sizes = [(16, 24), (8, 12), (4, 6), (2, 3), (1, 2)]
    for found, count in ((maps.classes, 5), (maps.distances, 4), (maps.centreness, 1)):
        assert shapes(found) == [(count, *size) for size in sizes]


def test_coco_has_80_classes_and_the_pyramid_none():
    assert build("hrnet_w18", "faster").head.boxes[0].classifier.out_features == 81
    assert build("hrnet_w18", "fcos").head.classifier.out_channels == 80
    with pytest.raises(InputError, match=r"has no num_outputs, got 5"):
        build("hrnet_w18", "pyramid", 5)
    with pytest.raises(InputError, match=r"expected one of pyramid, faster, .* got 'yolo'"):
        build("hrnet_w18", "yolo")


def test_the_weights_start_as_published():
    torch.manual_seed(0)
    head = build("small_hrnet_w16", "mask", 4, "cpu").head
    layers = {
        0.01: (head.proposals.conv, head.proposals.objectness, head.boxes[0].classifier),
        0.001: (head.boxes[0].deltas,),
        (2 / (256 * 9)) ** 0.5: head.masks[0].convs,
        (2 / (12544 + 1024)) ** 0.5: (head.boxes[0].hidden[0],),
    }
    for std, convs in layers.items():
        for conv in convs:
            assert conv.weight.std().item() == pytest.approx(std, rel=0.1)
            assert not conv.bias.any()
    fcos = build("small_hrnet_w16", "fcos", 4, "cpu").head
    assert fcos.classifier.bias.sigmoid().tolist() == pytest.approx([0.01] * 4)
    assert fcos.box_convs[3].conv.weight.std().item() == pytest.approx(0.01, rel=0.1)


@pytest.mark.parametrize("head", ["faster", "fcos"])
def test_outputs_become_float32_together(head):
    network = build("small_hrnet_w16", head, 2).bfloat16()
    maps = network(torch.empty(1, 3, 64, 64, device="meta", dtype=torch.bfloat16)).float()
    kinds = {x.dtype for x in (maps.features if head == "faster" else maps)}
    assert kinds == {torch.float32}
