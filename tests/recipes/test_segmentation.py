"""The published trainings of segmentation against the facts of their configuration files.

Sources, read by hand: experiments/ and READMEs of HRNet-Semantic-Segmentation (HRNet-OCR,
pytorch-v1.1, master), seg/ and README of HRFormer, configs/hrnet, configs/ocrnet and
configs/_base_ of mmsegmentation 1.2.
"""

from pathlib import Path

import pytest

from hrnet import create_model
from hrnet.recipes import RECIPES, get_recipe
from hrnet.spec import NetworkSpec
from hrnet.tasks.segmentation.spec import SegmentationSpec
from hrnet.training.optim import lr_at, make_optimizer
from hrnet.weights.published.rows import find_row

# crop, long or short side, most scale, lr, decay, batch, epochs, loss, head factor, corners
HRNET = {
    "hrnet_w48_cityscapes": (
        *((512, 1024), 2048, 2.1, 0.01, 5e-4, 12, 484, "cross_entropy", 1, False),
        "80.9, or 81.1 (pytorch-v1.1)",
    ),
    "hrnet_w48_cityscapes_ohem": (
        *((512, 1024), 2048, 2.1, 0.01, 5e-4, 12, 484, "ohem", 1, False),
        "81.2",
    ),
    "hrnet_w48_ocr_cityscapes": (
        *((512, 1024), 2048, 2.1, 0.01, 5e-4, 12, 484, "cross_entropy", 1, True),
        "81.6",
    ),
    "hrnet_w18_small_v1_cityscapes": (
        *((512, 1024), 2048, 2.1, 0.01, 5e-4, 12, 484, "cross_entropy", 1, False),
        "70.3",
    ),
    "hrnet_w18_small_v2_cityscapes": (
        *((512, 1024), 2048, 2.1, 0.01, 5e-4, 12, 484, "cross_entropy", 1, False),
        "76.2",
    ),
    "hrnet_w48_lip": (
        *((473, 473), 473, 1.6, 0.007, 5e-4, 40, 150, "cross_entropy", 1, False),
        "55.83, mirrored too",
    ),
    "hrnet_w48_ocr_lip": (
        *((473, 473), 473, 1.6, 0.007, 5e-4, 40, 150, "cross_entropy", 1, True),
        "56.48, mirrored too",
    ),
    "hrnet_w48_pascal_context59": (
        *((520, 520), 520, 2.1, 0.001, 1e-4, 16, 200, "cross_entropy", 10, False),
        "54.1, several scales",
    ),
    "hrnet_w48_ocr_pascal_context59": (
        *((520, 520), 520, 2.1, 0.001, 1e-4, 16, 200, "cross_entropy", 10, True),
        "56.2, several scales",
    ),
    "hrnet_w48_ocr_pascal_context60": (
        *((520, 520), 520, 2.1, 0.001, 1e-4, 16, 200, "cross_entropy", 10, True),
        "50.1, several scales",
    ),
    "hrnet_w48_pascal_context59_480": (
        *((480, 480), 520, 2.1, 0.004, 1e-4, 16, 200, "cross_entropy", 1, False),
        "54.1, several scales",
    ),
    "hrnet_w48_pascal_context60_480": (
        *((480, 480), 520, 2.1, 0.004, 1e-4, 16, 200, "cross_entropy", 1, False),
        "48.3, several scales",
    ),
    "hrnet_w48_cocostuff": (
        *((520, 520), 520, 2.1, 0.001, 1e-4, 16, 110, "ohem", 10, True),
        "36.2, several scales 37.9",
    ),
    "hrnet_w48_ocr_cocostuff": (
        *((520, 520), 520, 2.1, 0.001, 1e-4, 16, 110, "ohem", 10, True),
        "39.7, several scales 40.6",
    ),
    "hrnet_w48_ade20k": (
        *((520, 520), 520, 1.6, 0.02, 1e-4, 16, 120, "ohem", 1, True),
        "43.1, several scales 44.2",
    ),
    "hrnet_w48_ocr_ade20k": (
        *((520, 520), 520, 2.1, 0.02, 1e-4, 16, 120, "ohem", 1, True),
        "44.5, several scales 45.5",
    ),
}
# single scale, several scales, drop path where the configuration names one
HRFORMER = {
    "hrformer_small_ocr_cityscapes": ("80.0", "81.0", None),
    "hrformer_base_ocr_cityscapes": ("81.4", "82.0", 0.4),
    "hrformer_base_ocr_cityscapes_window15": ("81.9", "82.6", 0.4),
    "hrformer_small_ocr_pascal_context59": ("53.8", "54.6", None),
    "hrformer_base_ocr_pascal_context59": ("56.3", "57.1", None),
    "hrformer_base_ocr_pascal_context59_window15": ("57.6", "58.5", 0.3),
    "hrformer_small_ocr_cocostuff": ("37.9", "38.9", None),
    "hrformer_base_ocr_cocostuff": ("41.6", "42.5", None),
    "hrformer_base_ocr_cocostuff_window15": ("42.4", "43.3", None),
    "hrformer_small_ocr_ade20k": ("44.0", "45.1", None),
    "hrformer_base_ocr_ade20k": ("46.3", "47.6", None),
    "hrformer_base_ocr_ade20k_window13": ("48.7", "50.0", None),
}
VARIANTS = ("hrnet_w18_small_v2", "hrnet_w18", "hrnet_w48")
MMSEG = {
    "cityscapes_mmseg_40k": "73.86/75.91 77.19/78.92 78.48/79.69",
    "cityscapes_mmseg_80k": "75.31/77.48 78.65/80.35 79.93/80.72",
    "cityscapes_mmseg_160k": "76.31/78.31 78.80/80.74 80.65/81.92",
    "ade20k_mmseg_80k": "31.38/32.45 36.27/37.28 41.90/43.27",
    "ade20k_mmseg_160k": "33.07/34.56 36.79/38.58 42.02/43.86",
    "pascal_context60_mmseg_40k": "- - 45.14/47.42",
    "pascal_context60_mmseg_80k": "- - 45.84/47.84",
    "pascal_context59_mmseg_40k": "- - 50.33/52.83",
    "pascal_context59_mmseg_80k": "- - 51.12/53.56",
    "ocr_cityscapes_mmseg_40k": "76.61/78.01 77.72/79.49 80.58/81.79",
    "ocr_cityscapes_mmseg_80k": "77.16/78.66 78.57/80.46 80.70/81.87",
    "ocr_cityscapes_mmseg_160k": "78.45/79.97 79.47/80.91 81.35/82.70",
    "ocr_ade20k_mmseg_80k": "35.06/35.80 37.79/39.16 43.00/44.30",
    "ocr_ade20k_mmseg_160k": "37.19/38.40 39.32/40.80 43.25/44.88",
}
MMSEG_FIGURES = {
    f"{variant}_{what}": figures
    for what, line in MMSEG.items()
    for variant, figures in zip(VARIANTS, line.split(), strict=True)
    if figures != "-"
}
LITE = ("litehrnet_18_cityscapes", "litehrnet_30_cityscapes")
ALL = [*HRNET, *HRFORMER, *MMSEG_FIGURES, *LITE]
CLASSES = {
    "cityscapes": 19,
    "lip": 20,
    "pascal_context59": 59,
    "pascal_context60": 60,
    "cocostuff": 171,
    "ade20k": 150,
}
PICTURES = {"cityscapes": 2975, "pascal_context59": 4998, "pascal_context60": 4998}
PICTURES |= {"cocostuff": 9000, "ade20k": 20_210}


