"""Recipes: each builds, says how it is run and what to expect, and none disappears unnoticed."""

import pytest

import hrnet.recipes
from hrnet.config import Experiment
from hrnet.errors import InputError
from hrnet.models import VARIANTS
from hrnet.recipes import RECIPES, get_recipe

NAMES = [
    "pose/hrnet_w32_coco_256x192",
    "pose/hrnet_w32_coco_384x288",
    "pose/hrnet_w48_coco_256x192",
    "pose/hrnet_w48_coco_384x288",
    "pose/small_hrnet_w16_coco_256x192",
    "pose/small_hrnet_w16_few_128x96",
    "pose/small_hrnet_w16_few_256x192",
]


def test_the_list_of_recipes():
    """A recipe's name is part of the command line: whoever renames one changes this list."""
    assert list(RECIPES) == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_recipe(name):
    recipe = RECIPES[name]
    task, own_name = name.split("/")
    assert recipe.__name__ == own_name
    assert recipe.__module__ == f"hrnet.recipes.{task}"
    first, *_ = (recipe.__doc__ or "").splitlines()
    assert first.endswith(".")
    assert f"Command: hrnet train {name} " in recipe.__doc__
    assert "--out runs/" in " ".join(recipe.__doc__.split())
    experiment = get_recipe(name)
    assert isinstance(experiment, Experiment)
    assert experiment.name == own_name
    assert experiment.model.variant in VARIANTS
    height, width = experiment.model.input_size
    assert own_name.startswith(experiment.model.variant)
    assert own_name.endswith(f"_{height}x{width}")
    assert Experiment.from_json(experiment.to_json()) == experiment
    assert get_recipe(name) == experiment


def test_the_published_settings():
    """The official HRNet configuration files for COCO."""
    for name, sigma, batch in (
        ("pose/hrnet_w32_coco_256x192", 2, 128),
        ("pose/hrnet_w48_coco_384x288", 3, 96),
    ):
        recipe = get_recipe(name)
        assert (recipe.model.codec, recipe.model.sigma) == ("classic", sigma)
        train, augmentation = recipe.train, recipe.augmentation
        assert (train.optimizer, train.lr, train.weight_decay) == ("adam", 1e-3, 0)
        assert (train.epochs, train.milestones, train.batch_size) == (210, (170, 200), batch)
        assert (train.loss, train.ema, train.precision) == ("mse", 0, "float32")
        assert (augmentation.flip, augmentation.scale) == (0.5, 0.35)
        assert (augmentation.rotation_deg, augmentation.rotation_probability) == (45, 0.6)
        assert (augmentation.half_body, augmentation.half_body_min_visible) == (0.3, 8)


@pytest.mark.parametrize("name", ["pose/hrnet_w32_coco", "", "POSE", "hrnet_w32_coco_256x192"])
def test_an_unknown_name_lists_near_ones(name):
    with pytest.raises(InputError) as caught:
        get_recipe(name)
    assert repr(name) in str(caught.value)
    assert "pose/" in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1


def test_every_function_of_a_recipe_file_is_listed():
    public = {
        value
        for name, value in vars(hrnet.recipes.pose).items()
        if callable(value) and not name.startswith("_") and value.__module__ == "hrnet.recipes.pose"
    }
    assert public == set(RECIPES.values())
