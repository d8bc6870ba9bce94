"""The published trainings: every recipe against the facts of the official configuration files.

Sources: the configuration files and READMEs of leoxiaobin/deep-high-resolution-net.pytorch,
HRNet/Lite-HRNet, HRNet/HRFormer and open-mmlab/mmpose, read by hand.
"""

from fnmatch import fnmatchcase

import pytest
import torch

from hrnet import create_model
from hrnet.config import override
from hrnet.models.hrformer import VARIANTS as HRFORMERS
from hrnet.models.hrformer import DropPath
from hrnet.recipes import RECIPES, get_recipe
from hrnet.spec import NetworkOptions
from hrnet.weights.published.rows import find_row

# name: GPUs, images a GPU, sigma, score
HRNET = {
    "hrnet_w32_coco_256x192": (4, 32, 2, "AP 74.4"),
    "hrnet_w32_coco_384x288": (4, 32, 3, "AP 75.8"),
    "hrnet_w48_coco_256x192": (4, 32, 2, "AP 75.1"),
    "hrnet_w48_coco_384x288": (4, 24, 3, "AP 76.3"),
    "hrnet_w32_mpii_256x256": (4, 32, 2, "PCKh@0.5 90.3"),
    "hrnet_w48_mpii_256x256": (4, 32, 2, "PCKh@0.5 90.1"),
}
LITE = {
    "litehrnet_18_coco_256x192": (8, 64, 2, "AP 64.8"),
    "litehrnet_18_coco_384x288": (8, 32, 3, "AP 67.6"),
    "litehrnet_30_coco_256x192": (8, 64, 2, "AP 67.2"),
    "litehrnet_30_coco_384x288": (8, 32, 3, "AP 70.4"),
    "naive_litehrnet_18_coco_256x192": (8, 64, 2, "AP 62.8"),
    "wider_naive_litehrnet_18_coco_256x192": (8, 64, 2, "AP 66.0"),
    "litehrnet_18_mpii_256x256": (8, 32, 2, "PCKh@0.5 85.4"),
    "litehrnet_30_mpii_256x256": (8, 32, 2, "PCKh@0.5 87.0"),
    "naive_litehrnet_18_mpii_256x256": (8, 32, 2, "PCKh@0.5 85.3"),
    "wider_naive_litehrnet_18_mpii_256x256": (8, 32, 2, "PCKh@0.5 86.8"),
}
HRFORMER = {
    "hrformer_small_coco_256x192": (8, 32, 2, "AP 74.0"),
    "hrformer_small_coco_384x288": (8, 32, 3, "AP 75.6"),
    "hrformer_base_coco_256x192": (8, 32, 2, "AP 75.6"),
    "hrformer_base_coco_384x288": (8, 8, 3, "AP 77.2"),
}
MMPOSE = {
    "hrnet_w32_ap10k_256x256": (8, 64, 2, "AP 72.2"),
    "hrnet_w48_ap10k_256x256": (8, 64, 2, "AP 72.8"),
    "hrnet_w32_animalpose_256x256": (8, 64, 2, "AP 74.0"),
    "hrnet_w48_animalpose_256x256": (8, 64, 2, "AP 73.8"),
    "hrnet_w32_coco_wholebody_256x192": (8, 64, 2, "AP 53.6"),
    "hrnet_w32_coco_wholebody_384x288": (8, 64, 3, "AP 58.6"),
    "hrnet_w48_coco_wholebody_256x192": (8, 32, 2, "AP 57.9"),
    "hrnet_w48_coco_wholebody_384x288": (8, 32, 3, "AP 63.2"),
}
ALL = HRNET | LITE | HRFORMER | MMPOSE

# Which family: paper, optimiser, learning rate, weight decay, updates of warm-up, precision.
HOW = {
    "hrnet": ("Sun et al. 2019", "adam", 1e-3, 0.0, 0, "float32"),
    "lite": ("Yu et al. 2021", "adam", 2e-3, 0.0, 500, "float32"),
    "hrformer": ("Yuan et al. 2021", "adamw", 5e-4, 0.01, 500, "fp16"),
    "mmpose": ("mmpose", "adam", 5e-4, 0.0, 500, "float32"),
}

# Family and data: scale, rotation, half body.
CROPS = {
    ("hrnet", "coco"): (0.35, 45, 0.3),
    ("hrnet", "mpii"): (0.25, 30, 0.0),
    ("lite", "coco"): (0.25, 30, 0.3),
    ("lite", "mpii"): (0.25, 30, 0.0),
    ("hrformer", "coco"): (0.5, 40, 0.3),
    ("mmpose", "coco"): (0.5, 40, 0.3),
}


