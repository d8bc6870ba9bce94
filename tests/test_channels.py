"""Pose models of pictures of any channels, from labelled pictures to an exported model."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import hrnet
from hrnet.config import override
from hrnet.errors import InputError
from hrnet.exporters.onnx import export_onnx
from hrnet.predict import normalise
from hrnet.rasters import read_picture
from hrnet.recipes import get_recipe
from hrnet.recipes.finetune import own_experiment
from hrnet.runtime import open_engine
from hrnet.skeleton import Skeleton
from hrnet.spec import IMAGENET_MEAN, IMAGENET_STD, NetworkSpec, usual_normalisation
from hrnet.tasks import read_experiment
from hrnet.tasks.classification.spec import ClassificationSpec
from hrnet.tasks.pose.spec import PoseSpec
from hrnet.training.teacher import find_teacher
from hrnet.weights.checkpoint import load_checkpoint, read_checkpoint, save_checkpoint

NAMES = ("left_end", "right_end", "middle")
QUICK = [
    *("--set", "train.epochs=1", "--set", "train.batch_size=4", "--set", "run.workers=0"),
    *("--set", "run.device=cpu", "--set", "train.precision=float32"),
]


def write_data(folder: Path, channels: int, *, top: int = 4095, suffix: str = ".npy") -> Path:
    """Pictures of noise of 16 bits with a bright dot a keypoint, in images/ beside the file."""
    rng = np.random.default_rng(0)
    (folder / "images").mkdir(parents=True)
    pictures, annotations = [], []
    for index in range(10):
        pixels = rng.uniform(0, 0.3 * top, (60, 80, channels))
        points = rng.uniform((8, 8), (60, 50), (3, 2))
        for place, (x, y) in enumerate(points.astype(int)):
            pixels[y - 1 : y + 2, x - 1 : x + 2, place % channels] = top
        name = f"{index}{suffix}"
        stored = pixels.astype(np.uint16)
        if suffix == ".npy":
            np.save(folder / "images" / name, stored)
        else:
            Image.fromarray(stored[..., 0]).save(folder / "images" / name)
        pictures.append({"id": index, "file_name": name, "height": 60, "width": 80})
        triples = [float(number) for point in points for number in (*point, 2)]
        entry = {"id": index, "image_id": index, "category_id": 1, "iscrowd": 0}
        annotations.append(entry | {"bbox": [4, 4, 60, 50], "area": 1800, "keypoints": triples})
    category = {"id": 1, "name": "thing", "keypoints": list(NAMES)}
    content = {"images": pictures, "annotations": annotations, "categories": [category]}
    (folder / "things.json").write_text(json.dumps(content))
    return folder / "things.json"


def described(variant: str, count: int, **changes: object) -> PoseSpec:
    network = NetworkSpec(variant=variant, task="pose", num_outputs=3, in_channels=count)
    mean, std = usual_normalisation(count)
    fields = {"name": "any", "network": network, "input_size": (64, 64), "mean": mean, "std": std}
    skeleton = Skeleton(NAMES, flip_pairs=((0, 1),))
    return PoseSpec(**fields | {"skeleton": skeleton, "subjects": "picture"} | changes)


@pytest.mark.parametrize(("channels", "suffix"), [(1, ".png"), (5, ".npy")])
def test_from_pictures_to_an_exported_model(run, tmp_path, monkeypatch, channels, suffix):
    monkeypatch.chdir(tmp_path)
    write_data(tmp_path, channels, suffix=suffix)
    code, _, err = run("data", "check", "things.json", "--images", "images", "--report", "seen")
    assert (code, err) == (0, "")
    assert {"contact_sheet.jpg", "mirrored.jpg"} <= {one.name for one in Path("seen").iterdir()}

    code, out, _ = run("train", "--data", "things.json", "--out", "run", *QUICK)
    assert code == 0
    s = "s" * (channels > 1)
    assert f"pictures: {channels} channel{s} of 16 bits, 0 to 4095 taken as 0 to 1, mean 0.1" in out
    assert f"train.init: a first layer for {channels} channel{s}, " in out
    model = read_experiment(Path("run/experiment.json")).model
    assert (model.options.in_channels, model.pixel_range) == (channels, (0, 4095))
    assert any(Path("run/pictures").rglob("*.jpg"))
    _, spec = read_checkpoint(Path("run/best.safetensors"))
    assert (spec.mean, spec.std, spec.pixel_range) == (model.mean, model.std, (0, 4095))

    assert run("export", "run", "--out", "m.onnx")[0] == 0
    found = []
    for name in ("run", "m.onnx"):
        code, out, err = run("predict", "images", "--model", name, "--out", "drawn")
        assert (code, err) == (0, "") and "skipped" not in out
        found.append(json.loads(Path("drawn/keypoints.json").read_text()))
    assert len(found[0]) == len(found[1]) == 10
    assert (tmp_path / "drawn" / "3_pose.jpg").exists()
    arguments = ("--data", "things.json", "--images", "images", "--json", "e.json")
    assert run("evaluate", "m.onnx", *arguments)[0] == 0
    protocol = json.loads(Path("e.json").read_text())["protocol"]["pose"]
    assert (protocol["in_channels"], protocol["pixel_range"]) == (channels, [0, 4095])
    assert run("report", "run")[0] == 0

    # Other pictures than those of the training are refused.
    Image.new("RGB", (8, 9), "red").save("colour.png")
    code, _, err = run("predict", "colour.png", "--model", "m.onnx")
    assert code == 2 and f"expected {channels} channel{s}, got 3" in err
    np.save("seven.npy", np.zeros((9, 8, 7), np.uint16))
    code, _, err = run("predict", "seven.npy", "--model", "run")
    assert code == 2 and f"expected {channels} channel{s}, got 7 in seven.npy" in err


@pytest.mark.parametrize("variant", ["hrnet_w18_small_v1", "litehrnet_18", "hrformer_tiny"])
@pytest.mark.parametrize("channels", [1, 5])
def test_an_exported_model_is_the_network(tmp_path, variant, channels):
    torch.manual_seed(0)
    limits = (0, 1000)
    spec = described(
        variant, channels, pixel_range=limits, mean=tuple(np.linspace(0.2, 0.6, channels))
    )
    network = hrnet.models.build_network(spec.network)
    network.head.load_state_dict({k: 100 * v for k, v in network.head.state_dict().items()})
    save_checkpoint(tmp_path / "a.safetensors", network, spec)
    assert export_onnx(*load_checkpoint(tmp_path / "a.safetensors"), tmp_path / "a.onnx") < 1e-4
    ours, theirs = (hrnet.load(tmp_path / f"a.{end}") for end in ("safetensors", "onnx"))
    assert theirs.spec == spec
    picture = np.random.default_rng(1).integers(0, 1000, (64, 64, channels)).astype(np.uint16)
    np.save(tmp_path / "a.npy", picture)
    images = normalise(read_picture(tmp_path / "a.npy", spec)[None], spec)
    assert images.shape == (1, channels, 64, 64)
    (found,) = open_engine(tmp_path / "a.onnx")(images)
    with torch.inference_mode():
        expected = network.eval()(torch.from_numpy(images)).numpy()
    assert np.abs(found - expected).max() < 1e-4 * np.abs(expected).max()
    one, other = (model.predict(tmp_path / "a.npy", flip_test=True) for model in (ours, theirs))
    np.testing.assert_allclose(one.keypoint_scores, other.keypoint_scores, rtol=1e-3, atol=1e-5)
    assert one.draw(tmp_path / "a.npy").shape == (64, 64, 3)


def test_predictions_are_those_of_the_stored_numbers(tmp_path):
    """A picture of 12 bits in a range of 12 bits is that of 8 bits in 8, but for rounding."""
    spec = described("litehrnet_18", 1)
    torch.manual_seed(0)
    network = hrnet.models.build_network(spec.network)
    save_checkpoint(tmp_path / "a.safetensors", network, spec)
    wide = spec.model_copy(update={"pixel_range": (0, 255 * 16)})
    save_checkpoint(tmp_path / "b.safetensors", network, wide)
    eight, twelve = (hrnet.load(tmp_path / f"{name}.safetensors") for name in "ab")
    grey = np.random.default_rng(1).integers(0, 256, (64, 64), dtype=np.uint8)
    one, other = eight.predict(grey), twelve.predict(grey.astype(np.uint16) * 16)
    np.testing.assert_allclose(one.keypoint_scores, other.keypoint_scores, rtol=1e-2)
    # Three equal channels are one; others are not.
    rgb = np.repeat(grey[..., None], 3, axis=2)
    assert np.array_equal(eight.predict(rgb).keypoints, one.keypoints)
    rgb[0, 0, 0] ^= 1
    with pytest.raises(InputError, match="expected 1 channel, got 3 that differ in the image"):
        eight.predict(rgb)


def test_a_detector_sees_rgb(tmp_path, monkeypatch):
    spec = described("litehrnet_18", 1, pixel_range=(0, 4095), subjects="persons")
    save_checkpoint(tmp_path / "a.safetensors", hrnet.models.build_network(spec.network), spec)
    model = hrnet.load(tmp_path / "a.safetensors", detector="person_finder")
    seen = []
    find = model.detector.predict

    def spy(image, **options):
        seen.append(image)
        return find(image, **options)

    monkeypatch.setattr(model.detector, "predict", spy)
    picture = np.full((90, 80), 2048, np.uint16)
    model.predict(picture)
    assert seen[0].shape == (90, 80, 3) and seen[0].dtype == np.uint8
    assert (seen[0] == 128).all()


def test_a_file_whose_network_has_other_channels_is_refused(tmp_path):
    import onnx

    spec = described("litehrnet_18", 1)
    network = hrnet.models.build_network(spec.network).eval()
    export_onnx(network, spec, tmp_path / "a.onnx")
    other = onnx.load(tmp_path / "a.onnx")
    other.metadata_props[0].value = described("litehrnet_18", 5).to_json()
    onnx.save(other, tmp_path / "b.onnx")
    with pytest.raises(InputError, match=r"b\.onnx"):
        hrnet.load(tmp_path / "b.onnx")


def test_descriptions_of_before_read_as_before():
    spec = described("litehrnet_18", 3)
    assert "pixel_range" not in spec.to_json()
    fields = json.loads(spec.to_json())
    for name in ("mean", "std"):
        del fields[name]
    del fields["network"]["in_channels"]
    old = PoseSpec.from_json(json.dumps(fields))
    assert (old.mean, old.std, old.reads_rgb) == (IMAGENET_MEAN, IMAGENET_STD, True)
    assert "in_channels" not in old.facts(flip_test=False)


@pytest.mark.parametrize(
    ("channels", "changes", "problem"),
    [
        (1, {"mean": IMAGENET_MEAN}, "expected mean of 1 number, one a channel, got 3"),
        (5, {"std": (0.2,)}, "expected std of 5 numbers, one a channel, got 1"),
        (1, {"channels": "bgr"}, "bgr needs 3 channels, got 1"),
        (1, {"pixel_range": (4095, 0)}, "a lowest and a highest value"),
        (1, {"pixel_range": (0, 1e12)}, "a lowest and a highest value"),
        (1, {"pixel_range": (1, 1)}, "a lowest and a highest value"),
        (1, {"pixel_range": (0, float("nan"))}, "pixel_range"),
        (1, {"std": (0.0,)}, "std must be above 0"),
    ],
)
def test_pixels_that_do_not_fit_the_network_are_refused(channels, changes, problem):
    with pytest.raises(ValueError, match=problem):
        described("litehrnet_18", channels, **changes)


def test_other_tasks_read_rgb_of_8_bits():
    network = NetworkSpec(variant="hrnet_w18_small_v1", task="classification", num_outputs=2)
    fields = {
        "name": "a",
        "network": network,
        "input_size": (64, 64),
        "class_names": ("a", "b"),
        "resize": 64,
    }
    for changes in (
        {"pixel_range": (0, 4095)},
        {"network": {**network.model_dump(), "in_channels": 1}},
    ):
        with pytest.raises(ValueError, match="reads RGB pictures of 8 bits"):
            ClassificationSpec(**fields | changes)


@pytest.mark.parametrize(
    ("recipe", "setting", "problem"),
    [
        (
            "pose/small_hrnet_w16_coco_256x192",
            "model.options.in_channels=0",
            "greater than or equal to 1",
        ),
        (
            "pose/small_hrnet_w16_coco_256x192",
            "model.options.in_channels=33",
            "less than or equal to 32",
        ),
        ("pose/small_hrnet_w16_coco_256x192", "model.mean=[0.5]", "expected mean of 3 numbers"),
        ("pose/small_hrnet_w16_coco_256x192", "model.std=[0.5,0.5,0]", "model.std.2"),
        (
            "pose/small_hrnet_w16_coco_256x192",
            "model.pixel_range=[9,1]",
            "a lowest and a highest value",
        ),
        ("pose/small_hrnet_w16_coco_256x192", "model.pixel_range=12", "model.pixel_range"),
        (
            "classification/hrnet_w18_small_v1_imagenet_224x224",
            "model.options.in_channels=1",
            "this task reads 3 channels, got options.in_channels 1",
        ),
    ],
)
def test_settings_that_do_not_fit_end_in_a_line(recipe, setting, problem):
    with pytest.raises(InputError) as caught:
        override(get_recipe(recipe), [setting])
    assert problem in str(caught.value)


def test_what_is_set_is_not_chosen(tmp_path):
    file = write_data(tmp_path, 1, suffix=".png")
    settings = [
        "model.mean=[0.5]",
        "model.std=[0.25]",
        "model.pixel_range=[0, 8191]",
        "train.init=null",
    ]
    experiment, lines = own_experiment(
        file, None, val=None, out=tmp_path / "run", settings=settings
    )
    model = experiment.model
    assert (model.mean, model.std, model.pixel_range) == ((0.5,), (0.25,), (0, 8191))
    assert any("0 to 8191 taken as 0 to 1" in line for line in lines)
    settings = ["model.options.in_channels=3", "train.init=null"]
    experiment, lines = own_experiment(
        file, None, val=None, out=tmp_path / "rgb", settings=settings
    )
    assert experiment.model.mean is None and experiment.model.pixel_range is None
    assert not any(line.startswith("pictures: ") for line in lines)


def test_the_check_counts_pictures_of_other_channels(run, tmp_path):
    file = write_data(tmp_path, 5)
    np.save(tmp_path / "images" / "3.npy", np.zeros((60, 80, 4), np.uint16))
    np.save(tmp_path / "images" / "4.npy", np.zeros((60, 80, 5), np.float32))
    np.save(tmp_path / "images" / "5.npy", np.full((60, 80, 5), np.nan))
    code, out, err = run("data", "check", file, "--images", tmp_path / "images")
    assert code == 2
    text = " ".join((out + err).split())
    assert "images of other channels or numbers than most (5 channels of 16 bits): 2" in text
    assert "3.npy has 4 channels of 16 bits" in text
    assert "4.npy has 5 channels of floating point" in text
    assert "images that cannot be decoded: 1" in text
    code, _, err = run("train", "--data", file, "--out", tmp_path / "run", *QUICK)
    assert code == 2 and "in most and 4 channels of 16 bits in" in err
    assert len(err.splitlines()) == 1 and not (tmp_path / "run").exists()


def test_crops_without_colour_are_noted_where_there_is_none(tmp_path):
    file = write_data(tmp_path, 1, suffix=".png")
    settings = ["augmentation.grey=0.5", "train.init=null", "augmentation.flip=0"]
    experiment, _ = own_experiment(file, None, val=None, out=tmp_path / "run", settings=settings)
    (note,) = experiment.notes(described("litehrnet_18", 1))
    assert note.startswith("NO GREY CROPS")
    assert experiment.notes(described("litehrnet_18", 3)) == []


def test_a_teacher_reads_the_pictures_of_the_training(tmp_path):
    teacher = described("litehrnet_18", 3)
    network = hrnet.models.build_network(teacher.network)
    save_checkpoint(tmp_path / "a.safetensors", network, teacher)
    for student in (
        described("litehrnet_18", 1),
        described("litehrnet_18", 3, pixel_range=(0, 4095)),
    ):
        with pytest.raises(
            InputError, match=r"expected a model that reads the pictures .*0 to 255"
        ):
            find_teacher(str(tmp_path / "a.safetensors"), student)
    assert find_teacher(str(tmp_path / "a.safetensors"), teacher).spec == teacher
