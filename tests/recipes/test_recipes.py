"""Recipes: each builds, says how it is run and what to expect, and none disappears unnoticed."""

import importlib
import pkgutil
import re
import shlex

import pytest

import hrnet.recipes.classification
import hrnet.recipes.detection
import hrnet.recipes.pose
import hrnet.recipes.segmentation
from hrnet.config import Experiment, override
from hrnet.errors import InputError
from hrnet.models import VARIANTS
from hrnet.recipes import RECIPES, get_recipe
from hrnet.recipes.classification.common import IMAGENET
from hrnet.recipes.detection.common import COCO_BOXES
from hrnet.recipes.pose.common import DATA
from hrnet.tasks import experiment_from_json

SEGMENTATION = """
hrnet_w48_cityscapes
hrnet_w48_cityscapes_ohem
hrnet_w48_ocr_cityscapes
hrnet_w18_small_v1_cityscapes
hrnet_w18_small_v2_cityscapes
hrnet_w48_lip
hrnet_w48_ocr_lip
hrnet_w48_pascal_context59
hrnet_w48_ocr_pascal_context59
hrnet_w48_ocr_pascal_context60
hrnet_w48_pascal_context59_480
hrnet_w48_pascal_context60_480
hrnet_w48_cocostuff
hrnet_w48_ocr_cocostuff
hrnet_w48_ade20k
hrnet_w48_ocr_ade20k
hrformer_small_ocr_cityscapes
hrformer_base_ocr_cityscapes
hrformer_base_ocr_cityscapes_window15
hrformer_small_ocr_pascal_context59
hrformer_base_ocr_pascal_context59
hrformer_base_ocr_pascal_context59_window15
hrformer_small_ocr_cocostuff
hrformer_base_ocr_cocostuff
hrformer_base_ocr_cocostuff_window15
hrformer_small_ocr_ade20k
hrformer_base_ocr_ade20k
hrformer_base_ocr_ade20k_window13
hrnet_w18_small_v2_cityscapes_mmseg_40k
hrnet_w18_cityscapes_mmseg_40k
hrnet_w48_cityscapes_mmseg_40k
hrnet_w18_small_v2_cityscapes_mmseg_80k
hrnet_w18_cityscapes_mmseg_80k
hrnet_w48_cityscapes_mmseg_80k
hrnet_w18_small_v2_cityscapes_mmseg_160k
hrnet_w18_cityscapes_mmseg_160k
hrnet_w48_cityscapes_mmseg_160k
hrnet_w18_small_v2_ade20k_mmseg_80k
hrnet_w18_ade20k_mmseg_80k
hrnet_w48_ade20k_mmseg_80k
hrnet_w18_small_v2_ade20k_mmseg_160k
hrnet_w18_ade20k_mmseg_160k
hrnet_w48_ade20k_mmseg_160k
hrnet_w48_pascal_context60_mmseg_40k
hrnet_w48_pascal_context60_mmseg_80k
hrnet_w48_pascal_context59_mmseg_40k
hrnet_w48_pascal_context59_mmseg_80k
hrnet_w18_small_v2_ocr_cityscapes_mmseg_40k
hrnet_w18_ocr_cityscapes_mmseg_40k
hrnet_w48_ocr_cityscapes_mmseg_40k
hrnet_w18_small_v2_ocr_cityscapes_mmseg_80k
hrnet_w18_ocr_cityscapes_mmseg_80k
hrnet_w48_ocr_cityscapes_mmseg_80k
hrnet_w18_small_v2_ocr_cityscapes_mmseg_160k
hrnet_w18_ocr_cityscapes_mmseg_160k
hrnet_w48_ocr_cityscapes_mmseg_160k
hrnet_w18_small_v2_ocr_ade20k_mmseg_80k
hrnet_w18_ocr_ade20k_mmseg_80k
hrnet_w48_ocr_ade20k_mmseg_80k
hrnet_w18_small_v2_ocr_ade20k_mmseg_160k
hrnet_w18_ocr_ade20k_mmseg_160k
hrnet_w48_ocr_ade20k_mmseg_160k
litehrnet_18_cityscapes
litehrnet_30_cityscapes
""".split()