def family_of(name):
    families = {"lite": LITE, "hrformer": HRFORMER, "mmpose": MMPOSE}
    return next((family for family, names in families.items() if name in names), "hrnet")


def words_of(name):
    """A recipe's docstring as one line."""
    return " ".join((RECIPES[f"pose/{name}"].__doc__ or "").split())


@pytest.mark.parametrize("name", ALL)
def test_the_values_are_the_published_ones(name):
    gpus, images, sigma, _ = ALL[name]
    family = family_of(name)
    _, optimizer, lr, decay, warmup, precision = HOW[family]
    experiment = get_recipe(f"pose/{name}")
    model, train, augmentation = experiment.model, experiment.train, experiment.augmentation
    assert (model.codec, model.sigma, model.padding) == ("classic", sigma, 1.25)
    assert train.batch_size == gpus * images
    assert (train.optimizer, train.lr, train.weight_decay) == (optimizer, lr, decay)
    assert (train.epochs, train.schedule, train.milestones) == (210, "step", (170, 200))
    assert (train.warmup_steps, train.warmup_factor) == (warmup, 1e-3)
    assert (train.loss, train.ema, train.clip_norm) == ("mse", 0, None)
    assert train.precision == precision
    assert not train.freeze
    scale, rotation, half_body = CROPS[family, "mpii" if "_mpii_" in name else "coco"]
    assert (augmentation.scale, augmentation.rotation_deg) == (scale, rotation)
    assert augmentation.half_body == half_body
    assert (augmentation.flip, augmentation.rotation_probability) == (0.5, 0.6)
    assert augmentation.half_body_min_visible == 8
    assert not any((augmentation.shift, augmentation.colour, augmentation.cutout))


@pytest.mark.parametrize("name", ALL)
def test_the_docstring_says_what_to_expect(name):
    gpus, images, _, score = ALL[name]
    words = words_of(name)
    paper = HOW[family_of(name)][0]
    assert f"({paper})." in words
    assert f"{gpus} GPUs of {images} images each" in words
    assert score in words
    assert "flip test" in words
    if "ap10k" in name or "animalpose" in name:
        assert "with the annotated boxes" in words
    elif "_mpii_" in name:
        assert "with the annotated boxes" in words
        assert "`hrnet.recipes.pose.common.MPII` shows the import of the data" in words
    else:
        assert "with the boxes of a detector (human AP 56.4)" in words
    assert f"Command: hrnet train pose/{name} --out runs/" in words


@pytest.mark.parametrize("name", ALL)
def test_what_a_training_starts_from_can_be_downloaded(name):
    """The published ImageNet weights, of the same network; Lite-HRNet starts from new ones."""
    experiment = get_recipe(f"pose/{name}")
    train = experiment.train
    if name in LITE:
        assert train.init is None
        return
    assert train.init is not None
    row = find_row(train.init)
    assert (row.network.variant, row.dataset) == (experiment.model.variant, "imagenet")
    assert row.url
    assert not train.init_head
    assert override(experiment, ["train.init=null"]).train.init is None


def test_the_published_naive_networks_crash_and_it_is_said():
    for name in LITE:
        crashes = "The published configuration crashes" in words_of(name)
        assert crashes == name.startswith("naive")


def test_drop_path():
    """The rate of the training is the published one: the variant's own in all cases but one."""
    published = dict(zip(HRFORMER, (0.1, 0.1, 0.2, 0.3), strict=True))
    for name, rate in published.items():
        model = get_recipe(f"pose/{name}").model
        own = HRFORMERS[model.variant].defaults["pose"].drop_path
        assert f"a drop path of {rate}" in words_of(name)
        assert model.options == NetworkOptions(drop_path=None if own == rate else rate)
        with torch.device("meta"):
            network = create_model(model.variant, options=model.options)
        rates = [module.rate for module in network.modules() if isinstance(module, DropPath)]
        assert max(rates) == pytest.approx(rate)
    assert get_recipe("pose/hrformer_base_coco_384x288").model.options.drop_path == 0.3


def test_weight_decay_of_hrformer_is_of_all_but_the_position_tables():
    """The patterns fit every norm and every bias, and no table."""
    train = get_recipe("pose/hrformer_small_coco_256x192").train
    with torch.device("meta"):
        network = create_model("hrformer_small", num_outputs=17)
    assert {group.weight_decay for group in train.groups} == {train.weight_decay}
    for name, parameter in network.named_parameters():
        fits = any(fnmatchcase(name, group.pattern) for group in train.groups)
        assert fits == (parameter.ndim == 1), name
    for group in train.groups:
        assert group.lr_scale == 1
