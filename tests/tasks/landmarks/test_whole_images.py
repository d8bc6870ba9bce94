"""Keypoints on whole pictures: without boxes, by commands, the same in check, training and use."""

import json
from pathlib import Path

import numpy as np
import pytest

import hrnet
from hrnet.data.coco import read_keypoints
from hrnet.errors import InputError
from hrnet.geometry import whole_image_box
from hrnet.skeleton import COCO_PERSON

from . import pitch, xrays

SMALL = (96, 80)
LOG = {"kind", "step", "epoch", "loss", "lr", "images_per_s", "data_wait", "memory_mb", "seconds"}
LOG |= {"skipped"}
"""Names of a row of the log that are no metrics."""


@pytest.fixture(scope="module")
def spines(tmp_path_factory) -> Path:
    """Sixteen small X-rays, and their file."""
    return xrays.write(tmp_path_factory.mktemp("spines"), 16, size=SMALL)


def changed(file: Path, change) -> Path:
    """Write a changed copy of a file beside it."""
    content = json.loads(file.read_text())
    change(content)
    other = file.with_name("changed.json")
    other.write_text(json.dumps(content))
    return other


def give_box(content: dict, box: object = (10, 10, 30, 30)) -> None:
    content["annotations"][0]["bbox"] = box


def double(content: dict) -> None:
    content["annotations"].append(content["annotations"][0] | {"id": 99})


def read(file: Path, **options):
    return read_keypoints(file, file.parent / "images", **options)


def test_without_any_box_whole_pictures_are_the_subjects(spines):
    data = read(spines)
    assert data.whole_images
    assert not data.notes
    for one in data.samples:
        assert one.box_xywh.tolist() == whole_image_box(SMALL).tolist() == [0, 0, 80, 96]
    assert not read(spines, whole_images=False).whole_images


@pytest.mark.parametrize("change", [give_box, double])
def test_with_a_box_or_two_subjects_they_are_not(spines, change):
    data = read(changed(spines, change))
    assert not data.whole_images
    assert data.samples[1].box_xywh[2] < 60  # the extent of the keypoints
    assert any("whose box is missing" in note for note in data.notes)


def test_persons_are_found_and_do_not_fill_their_picture(spines):
    def as_persons(content: dict) -> None:
        content["categories"][0]["keypoints"] = list(COCO_PERSON.names)
        for one in content["annotations"]:
            one["keypoints"] = one["keypoints"][: 3 * 17]

    file = changed(spines, as_persons)
    assert not read(file).whole_images
    assert read(file, whole_images=True).whole_images


def test_boxes_are_passed_over_where_it_is_asked_for(spines):
    data = read(changed(spines, give_box), whole_images=True)
    assert data.whole_images
    assert data.samples[0].box_xywh.tolist() == [0, 0, 80, 96]


def test_several_subjects_of_a_picture_are_refused(spines, run):
    file = changed(spines, double)
    with pytest.raises(InputError, match=r"share their picture with others: 2 .*give the subjects"):
        read(file, whole_images=True)
    code, _, err = run("data", "check", file, "--images", file.parent / "images", "--whole-image")
    assert code == 2
    assert "share their picture" in err


def test_the_check_shows_it(spines, run):
    code, out, _ = run("data", "check", spines, "--images", spines.parent / "images")
    assert code == 0
    assert "each whole picture is one subject" in out.replace("\n", " ")