def recipe(name):
    return get_recipe(f"segmentation/{name}")


def words_of(name) -> str:
    return " ".join((RECIPES[f"segmentation/{name}"].__doc__ or "").split())


def data_of(name) -> str:
    return next(data for data in CLASSES if f"_{data}" in name)


def rates_of(network, train) -> set[tuple[str, float, float]]:
    """Part of the network, factor on the learning rate and weight decay of every parameter."""
    parameters = {id(value): name for name, value in network.named_parameters()}
    return {
        (parameters[id(value)].partition(".")[0], group["lr_scale"], group["weight_decay"])
        for group in make_optimizer(network, train).param_groups
        for value in group["params"]
    }


def small(train, family="small_hrnet_w16", head="ocr"):
    network = create_model(family, task="segmentation", num_outputs=3, options={"head": head})
    return rates_of(network, train)


def test_these_are_all():
    names = {name.partition("/")[2] for name in RECIPES if name.startswith("segmentation/")}
    assert names == set(ALL)


@pytest.mark.parametrize("name", ALL)
def test_each_describes_a_model_of_its_data(name):
    experiment, count = recipe(name), CLASSES[data_of(name)]
    assert experiment.data.path == Path("data", data_of(name))
    assert (experiment.data.split, experiment.data.val_split) == ("train", "val")
    network = experiment.model.network("segmentation", count)
    fields = experiment.model.model_dump(exclude={"variant", "options"})
    names = tuple(map(str, range(count)))
    spec = SegmentationSpec(name="test", network=network, class_names=names, **fields)
    assert isinstance(spec.network, NetworkSpec)
    assert experiment.model.options.head == ("ocr" if "_ocr_" in name else "v2")
    weights = experiment.train.class_weights
    assert len(weights) in (0, count)
    # Heads start anew, backbones from weights that can be downloaded.
    assert not experiment.train.init_head
    assert find_row(experiment.train.init) is not None