NAMES = [
    "pose/hrnet_w32_coco_256x192",
    "pose/hrnet_w32_coco_384x288",
    "pose/hrnet_w48_coco_256x192",
    "pose/hrnet_w48_coco_384x288",
    "pose/hrnet_w32_mpii_256x256",
    "pose/hrnet_w48_mpii_256x256",
    "pose/litehrnet_18_coco_256x192",
    "pose/litehrnet_18_coco_384x288",
    "pose/litehrnet_30_coco_256x192",
    "pose/litehrnet_30_coco_384x288",
    "pose/naive_litehrnet_18_coco_256x192",
    "pose/wider_naive_litehrnet_18_coco_256x192",
    "pose/wider_naive_litehrnet_18_few_256x192",
    "pose/litehrnet_18_mpii_256x256",
    "pose/litehrnet_30_mpii_256x256",
    "pose/naive_litehrnet_18_mpii_256x256",
    "pose/wider_naive_litehrnet_18_mpii_256x256",
    "pose/hrformer_small_coco_256x192",
    "pose/hrformer_small_coco_384x288",
    "pose/hrformer_base_coco_256x192",
    "pose/hrformer_base_coco_384x288",
    "pose/small_hrnet_w16_coco_256x192",
    "pose/small_hrnet_w16_few_128x96",
    "pose/small_hrnet_w16_few_192x128",
    "pose/small_hrnet_w16_few_256x192",
    *(f"pose/hrnet_w18_{name}_256x256" for name in ("300w", "wflw", "cofw", "aflw")),
    "pose/hrnet_w32_ap10k_256x256",
    "pose/hrnet_w48_ap10k_256x256",
    "pose/hrnet_w32_animalpose_256x256",
    "pose/hrnet_w48_animalpose_256x256",
    "pose/hrnet_w32_coco_wholebody_256x192",
    "pose/hrnet_w32_coco_wholebody_384x288",
    "pose/hrnet_w48_coco_wholebody_256x192",
    "pose/hrnet_w48_coco_wholebody_384x288",
    "classification/hrnet_w18_small_v1_imagenet_224x224",
    "classification/hrnet_w18_small_v2_imagenet_224x224",
    "classification/hrnet_w18_imagenet_224x224",
    "classification/hrnet_w30_imagenet_224x224",
    "classification/hrnet_w32_imagenet_224x224",
    "classification/hrnet_w40_imagenet_224x224",
    "classification/hrnet_w44_imagenet_224x224",
    "classification/hrnet_w48_imagenet_224x224",
    "classification/hrnet_w64_imagenet_224x224",
    "classification/hrnet_w18_imagenet_cutmix_224x224",
    "classification/hrnet_w48_imagenet_cutmix_224x224",
    "classification/hrformer_tiny_imagenet_224x224",
    "classification/hrformer_small_imagenet_224x224",
    "classification/hrformer_base_imagenet_224x224",
    "detection/hrnet_w18_faster_coco_1x",
    "detection/hrnet_w18_faster_coco_2x",
    "detection/hrnet_w32_faster_coco_1x",
    "detection/hrnet_w32_faster_coco_2x",
    "detection/hrnet_w40_faster_coco_1x",
    "detection/hrnet_w40_faster_coco_2x",
    "detection/hrnet_w18_mask_coco_1x",
    "detection/hrnet_w18_mask_coco_2x",
    "detection/hrnet_w32_mask_coco_1x",
    "detection/hrnet_w32_mask_coco_2x",
    "detection/hrnet_w40_mask_coco_1x",
    "detection/hrnet_w40_mask_coco_2x",
    "detection/hrnet_w18_cascade_coco_20e",
    "detection/hrnet_w32_cascade_coco_20e",
    "detection/hrnet_w40_cascade_coco_20e",
    "detection/hrnet_w18_cascade_mask_coco_20e",
    "detection/hrnet_w32_cascade_mask_coco_20e",
    "detection/hrnet_w40_cascade_mask_coco_20e",
    "detection/hrnet_w18_fcos_coco_1x",
    "detection/hrnet_w18_fcos_coco_2x",
    "detection/hrnet_w18_fcos_coco_ms_2x",
    "detection/hrnet_w32_fcos_coco_1x",
    "detection/hrnet_w32_fcos_coco_2x",
    "detection/hrnet_w32_fcos_coco_ms_2x",
    "detection/hrnet_w40_fcos_coco_ms_2x",
    "detection/hrnet_w18_faster_coco_legacy_1x",
    "detection/hrnet_w18_faster_coco_legacy_2x",
    "detection/hrnet_w32_faster_coco_legacy_1x",
    "detection/hrnet_w32_faster_coco_legacy_2x",
    "detection/hrnet_w40_faster_coco_legacy_1x",
    "detection/hrnet_w40_faster_coco_legacy_2x",
    "detection/hrnet_w48_faster_coco_legacy_1x",
    "detection/hrnet_w48_faster_coco_legacy_2x",
    "detection/hrnet_w18_mask_coco_legacy_1x",
    "detection/hrnet_w18_mask_coco_legacy_2x",
    "detection/hrnet_w32_mask_coco_legacy_1x",
    "detection/hrnet_w32_mask_coco_legacy_2x",
    "detection/hrnet_w48_mask_coco_legacy_1x",
    "detection/hrnet_w48_mask_coco_legacy_2x",
    "detection/hrnet_w18_cascade_coco_legacy_20e",
    "detection/hrnet_w32_cascade_coco_legacy_20e",
    "detection/hrnet_w48_cascade_coco_legacy_20e",
    "detection/hrnet_w18_cascade_mask_coco_legacy_20e",
    "detection/hrnet_w32_cascade_mask_coco_legacy_20e",
    "detection/hrnet_w48_cascade_mask_coco_legacy_20e",
    "detection/hrnet_w18_faster_coco_syncbn_1x",
    "detection/hrnet_w18_faster_coco_syncbn_ms_1x",
    "detection/hrnet_w18_faster_coco_syncbn_ms_2x",
    "detection/hrnet_w18_faster_coco_syncbn_crop_1x",
    "detection/hrnet_w18_faster_coco_syncbn_crop_2x",
    "detection/hrnet_w32_faster_coco_syncbn_ms_1x",
    "detection/hrnet_w32_faster_coco_syncbn_ms_2x",
    "detection/small_hrnet_w16_light_persons",
    *(f"segmentation/{name}" for name in SEGMENTATION),
]


