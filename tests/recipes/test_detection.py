"""The published trainings of detectors against the facts of their configuration files.

Sources, read by hand: configs/hrnet, configs/_base_ and READMEs of mmdetection and its fork.
"""

import pytest
from torch import nn

from hrnet import create_model
from hrnet.recipes import RECIPES, get_recipe
from hrnet.spec import NetworkOptions
from hrnet.tasks.detection.config import LOSS_OF_HEAD
from hrnet.training.optim import lr_at, make_optimizer
from hrnet.weights.published.rows import find_row

PLAIN = {
    ("w18", "faster", "1x"): "AP 36.9",
    ("w18", "faster", "2x"): "AP 38.9",
    ("w32", "faster", "1x"): "AP 40.2",
    ("w32", "faster", "2x"): "AP 41.4",
    ("w40", "faster", "1x"): "AP 41.2",
    ("w40", "faster", "2x"): "AP 42.1",
    ("w18", "mask", "1x"): "box AP 37.7, mask AP 34.2",
    ("w18", "mask", "2x"): "box AP 39.8, mask AP 36.0",
    ("w32", "mask", "1x"): "box AP 41.2, mask AP 37.1",
    ("w32", "mask", "2x"): "box AP 42.5, mask AP 37.8",
    ("w40", "mask", "1x"): "box AP 42.1, mask AP 37.5",
    ("w40", "mask", "2x"): "box AP 42.8, mask AP 38.2",
    ("w18", "cascade", "20e"): "AP 41.2",
    ("w32", "cascade", "20e"): "AP 43.3",
    ("w40", "cascade", "20e"): "AP 43.8",
    ("w18", "cascade_mask", "20e"): "box AP 41.6, mask AP 36.4",
    ("w32", "cascade_mask", "20e"): "box AP 44.3, mask AP 38.6",
    ("w40", "cascade_mask", "20e"): "box AP 45.1, mask AP 39.3",
    ("w18", "fcos", "1x"): "AP 35.3",
    ("w18", "fcos", "2x"): "AP 38.2",
    ("w18", "fcos", "ms_2x"): "AP 38.3",
    ("w32", "fcos", "1x"): "AP 39.5",
    ("w32", "fcos", "2x"): "AP 40.8",
    ("w32", "fcos", "ms_2x"): "AP 41.9",
    ("w40", "fcos", "ms_2x"): "AP 42.7",
}
LEGACY = {
    ("w18", "faster", "legacy_1x"): "AP 36.1",
    ("w18", "faster", "legacy_2x"): "AP 38.1",
    ("w32", "faster", "legacy_1x"): "AP 39.5",
    ("w32", "faster", "legacy_2x"): "AP 40.8",
    ("w40", "faster", "legacy_1x"): "AP 40.4",
    ("w40", "faster", "legacy_2x"): "AP 41.4",
    ("w48", "faster", "legacy_1x"): "AP 40.9",
    ("w48", "faster", "legacy_2x"): "AP 41.5",
    ("w18", "mask", "legacy_1x"): "box AP 37.3, mask AP 34.2",
    ("w18", "mask", "legacy_2x"): "box AP 39.2, mask AP 35.7",
    ("w32", "mask", "legacy_1x"): "box AP 40.7, mask AP 36.8",
    ("w32", "mask", "legacy_2x"): "box AP 42.1, mask AP 37.6",
    ("w48", "mask", "legacy_1x"): "box AP 42.4, mask AP 38.1",
    ("w48", "mask", "legacy_2x"): "box AP 42.9, mask AP 38.3",
    ("w18", "cascade", "legacy_20e"): "AP 41.2",
    ("w32", "cascade", "legacy_20e"): "AP 43.7",
    ("w48", "cascade", "legacy_20e"): "AP 44.6",
    ("w18", "cascade_mask", "legacy_20e"): "box AP 41.9, mask AP 36.4",
    ("w32", "cascade_mask", "legacy_20e"): "box AP 44.5, mask AP 38.5",
    ("w48", "cascade_mask", "legacy_20e"): "box AP 46.0, mask AP 39.5",
    ("w18", "faster", "syncbn_1x"): "AP 37.2",
    ("w18", "faster", "syncbn_ms_1x"): "AP 37.6",
    ("w18", "faster", "syncbn_ms_2x"): "AP 39.4",
    ("w18", "faster", "syncbn_crop_1x"): "AP 37.6",
    ("w18", "faster", "syncbn_crop_2x"): "AP 39.7",
    ("w32", "faster", "syncbn_ms_1x"): "AP 41.0",
    ("w32", "faster", "syncbn_ms_2x"): "AP 42.6",
}
ALL = PLAIN | LEGACY
STEPS = 118_287 // 16
"""Updates of an epoch of 16 pictures."""


def name_of(width, head, how):
    return f"detection/hrnet_{width}_{head}_coco_{how}"


def test_these_are_all():
    ours = "detection/small_hrnet_w16_light_persons"
    assert [name for name in RECIPES if name.startswith("detection/")] == [
        *(name_of(*key) for key in ALL),
        ours,
    ]