@pytest.mark.parametrize("name", HRNET)
def test_trainings_of_hrnet(name):
    crop, side, most, lr, decay, batch, epochs, loss, head, align, figures = HRNET[name]
    experiment = recipe(name)
    model, train, augmentation = experiment.model, experiment.train, experiment.augmentation
    assert (model.conventions, model.channels, model.options.align_corners) == (
        *("hrnet", "rgb"),
        align,
    )
    data = data_of(name)
    assert model.long_side == side
    assert model.short_side == (None if data in ("cityscapes", "lip") else 520)
    assert model.exact == ((473, 473) if data == "lip" else None)
    assert model.pad_to == (8 if model.short_side else 1)
    assert model.keep_padding == (data == "ade20k")
    assert model.window == ((1024, 2048) if data == "cityscapes" else crop)
    assert model.tiling == ("inside" if data == "cityscapes" else "padded")
    assert (augmentation.crop, augmentation.scale, augmentation.scale_step) == (
        *(crop, (0.5, most)),
        0.1,
    )
    assert (augmentation.aspect, augmentation.flip, augmentation.brightness) == ((1, 1), 0.5, 0)
    assert (augmentation.most_of_one, augmentation.colour, augmentation.distortion) == (1, 0, False)
    assert (train.optimizer, train.momentum, train.nesterov) == ("sgd", 0.9, False)
    assert (train.lr, train.batch_size, train.epochs) == (lr, batch, epochs)
    assert (train.loss, train.ohem_threshold, train.ohem_keep) == (loss, 0.9, 131_072)
    assert (train.schedule, train.schedule_floor, train.warmup_steps) == ("poly", 0, 0)
    assert (train.aux_weight, train.divide_by_all) == (0.4, False)
    assert (len(train.class_weights) > 0) == (data == "cityscapes")
    # Everything decays, norms and biases too.
    assert small(train) == {("backbone", 1, decay), ("head", head, decay)}
    assert f"Published: mIoU {figures}." in words_of(name)