FACES = [name for name in NAMES if re.search("300w|wflw|cofw|aflw", name)]


def words_of(name: str) -> str:
    """A recipe's docstring as one line."""
    return " ".join((RECIPES[name].__doc__ or "").split())


def test_the_list_of_recipes():
    """A recipe's name is part of the command line: whoever renames one changes this list."""
    assert list(RECIPES) == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_recipe(name):
    recipe = RECIPES[name]
    task, _, own_name = name.partition("/")
    first, *_ = (recipe.__doc__ or "").splitlines()
    assert first.endswith(".")
    experiment = get_recipe(name)
    assert isinstance(experiment, Experiment)
    assert experiment.name == own_name == recipe.__name__
    assert experiment.model.variant in VARIANTS
    height, width = experiment.model.input_size
    assert own_name.startswith(experiment.model.variant)
    if task in ("pose", "classification"):  # whose inputs have one size
        assert own_name.endswith(f"_{height}x{width}")
    of_pose = max((one for one in DATA if f"_{one}_" in name), key=len, default="coco")
    data = {"pose": DATA[of_pose], "classification": IMAGENET, "detection": COCO_BOXES}
    # Data of their own: put together by a script, or one of several sets (see test_segmentation and
    # test_face).
    if task in data and not own_name.endswith("_persons") and name not in FACES:
        assert experiment.data == data[task]
    assert experiment.task == task
    assert experiment_from_json(experiment.to_json()) == experiment
    assert get_recipe(name) == experiment


@pytest.mark.parametrize("name", NAMES)
def test_the_command_in_a_docstring_runs_that_recipe(name):
    _, command = words_of(name).split("Command: ")
    program, verb, recipe, *options = shlex.split(command)
    assert (program, verb, recipe) == ("hrnet", "train", name)
    pairs = list(zip(options[::2], options[1::2], strict=True))
    assert [value.startswith("runs/") for option, value in pairs if option == "--out"] == [True]
    assert {option for option, _ in pairs} <= {"--out", "--set"}
    settings = [value for option, value in pairs if option == "--set"]
    assert isinstance(override(get_recipe(name), settings), Experiment)


@pytest.mark.parametrize("name", ["pose/hrnet_w32_coco", "", "POSE", "hrnet_w32_coco_256x192"])
def test_an_unknown_name_lists_near_ones(name):
    with pytest.raises(InputError) as caught:
        get_recipe(name)
    assert repr(name) in str(caught.value)
    assert "pose/" in str(caught.value)
    assert "`hrnet recipes` lists all" in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1
    assert len(str(caught.value)) < 250


def test_every_function_of_a_recipe_file_is_listed():
    public = set()
    folders = (
        hrnet.recipes.pose,
        hrnet.recipes.classification,
        hrnet.recipes.detection,
        hrnet.recipes.segmentation,
    )
    for folder in folders:
        for found in pkgutil.iter_modules(folder.__path__):
            if found.name in ("common", "finetune"):
                continue
            module = importlib.import_module(f"{folder.__name__}.{found.name}")
            public |= {
                value
                for name, value in vars(module).items()
                if callable(value)
                and not re.match("_", name)
                and getattr(value, "__module__", "") == module.__name__
            }
    assert public == set(RECIPES.values())