def test_by_commands(spines, tmp_path, run):
    """Trained without boxes, a model needs no option to predict, and gives no note about boxes."""
    images, folder = spines.parent / "images", tmp_path / "run"
    code, out, err = run(
        *(
            "train",
            "--data",
            spines,
            "--images",
            images,
            "--out",
            folder,
            "--set",
            "train.epochs=1",
        ),
        *("--set", "model.variant=small_hrnet_w16", "--set", "train.init=null"),
        *("--set", "model.input_size=[92,76]", "--set", "model.options.heatmap_stride=2"),
    )
    assert code == 0, err
    assert "each whole picture is one" in out
    model = hrnet.load(folder)
    assert model.spec.subjects == "picture"
    assert model.spec.padding == 1
    assert model.spec.heatmap_codec.heatmap_size == (46, 38)
    poses = model.predict(images / "0001.png")
    assert poses.keypoints.shape == (1, 29, 2)
    np.testing.assert_array_equal(poses.boxes, [[0, 0, 80, 96]])
    # The ellipses are fitted to the two pictures of the validation part.
    scale, floor = model.spec.spread
    assert min(scale, floor) > 0
    long, short, angle = np.moveaxis(poses.ellipses(0.9)[0], -1, 0)
    assert (long >= short).all()
    assert short.min() > 0
    assert ((angle >= 0) & (angle < 180)).all()
    # The same in another engine, on a drawing and in the metrics.
    assert run("export", folder, "--out", tmp_path / "spine.onnx")[0] == 0
    code, out, err = run(
        *("predict", images / "0001.png", "--model", tmp_path / "spine.onnx"),
        *("--json", tmp_path / "points.json", "--out", tmp_path / "drawn"),
    )
    assert code == 0, err
    assert "no boxes given" not in out + err
    (entry,) = json.loads((tmp_path / "points.json").read_text())
    found = np.array(entry["keypoints"]).reshape(29, 3)[:, :2]
    close = np.abs(found - poses.keypoints[0]).max(axis=1) < 0.05
    assert close.mean() > 0.9  # the network hardly learned: two pixels may be the largest
    (xx, xy, yy), covariance = entry["keypoint_covariances"][0], poses.covariances[0, 0]
    np.testing.assert_allclose([[xx, xy], [xy, yy]], covariance, rtol=0.05, atol=0.05)
    code, out, err = run("evaluate", tmp_path / "spine.onnx", "--data", spines, "--images", images)
    assert code == 0, err
    assert "whole pictures" in out
    assert "within 90%" in out
    # The pictures have their spacing, so errors are in mm and the first one chose the checkpoint.
    assert model.spec.metrics == ("mm", "px")
    rows = [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]
    assert next(name for name in rows[-1] if name not in LOG) == "MRE mm"
    ask_json = ("--json", tmp_path / "found.json")
    run("evaluate", folder, "--data", spines, "--images", images, *ask_json)
    found = json.loads((tmp_path / "found.json").read_text())
    each = found["by_keypoint"]
    assert list(each) == list(xrays.NAMES)
    assert np.mean([one["MRE mm"] for one in each.values()]) == pytest.approx(found["MRE mm"])
    # Another spacing for pictures without one; other figures on the way.
    bare = changed(spines, lambda content: [one.pop("mm_per_pixel") for one in content["images"]])
    asked = ("evaluate", folder, "--data", bare, "--images", images, *ask_json)
    code, _, err = run(*asked)
    assert code == 2
    assert "16 of 16 have none; add --mm-per-pixel" in err
    assert run(*asked, "--mm-per-pixel", 2)[0] == 0
    again = json.loads((tmp_path / "found.json").read_text())
    assert again["MRE mm"] == pytest.approx(2 * again["error px"])
    other = 'metrics=["nme:v1_upper_left-sacrum_tip", "coco"]'
    assert run(*asked, "--set", other)[0] == 0
    assert next(iter(json.loads((tmp_path / "found.json").read_text()))) == "NME"
    # Boxes in the data change nothing.
    with_box = hrnet.evaluate(folder, data=changed(spines, give_box), images=images)
    assert with_box.metrics == hrnet.evaluate(folder, data=spines, images=images).metrics


def test_a_model_of_persons_takes_whole_pictures_where_it_is_asked(tmp_path, run, astronaut):
    asked = ("predict", astronaut, "--whole-image", "--json", tmp_path / "one.json")
    assert run(*asked)[0] == 0
    (entry,) = json.loads((tmp_path / "one.json").read_text())
    assert entry["bbox"][:2] == [0, 0]
    assert "detector" not in entry


@pytest.mark.parametrize("command", ["train", "check"])
def test_classes_have_no_subjects(tmp_path, run, command):
    (tmp_path / "data" / "a").mkdir(parents=True)
    arguments = {
        "train": ("train", "--data", tmp_path / "data", "--out", tmp_path / "run"),
        "check": ("data", "check", tmp_path / "data"),
    }
    code, _, err = run(*arguments[command], "--whole-image")
    assert code == 2
    assert "expected --whole-image for keypoints alone" in err


def test_boxes_and_whole_pictures_are_not_mixed(spines, tmp_path, run):
    """Training on whole pictures is not measured on boxes."""
    code, _, err = run(
        *("train", "--data", spines, "--images", spines.parent / "images", "--out", tmp_path / "r"),
        *("--set", "model.subjects=boxes"),
    )
    assert code == 2
    assert "set model.subjects=null or data.whole_images=false" in err


def test_pitches_have_57_points_within_their_pictures(tmp_path):
    file = pitch.write(tmp_path, 3)
    content = json.loads(file.read_text())
    assert len(set(pitch.NAMES)) == 57
    for annotation in content["annotations"]:
        points = np.array(annotation["keypoints"]).reshape(57, 3)
        seen = points[points[:, 2] > 0, :2]
        assert 8 <= len(seen) == annotation["num_keypoints"]
        assert (seen > 0).all()
        assert (seen < (959, 539)).all()
    assert read(file).whole_images


@pytest.mark.parametrize("spacing", [0, -1, "1", [0.1, 0], [1, 2, 3], True, {}])
def test_a_spacing_that_is_none_is_an_error(spines, run, spacing):
    def change(content: dict) -> None:
        content["images"][2]["mm_per_pixel"] = spacing

    file = changed(spines, change)
    code, _, err = run("data", "check", file, "--images", file.parent / "images")
    assert code == 2
    assert "images whose mm_per_pixel is not one number above 0, or two for x and y: 1" in err


@pytest.mark.parametrize("spacing", ["0", "-1", "nan", "inf"])
@pytest.mark.parametrize("command", ["train", "evaluate"])
def test_a_spacing_of_nothing_is_refused(spines, tmp_path, run, spot_model, command, spacing):
    images = spines.parent / "images"
    arguments = {
        "train": ("train", "--out", tmp_path / "run"),
        "evaluate": ("evaluate", spot_model),
    }[command]
    code, _, err = run(
        *(*arguments, "--data", spines, "--images", images, f"--mm-per-pixel={spacing}")
    )
    assert code == 2
    assert "expected mm_per_pixel above 0" in err
    assert not (tmp_path / "run").exists()