@pytest.mark.parametrize("name", HRFORMER)
def test_trainings_of_hrformer(name):
    single, several, drop_path = HRFORMER[name]
    experiment, data = recipe(name), data_of(name)
    model, train, augmentation = experiment.model, experiment.train, experiment.augmentation
    cityscapes, context = data == "cityscapes", data == "pascal_context59"
    assert (model.conventions, model.channels, model.options.align_corners) == (
        *("hrformer", "bgr"),
        True,
    )
    assert model.options.window == (int(name[-2:]) if "window" in name else None)
    assert model.options.drop_path == drop_path
    assert (model.short_side, model.pad_to) == ((None, 1) if cityscapes else (520, 8))
    assert (model.long_side, model.window) == (None, None)
    assert augmentation.crop == ((512, 1024) if cityscapes else (520, 520))
    assert (augmentation.scale, augmentation.scale_step) == ((0.5, 2), 0)
    assert (augmentation.aspect, augmentation.brightness) == ((0.9, 1.1), 10)
    assert (train.optimizer, train.lr, train.loss) == ("adamw", 1e-4, "ohem_hrformer")
    assert (train.ohem_threshold, train.ohem_keep) == (0.7 if context else 0.9, 100_000)
    assert (len(train.class_weights) > 0) == cityscapes
    updates, batch = {
        "cityscapes": (80_000, 8),
        "pascal_context59": (60_000, 16),
        "cocostuff": (60_000, 16),
        "ade20k": (150_000, 8),
    }[data]
    assert train.batch_size == batch
    assert train.epochs * (PICTURES[data] // batch) == pytest.approx(updates, rel=0.01)
    assert f"Published: mIoU {single}, several scales {several}." in words_of(name)


def test_rates_and_decay_of_hrformer():
    train = recipe("hrformer_small_ocr_cityscapes").train
    steps = 2975 // 8
    rates = [lr_at(train, step, steps_per_epoch=steps) for step in (0, 750, 1500)]
    assert rates == pytest.approx([1e-10, 5.000005e-5, 1e-4])
    last = train.epochs * steps - 1
    assert 0 < lr_at(train, last, steps_per_epoch=steps) < 1e-8
    network = create_model(
        "hrformer_small", task="segmentation", num_outputs=3, options={"head": "ocr"}
    )
    without = {id(value) for name, value in network.named_parameters() if "relative" in name}
    for module in network.modules():
        if "Norm" in type(module).__name__ and not list(module.children()):
            without |= {id(value) for value in module.parameters()}
    assert len(without) > 100
    for group in make_optimizer(network, train).param_groups:
        kinds = {id(value) in without for value in group["params"]}
        assert kinds == {group["weight_decay"] == 0}
        assert group["weight_decay"] in (0, 0.01)


@pytest.mark.parametrize("name", MMSEG_FIGURES)
def test_trainings_of_mmsegmentation(name):
    experiment, data = recipe(name), data_of(name)
    model, train, augmentation = experiment.model, experiment.train, experiment.augmentation
    context = data.startswith("pascal")
    assert (model.conventions, model.channels, model.options.align_corners) == (
        *("mmsegmentation", "rgb"),
        False,
    )
    crop = (512, 1024) if data == "cityscapes" else (480, 480) if context else (512, 512)
    assert augmentation.crop == crop
    assert (model.window, model.stride) == (((480, 480), (320, 320)) if context else (None, None))
    assert (model.short_side, model.long_side) == {
        "cityscapes": (None, None),
        "ade20k": (512, None),
    }.get(data, (None, 520))
    assert (augmentation.scale, augmentation.scale_step) == ((0.5, 2), 0)
    assert (augmentation.most_of_one, augmentation.distortion) == (0.75, True)
    assert (train.optimizer, train.momentum) == ("sgd", 0.9)
    lr, decay = (0.004, 1e-4) if context else (0.01, 5e-4)
    assert (train.lr, train.lr * train.schedule_floor) == (lr, pytest.approx(1e-4))
    assert small(train) == {("backbone", 1, decay), ("head", 1, decay)}
    assert (train.loss, train.divide_by_all, train.aux_weight) == ("cross_entropy", True, 0.4)
    assert train.class_weights == ()
    batch = 8 if data == "cityscapes" else 16
    updates = 1000 * int(name.rpartition("_")[2].removesuffix("k"))
    assert train.batch_size == batch
    assert train.epochs * (PICTURES[data] // batch) == pytest.approx(updates, rel=0.01)
    single, several = MMSEG_FIGURES[name].split("/")
    assert f"Published: mIoU {single}, several scales {several}." in words_of(name)


@pytest.mark.parametrize("name", LITE)
def test_trainings_of_lite_hrnet_are_our_own(name):
    experiment = recipe(name)
    assert experiment.model.conventions == "plain"
    assert "Published: nothing." in words_of(name)