@pytest.mark.parametrize("key", ALL, ids="_".join)
def test_the_values_are_the_published_ones(key):
    _, head, how = key
    experiment = get_recipe(name_of(*key))
    model, train = experiment.model, experiment.train
    legacy, schedule = key in LEGACY, how.rpartition("_")[2]
    # The network and its start.
    assert model.options.head == head
    assert (model.fit, model.conventions) == ((800, 1333), "legacy" if legacy else "plain")
    assert model.channels == ("bgr" if head == "fcos" else "rgb")
    assert not train.init_head
    assert find_row(train.init) is not None
    assert train.freeze_norms == ("syncbn" not in how)
    # The optimiser: 0.02 for 16 pictures, half as much for FCOS.
    usual = 0.01 if head == "fcos" else 0.02
    assert (train.optimizer, train.momentum, train.nesterov) == ("sgd", 0.9, False)
    assert train.lr / train.batch_size == pytest.approx(usual / 16)
    assert train.batch_size == (8 if how.startswith("legacy") else 16)
    assert train.weight_decay == 1e-4
    assert train.clip_norm == (35 if legacy or head == "fcos" else None)
    # The schedule.
    drops = {"1x": (8, 11), "2x": (20, 23) if legacy else (16, 22), "20e": (16, 19)}
    assert train.epochs == {"1x": 12, "2x": 24, "20e": 20}[schedule]
    assert (train.schedule, train.milestones) == ("step", drops[schedule])
    assert train.warmup_steps == 500
    assert train.warmup == ("constant" if head == "fcos" else "linear")
    third = legacy or head == "fcos"
    assert train.warmup_factor == pytest.approx(1 / 3 if third else 1e-3)
    # The loss and the pictures.
    assert train.loss == LOSS_OF_HEAD[head] + "_legacy" * legacy
    assert (train.ema, train.precision, train.freeze) == (0, "float32", ())
    augmentation = experiment.augmentation
    assert (augmentation.flip, augmentation.colour, augmentation.cutout) == (0.5, 0, 0)
    sizes, crop = (), None
    if "ms" in how:
        three = ((1000, 1600), (600, 1000), (800, 1333))
        sizes = three if legacy else ((640, 1333), (800, 1333))
    if "crop" in how:
        sizes, crop = ((600, 1400), (800, 1400), (1000, 1400)), (800, 1200)
    assert (augmentation.fits, augmentation.crop) == (sizes, crop)


@pytest.mark.parametrize("key", ALL, ids="_".join)
def test_the_docstring_has_the_published_figures(key):
    words = " ".join((RECIPES[name_of(*key)].__doc__ or "").split())
    assert f": {ALL[key]} on val2017." in words


def test_learning_rates_step_by_step():
    train = get_recipe(name_of("w18", "faster", "1x")).train
    rates = [lr_at(train, step, steps_per_epoch=STEPS) for step in (0, 250, 500, 8 * STEPS)]
    assert rates == pytest.approx([2e-5, 0.01001, 0.02, 0.002])
    train = get_recipe(name_of("w18", "faster", "legacy_1x")).train
    rates = [lr_at(train, step, steps_per_epoch=2 * STEPS) for step in (0, 250, 500)]
    assert rates == pytest.approx([0.01 / 3, 0.02 / 3, 0.01])
    train = get_recipe(name_of("w18", "fcos", "2x")).train
    rates = [lr_at(train, step, steps_per_epoch=STEPS) for step in (0, 499, 500, 22 * STEPS)]
    assert rates == pytest.approx([0.01 / 3, 0.01 / 3, 0.01, 1e-4])


def test_biases_of_fcos_learn_twice_as_fast_and_do_not_decay():
    network = create_model(
        "small_hrnet_w16", task="detection", num_outputs=2, options=NetworkOptions(head="fcos")
    )
    optimizer = make_optimizer(network, get_recipe(name_of("w18", "fcos", "1x")).train)
    groups = {
        id(parameter): (group["lr_scale"], group["weight_decay"])
        for group in optimizer.param_groups
        for parameter in group["params"]
    }
    kinds = set()
    for module in network.modules():
        for name, parameter in module.named_parameters(recurse=False):
            is_norm = isinstance(module, nn.BatchNorm2d | nn.GroupNorm)
            fast = name == "bias" and not is_norm
            assert groups[id(parameter)] == ((2, 0) if fast else (1, 1e-4)), (module, name)
            kinds.add((is_norm, name))
    assert kinds == {(True, "weight"), (True, "bias"), (False, "weight"), (False, "bias")} | {
        (False, "scale")
    }


def test_nothing_of_two_stages_is_left_out_of_the_decay():
    network = create_model(
        "small_hrnet_w16", task="detection", num_outputs=2, options=NetworkOptions(head="faster")
    )
    train = get_recipe(name_of("w18", "faster", "1x")).train
    (group,) = make_optimizer(network, train).param_groups
    assert (group["lr_scale"], group["weight_decay"]) == (1, 1e-4)
