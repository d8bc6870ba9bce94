"""The protocols of published segmentation code, from pictures to classes and their metrics.

Every seg_protocol*.npz and seg_other*.npz of the folder that HRNET_GOLDEN_TASKS names (else of one
beside the project) is compared, case by case.
"""

import json
import os
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from hrnet.metrics.miou import class_iou, count_pixels, mean_accuracy, mean_iou, pixel_accuracy
from hrnet.predict import Model, infer, normalise
from hrnet.recipes import get_recipe
from hrnet.resize import resize_maps
from hrnet.runtime.torch_engine import TorchEngine
from hrnet.spec import NetworkSpec
from hrnet.tasks.segmentation.pages import SumPage
from hrnet.tasks.segmentation.spec import SegmentationSpec
from hrnet.tasks.segmentation.task import SegmentationTask
from hrnet.tasks.segmentation.views import make_base

from .recordings import fill

BESIDE = Path(__file__).parents[3] / "shared" / "reference" / "golden_tasks"
FOLDER = Path(os.environ.get("HRNET_GOLDEN_TASKS") or BESIDE)
LIP_PAIRS = ((14, 15), (16, 17), (18, 19))


@cache
def read(path: Path) -> dict[str, np.ndarray]:
    with np.load(path) as arrays:
        return {key: arrays[key] for key in arrays}


def facts(path: Path) -> dict:
    content = json.loads(path.with_suffix(".json").read_text())
    return content.get("cases", content)


def cases(pattern: str, ending: str) -> list:
    """The cases of all files of a name pattern that have an array of that name."""
    return [
        pytest.param(path, key.partition("/")[0], id=f"{path.stem}-{key.partition('/')[0]}")
        for path in sorted(FOLDER.glob(pattern))
        for key in read(path)
        if key.endswith(f"/{ending}")
    ] or [pytest.param(None, "", marks=pytest.mark.skip(reason=f"{FOLDER} has no {pattern}"))]


class FakeNet(torch.nn.Module):
    """The recordings' stand-in for a network: 2 * a convolution of stride 4."""

    def __init__(self, classes: int) -> None:
        super().__init__()
        self.weight = fill(f"fake{classes}.weight", (classes, 3, 7, 7))
        self.bias = fill(f"fake{classes}.bias", (classes,))

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return 2 * F.conv2d(images, self.weight, self.bias, stride=4, padding=3)


def spec_of(count: int, **fields) -> SegmentationSpec:
    align = fields.pop("align_corners", True)
    network = NetworkSpec(
        variant="hrnet_w48", task="segmentation", num_outputs=count, align_corners=align
    )
    names = tuple(f"class {index}" for index in range(count))
    usual = {"input_size": (64, 64), "pad_to": 1, "window": None}
    return SegmentationSpec(name="recorded", network=network, class_names=names, **usual | fields)


def hrnet_spec(case: dict, count: int) -> SegmentationSpec:
    """The description of a case of the official HRNet code."""
    cityscapes = case["dataset"] == "Cityscapes"
    return spec_of(
        count,
        conventions="hrnet",
        long_side=case["base_size"],
        window=tuple(case["crop"]),
        tiling="inside" if cityscapes else "padded",
        scales=tuple(map(float, case["scales"])),
        align_corners=case["align_corners"],
        mirror_pairs=LIP_PAIRS if case["dataset"] == "LIP" else (),
    )


def hrformer_spec(case: dict) -> SegmentationSpec:
    """The description of a case of HRFormer's code; blue first, with the mean of red."""
    fields = {"scales": tuple(case["scales"])} if case["scales"] else {}
    if case["crop"]:
        fields["window"] = tuple(case["crop"])
    mean, std = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
    return spec_of(
        case["num_classes"], conventions="hrformer", channels="bgr", mean=mean, std=std, **fields
    )


def mmsegmentation_spec(case: dict) -> SegmentationSpec:
    """The description of a case of mmsegmentation's windows."""
    return spec_of(
        case["num_classes"],
        conventions="mmsegmentation",
        window=tuple(case["crop"]),
        stride=tuple(case["stride"]),
        align_corners=case["align_corners"],
    )


