"""The training that is chosen for boxes of one's own."""

import json

import pytest

import hrnet.recipes.detection.finetune as detection
from hrnet.errors import InputError
from hrnet.recipes import finetune
from hrnet.recipes.finetune import OwnData, own_experiment


@pytest.fixture(autouse=True)
def nothing_is_downloaded(monkeypatch):
    """Published weights are had by name, whether they could be downloaded or not."""
    monkeypatch.setattr(finetune, "find_model", lambda name: None)


def choose(data, tmp_path, *settings: str, **more):
    return own_experiment(
        data, None, val=more.pop("val", None), out=tmp_path / "run", settings=settings, **more
    )


def test_without_a_gpu_the_light_head_starts_from_the_person_finder_backbone(
    write_shapes, tmp_path
):
    experiment, lines = choose(write_shapes(tmp_path / "data", 20), tmp_path)
    model, train = experiment.model, experiment.train
    assert (model.variant, model.options.head, model.fit) == (
        "small_hrnet_w16",
        "light",
        (320, 416),
    )
    assert (train.init, train.init_head, train.loss) == ("person_finder", False, "task_aligned")
    assert not train.freeze_norms
    # A tenth of the pictures is set apart, and the same command makes the same parts again.
    parts = [
        json.loads((tmp_path / "run/data" / f"{part}.json").read_text())
        for part in ("train", "val")
    ]
    assert [len(part["images"]) for part in parts] == [18, 2]
    assert experiment.data.annotations == tmp_path / "run/data/train.json"
    assert experiment.data.val_annotations == tmp_path / "run/data/val.json"
    assert experiment.data.images == experiment.data.val_images == tmp_path / "data"
    assert choose(tmp_path / "data/shapes.json", tmp_path) == (experiment, lines)
    assert "data: 36 boxes in 18 images to train on, 4 boxes in 2 images to measure on" in lines[0]
    assert lines[1] == "classes: 2: red, blue"
    assert "small_hrnet_w16 with the head light at 320x416" in lines[2]
    assert experiment.run.cache_images


def test_with_a_gpu_two_stages_start_from_published_weights(write_shapes, tmp_path, monkeypatch):
    class Cuda:
        type = "cuda"

    monkeypatch.setattr(detection, "pick_device", lambda name: Cuda())
    experiment, _ = choose(write_shapes(tmp_path / "data", 20), tmp_path)
    model, train = experiment.model, experiment.train
    assert (model.variant, model.options.head, model.fit) == ("hrnet_w18", "faster", (800, 1333))
    assert (train.init, train.init_head) == ("hrnet_w18-coco-htc_20e", False)
    assert (train.loss, train.freeze_norms) == ("two_stage", True)
    assert (train.batch_size, train.lr, train.epochs) == (4, 1e-4, 100)


def test_weights_that_cannot_be_had_leave_the_light_head(write_shapes, tmp_path, monkeypatch):
    class Cuda:
        type = "cuda"

    def fail(name):
        raise InputError("no network")

    monkeypatch.setattr(detection, "pick_device", lambda name: Cuda())
    monkeypatch.setattr(finetune, "find_model", fail)
    data = write_shapes(tmp_path / "data", 20)
    assert choose(data, tmp_path)[0].model.options.head == "light"
    experiment, lines = choose(data, tmp_path, "model.variant=hrnet_w18")
    assert (experiment.train.init, experiment.train.freeze_norms) == (None, False)
    assert "NEW WEIGHTS: hrnet_w18-coco-htc_20e cannot be had (no network)" in lines[-1]


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        (("model.options.head=mask",), ("hrnet_w18", "mask", "two_stage")),
        (("model.options.head=fcos",), ("hrnet_w18", "fcos", "fcos")),
        (("model.options.head=light",), ("small_hrnet_w16", "light", "task_aligned")),
        (("model.variant=hrnet_w32",), ("hrnet_w32", "faster", "two_stage")),
        (("model.variant=small_hrnet_w16",), ("small_hrnet_w16", "light", "task_aligned")),
        (
            ("model.variant=hrnet_w40", "model.conventions=legacy"),
            ("hrnet_w40", "faster", "two_stage_legacy"),
        ),
    ],
)
def test_settings_decide_the_network_and_its_loss(write_shapes, tmp_path, settings, expected):
    data = write_shapes(tmp_path / "data", 4)
    experiment, _ = choose(data, tmp_path, *settings, val=data)
    model = experiment.model
    assert (model.variant, model.options.head, experiment.train.loss) == expected
    assert experiment.train.init is not None
    assert not (tmp_path / "run").exists()  # nothing is split where there are validation data


def test_new_weights_learn_their_statistics(write_shapes, tmp_path):
    settings = ("model.variant=hrnet_w18", "train.init=null")
    data = write_shapes(tmp_path / "data", 4)
    experiment, lines = choose(data, tmp_path, *settings, val=data)
    assert (experiment.train.init, experiment.train.freeze_norms) == (None, False)
    assert "from new weights" in lines[2]


def test_one_category_and_pictures_in_images(write_shapes, tmp_path):
    data = write_shapes(tmp_path / "data", 10)
    (tmp_path / "data/images").mkdir()
    for picture in (tmp_path / "data").glob("*.png"):
        picture.rename(tmp_path / "data/images" / picture.name)
    experiment, lines = choose(data, tmp_path, category="blue")
    assert experiment.data.images == tmp_path / "data/images"
    assert experiment.data.category == "blue"
    assert lines[1] == "classes: 1: blue"


def test_bad_input_leaves_nothing(write_shapes, tmp_path):
    data = write_shapes(tmp_path / "data", 4)
    for settings, words in (
        (("train.lr=-1",), "setting train.lr"),
        (("model.options.head=pyramid",), "others find no boxes"),
    ):
        with pytest.raises(InputError, match=words):
            choose(data, tmp_path, *settings)
    (tmp_path / "data/2.png").unlink()
    with pytest.raises(InputError, match="1 of 4 annotated images are missing"):
        choose(data, tmp_path)
    assert not (tmp_path / "run").exists()


def test_other_files_are_left_to_other_tasks(write_shapes, tmp_path):
    def own(path):
        return OwnData(path, None, None, tmp_path / "run", None, ())

    assert detection.fits(own(write_shapes(tmp_path / "data", 1)))
    broken = tmp_path / "broken.json"
    broken.write_text("{")
    for path in (broken, tmp_path, tmp_path / "none.json", tmp_path / "list.csv"):
        assert not detection.fits(own(path))
