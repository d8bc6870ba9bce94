"""Training inputs, losses and learning rates of published segmentation code.

Every seg_protocol*.npz and seg_other*.npz of the folder of `test_segmentation` is compared, case by
case. Random numbers of the pipelines are replayed from the recordings.
"""

import json

import numpy as np
import pytest
import torch

from hrnet.data.mask_dataset import IGNORED
from hrnet.spec import IMAGENET_MEAN, IMAGENET_STD
from hrnet.tasks.segmentation.augment import Window, arrange, cut_window, drawn_size, first_resize
from hrnet.tasks.segmentation.config import SegmentationTrain
from hrnet.tasks.segmentation.pixel_loss import PixelLoss
from hrnet.training.optim import lr_at

from .test_segmentation import FOLDER, cases, facts, hrnet_spec, read, rgb

TABLES = {"Cityscapes": "cityscapes_id_to_train", "ADE20K": "ade20k_reduce_zero"}
COUNTS = {"Cityscapes": 19, "ADE20K": 150}


def file_labels(stored: np.ndarray) -> np.ndarray:
    """Labels of the recordings, whose ignored ones are 255 or -1."""
    labels = stored.astype(np.int16)
    labels[labels == 255] = IGNORED
    return labels


@pytest.mark.parametrize(("path", "name"), cases("seg_protocol*.npz", "0/tensor"))
def test_training_inputs_are_the_published_ones(path, name):
    case, arrays = facts(path)[name], read(path)
    if "train" not in case["list_file"]:
        pytest.skip("no pipeline of a training")
    settings = case["kwargs"]
    crop, base = tuple(settings["crop_size"]), settings["base_size"]
    spec = hrnet_spec(
        {**case, "base_size": base, "crop": crop, "scales": [1], "align_corners": True},
        COUNTS[case["dataset"]],
    )
    if case["dataset"] != "Cityscapes":
        spec = spec.model_copy(update={"short_side": base})
    table = arrays[TABLES[case["dataset"]]]
    # Four numbers a sample: scale, left, top, and 0 where it is mirrored.
    draws = [case["draws"][index : index + 4] for index in range(0, len(case["draws"]), 4)]
    for count, four in enumerate(draws):
        (*_, tenths), (*_, most_left, left), (*_, most_top, top), (*_, kept) = four
        picture = rgb(arrays[f"{name}/{count}/image_bgr"])
        labels = file_labels(table[arrays[f"{name}/{count}/label_file"]])
        one = first_resize((picture, labels), spec)
        size = drawn_size(one[1].shape, 0.5 + tenths / 10, 1.0, spec)
        assert [max(0, a - b) for a, b in zip(size, crop, strict=True)] == [most_top, most_left]
        window = Window(size, top, left)
        part = cut_window(one, window, crop, spec)
        pixels, found = arrange(part, window, crop, spec, is_mirrored=kept == 0)
        normalised = (pixels / 255 - IMAGENET_MEAN) / IMAGENET_STD
        expected = arrays[f"{name}/{count}/tensor"].transpose(1, 2, 0)
        np.testing.assert_allclose(normalised, expected, atol=1e-6, rtol=0)
        assert np.array_equal(found, file_labels(arrays[f"{name}/{count}/label"]))
    assert len(draws) == sum(key.startswith(f"{name}/") and "tensor" in key for key in arrays) > 0


def loss_and_gradients(loss, scores, target):
    scores = [torch.tensor(one, requires_grad=True) for one in scores]
    outputs = scores[0] if len(scores) == 1 else tuple(scores)
    value = loss(outputs, {"labels": torch.from_numpy(file_labels(target))})
    value.backward()
    return value.item(), [one.grad.numpy() for one in scores]


@pytest.mark.parametrize(("path", "name"), cases("seg_protocol*.npz", "score0"))
def test_losses_and_their_gradients_are_the_published_ones(path, name):
    case, arrays = facts(path)[name], read(path)
    loss = PixelLoss(
        SegmentationTrain(
            loss="ohem" if case["ohem"] else "cross_entropy",
            class_weights=tuple(case["class_weights"] or ()),
            aux_weight=case["balance"][0],
            **{"ohem_threshold": case["thres"], "ohem_keep": case["min_kept"]}
            if case["ohem"]
            else {},
        ),
        case["align_corners"],
    )
    scores = [arrays[f"{name}/score{index}"] for index in range(1 + case["two_outputs"])]
    value, gradients = loss_and_gradients(loss, scores, arrays[f"{name}/target"])
    assert value == pytest.approx(case["loss"], rel=1e-6)
    for index, gradient in enumerate(gradients):
        expected = arrays[f"{name}/grad{index}"]
        np.testing.assert_allclose(gradient, expected, rtol=0, atol=1e-6 * np.abs(expected).max())


@pytest.mark.parametrize(("path", "name"), cases("seg_other*.npz", "aux"))
def test_losses_of_hrformer_are_the_published_ones(path, name):
    case, arrays = facts(path)[name], read(path)
    settings = {"ohem_threshold": case["thresh"], "ohem_keep": case["minkeep"]}
    loss = PixelLoss(SegmentationTrain(loss="ohem_hrformer", **settings), True)
    scores = [arrays[f"{name}/aux"], arrays[f"{name}/out"]]
    value, _ = loss_and_gradients(loss, scores, arrays[f"{name}/target"])
    assert value == pytest.approx(case["loss"], rel=1e-6)


def schedules(pattern: str, key: str) -> list:
    files = sorted(FOLDER.glob(pattern))
    found = [(path.name, json.loads(path.read_text()).get(key)) for path in files]
    return [pytest.param(one, id=name) for name, one in found if one] or [
        pytest.param(None, marks=pytest.mark.skip(reason=f"{FOLDER} has no {pattern} with {key}"))
    ]


@pytest.mark.parametrize("case", schedules("seg_protocol*.json", "poly_lr"))
def test_poly_is_the_published_one(case):
    """The official code sets the rate of an update behind it; so each is used one update later."""
    steps, base = case["max_iters"], case["base"]
    config = SegmentationTrain(epochs=1, lr=base, schedule_floor=0)
    rates = [lr_at(config, step, steps_per_epoch=steps) for step in case["iters"]]
    np.testing.assert_allclose(rates, np.array(case["one_group"])[:, 0], rtol=1e-9)


@pytest.mark.parametrize("case", schedules("seg_other*.json", "warm_lambda_poly"))
def test_the_warm_up_of_hrformer_is_the_published_one(case):
    config = SegmentationTrain(
        epochs=1,
        lr=1,
        schedule_floor=0,
        schedule_after_warmup=True,
        warmup_steps=case["warm_iters"],
        warmup_factor=case["warm_ratio"],
    )
    factors = [lr_at(config, step, steps_per_epoch=case["max_iters"]) for step in case["iters"]]
    np.testing.assert_allclose(factors, case["factor"], rtol=1e-9)