def run(page, spec: SegmentationSpec, *, flip: bool) -> None:
    """Send all views of a page through the fake network, one by one."""
    task, engine = SegmentationTask(spec), TorchEngine(FakeNet(len(spec.class_names)))
    for crop in page.crops():
        images = normalise(crop.pixels[None], spec)
        outputs = infer(engine, task, images, flip_test=flip)
        page.add(next(iter(task.postprocess(outputs, [crop]))))


def rgb(image: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(image[..., ::-1])


def assert_equal_maps(found: np.ndarray, recorded: np.ndarray) -> None:
    assert found.shape == recorded.shape
    assert np.abs(found - recorded).max() < 1e-5 * np.abs(recorded).max()


def assert_equal_classes(found: np.ndarray, recorded: np.ndarray, pred: np.ndarray) -> None:
    """Equal wherever the best two classes differ by more than float32 can blur."""
    best = np.sort(pred, axis=0)[-2:]
    sure = (best[1] - best[0]) > 1e-5 * np.abs(best[1])
    assert sure.mean() > 0.99
    np.testing.assert_array_equal(found[sure], recorded[sure])


@pytest.mark.parametrize(("path", "name"), cases("seg_protocol*.npz", "pred"))
def test_sums_over_windows_and_scales_are_those_of_the_official_code(path, name):
    arrays, case = read(path), facts(path).get(name)
    if case is None or "dataset" not in case:
        pytest.skip("metrics are compared elsewhere")
    recorded = arrays[f"{name}/pred"][0]
    spec = hrnet_spec(case, len(recorded))
    page = SumPage(rgb(arrays[f"{name}/image_bgr"]), spec)
    run(page, spec, flip=case["flip"])
    assert_equal_maps(page.maps, recorded)
    # The same by the public way, which may decide pixels without sums.
    model = Model(TorchEngine(FakeNet(len(recorded))), spec)
    found = model.predict(rgb(arrays[f"{name}/image_bgr"]), flip_test=case["flip"])
    assert_equal_classes(found.classes, arrays[f"{name}/argmax"], recorded)


@pytest.mark.parametrize(("path", "name"), cases("seg_protocol*.npz", "confusion"))
def test_a_whole_evaluation_gives_the_official_confusions_and_scores(path, name):
    arrays, case = read(path), facts(path)[name]
    if "base_size" not in case:
        pytest.skip("no evaluation of pictures")
    count = case["num_classes"]
    spec = hrnet_spec(case, count)
    if case["dataset"] != "Cityscapes":
        short = {"short_side": case["base_size"], "pad_to": 8}
        keep = {"keep_padding": case["dataset"] == "ADE20K"}
        spec = SegmentationSpec.model_validate(spec.model_dump() | short | keep)
    model = Model(TorchEngine(FakeNet(count)), spec)
    total = np.zeros((count, count), np.int64)
    for index, recorded in enumerate(arrays[f"{name}/confusion"]):
        found = model.predict(rgb(arrays[f"{name}/{index}/image_bgr"]), flip_test=case["flip"])
        labels = arrays[f"{name}/{index}/label_file"].astype(np.int64)
        labels = official_labels(arrays, case, labels)
        confusion = count_pixels(labels, found.classes, count)
        assert np.abs(confusion - recorded).sum() <= 2  # a pixel whose best two classes are equal
        total += recorded
    iou = np.nan_to_num(class_iou(total))
    np.testing.assert_allclose(iou, arrays[f"{name}/iou"], rtol=1e-12, atol=1e-15)
    scalars = (
        mean_iou(total, absent_as_zero=True),
        pixel_accuracy(total),
        mean_accuracy(total, absent_as_zero=True),
    )
    np.testing.assert_allclose(scalars, arrays[f"{name}/scalars"], rtol=1e-12)


def official_labels(arrays: dict, case: dict, values: np.ndarray) -> np.ndarray:
    """Class indices of a label file, -1 for what does not count."""
    if case["dataset"] == "Cityscapes":
        values = arrays["cityscapes_id_to_train"][values].astype(np.int64)
    elif case["dataset"] == "ADE20K" or case["num_classes"] == 59:
        values = values - 1
    return np.where((values < 0) | (values >= case["num_classes"]), -1, values)


@pytest.mark.parametrize(("path", "name"), cases("seg_protocol*.npz", "tensor"))
def test_pictures_go_in_as_in_the_official_evaluation(path, name):
    arrays, case = read(path), facts(path)[name]
    if "testval" not in case["list_file"]:
        pytest.skip("a pipeline of training")
    kwargs = case["kwargs"]
    side = {"short_side": kwargs["base_size"], "pad_to": 8}
    if case["dataset"] == "LIP":
        side = {"exact": tuple(kwargs["crop_size"])}
    spec = spec_of(kwargs.get("num_classes", 20), conventions="hrnet", **side)
    for key in [key for key in arrays if key.startswith(name) and key.endswith("tensor")]:
        base, content = make_base(rgb(arrays[key.replace("tensor", "image_bgr")]), spec)
        np.testing.assert_allclose(normalise(base[None], spec)[0], arrays[key], atol=1e-6)
        padding = arrays.get(key.replace("tensor", "border_padding_hw"))
        if padding is not None:
            assert tuple(np.array(base.shape[:2]) - content) == tuple(padding)


def test_labels_beyond_the_classes_are_dropped_by_the_official_code_and_refused_here():
    path = next(iter(sorted(FOLDER.glob("seg_protocol*.npz"))), None)
    if path is None:
        pytest.skip(f"{FOLDER} has no seg_protocol*.npz")
    arrays = read(path)
    labels = arrays["cm_out_of_range/label"][0]
    predicted = arrays["cm_out_of_range/pred"][0].argmax(axis=0)
    dropped = np.where(labels >= 5, -1, labels)
    counts = count_pixels(dropped, predicted, 5)
    np.testing.assert_array_equal(counts, arrays["cm_out_of_range/confusion"])
    with pytest.raises(ValueError, match=r"expected true classes within 0\.\.4"):
        count_pixels(np.where(labels == 255, -1, labels), predicted, 5)


@pytest.mark.parametrize(("path", "name"), cases("seg_other*.npz", "cubic_argmax"))
def test_sums_are_those_of_hrformer(path, name):
    arrays, case = read(path), facts(path)[name]
    spec = hrformer_spec(case)
    page = SumPage(rgb(arrays[f"{name}/image_bgr"]), spec)
    run(page, spec, flip=case["mode"] == "ms")
    recorded = arrays[f"{name}/logits"][0]
    # The published code adds up where ours takes the mean of the flip test.
    factor = np.float32(2 if case["mode"] == "ms" else 1)
    assert_equal_maps(page.maps * factor, recorded)
    size = arrays[f"{name}/cubic_argmax"].shape
    large = resize_maps(recorded, size, "cubic")
    assert_equal_classes(large.argmax(axis=0), arrays[f"{name}/cubic_argmax"], large)


@pytest.mark.parametrize(("path", "name"), cases("seg_other*.npz", "gt"))
def test_scores_are_those_of_hrformer(path, name):
    arrays, case = read(path), facts(path)[name]
    count = len(arrays[f"{name}/confusion"])
    labels = np.where(arrays[f"{name}/gt"] >= count, -1, arrays[f"{name}/gt"])
    confusion = count_pixels(labels, arrays[f"{name}/pred"], count)
    np.testing.assert_array_equal(confusion, arrays[f"{name}/confusion"])
    assert pixel_accuracy(confusion) == pytest.approx(case["pixel_acc"], rel=1e-12)
    assert mean_iou(confusion) == pytest.approx(case["mean_iou"], rel=1e-12)
    recorded = [np.nan if one is None else one for one in case["class_iou"]]
    np.testing.assert_allclose(class_iou(confusion), recorded, rtol=1e-12)


@pytest.mark.parametrize(("path", "name"), cases("seg_other*.npz", "logits"))
def test_windows_are_those_of_mmsegmentation(path, name):
    arrays, case = read(path), facts(path)[name]
    if "stride" not in case:
        pytest.skip("a case of HRFormer")
    spec = mmsegmentation_spec(case)
    page = SumPage(rgb(arrays[f"{name}/image_bgr"]), spec)
    run(page, spec, flip=False)
    assert_equal_maps(page.maps, arrays[f"{name}/logits"][0])


KINDS = {"pred", "tensor", "confusion", "loss", "logits", "gt", "target"}
"""Arrays that a test here, or in test_segmentation_training.py, compares."""

TABLES = {
    "cityscapes_id_to_train",
    "cityscapes_train_to_id",
    "cityscapes_palette256",
    "cityscapes_class_weights",
    "cocostuff_encode_then_reduce",
    "ade20k_reduce_zero",
}
"""Compared by tests/data/test_mask_layouts.py and below."""

OTHERS = {"fakenet", "pad_label_uint8_ignore_minus1"}
"""The stand-in for a network, and a fault of the published code that is mended here."""


@pytest.mark.parametrize("pattern", ["seg_protocol*.npz", "seg_other*.npz"])
def test_there_is_nothing_that_nothing_compares(pattern):
    if not list(FOLDER.glob(pattern)):
        pytest.skip(f"{FOLDER} has no {pattern}")
    for path in sorted(FOLDER.glob(pattern)):
        kinds: dict[str, set[str]] = {}
        for key in read(path):
            kinds.setdefault(key.partition("/")[0], set()).add(key.rpartition("/")[2])
        left = {name for name, own in kinds.items() if not own & KINDS}
        assert left <= TABLES | OTHERS


def test_the_stand_in_and_the_class_weights_are_the_recorded_ones():
    path = next(iter(sorted(FOLDER.glob("seg_protocol*.npz"))), None)
    if path is None:
        pytest.skip(f"{FOLDER} has no seg_protocol*.npz")
    arrays = read(path)
    with torch.no_grad():
        found = FakeNet(19)(torch.from_numpy(arrays["fakenet/input_cs_whole"]))
    recorded = arrays["fakenet/logits_cs_whole"]
    assert np.abs(found.numpy() - recorded).max() < 1e-5 * np.abs(recorded).max()
    weights = get_recipe("segmentation/hrnet_w48_cityscapes").train.class_weights
    np.testing.assert_allclose(weights, arrays["cityscapes_class_weights"], rtol=1e-6)


KEPT = Path(__file__).with_name("seg_protocol.npz")
"""Pictures and classes of the recordings, for runs without their folder."""


@pytest.mark.parametrize("name", facts(KEPT))
def test_classes_of_the_kept_recordings(name):
    arrays, case = read(KEPT), facts(KEPT)[name]
    if "dataset" in case:
        count = 12 if case["dataset"] == "PASCALContext" else 20 if case["dataset"] == "LIP" else 19
        spec, flip = hrnet_spec(case, count), case["flip"]
    elif "mode" in case:
        spec, flip = hrformer_spec(case), case["mode"] == "ms"
    else:
        spec, flip = mmsegmentation_spec(case), False
    page = SumPage(rgb(arrays[f"{name}/image_bgr"]), spec)
    run(page, spec, flip=flip)
    found = page.maps.argmax(axis=0)
    recorded = arrays[f"{name}/argmax"]
    assert found.shape == recorded.shape
    assert (found != recorded).sum() <= 1  # a pixel of each case may have two equal classes


def test_the_kept_arrays_are_parts_of_a_recorded_file():
    whole: dict[str, np.ndarray] = {}
    for path in (*FOLDER.glob("seg_protocol.npz"), *FOLDER.glob("seg_other.npz")):
        whole |= read(path)
    if not whole:
        pytest.skip(f"{FOLDER} has no seg_protocol.npz")
    for key, kept in read(KEPT).items():
        name = key.rpartition("/")[0]
        recorded = whole.get(key)
        if recorded is None:  # the classes of recorded sums
            recorded = whole[f"{name}/logits"][0].argmax(axis=0)
        np.testing.assert_array_equal(kept, recorded)
