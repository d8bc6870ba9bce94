"""Loading models and predicting, with a network whose right answers are known."""

import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

import hrnet
from hrnet.errors import InputError
from hrnet.predict import Model, load
from hrnet.spec import NetworkSpec
from hrnet.tasks import Job

BOX = [20.0, 10.0, 70.0, 100.0]


@pytest.fixture
def model(spot_model: Path) -> Model:
    return load(spot_model, threads=1)


def test_keypoints_are_in_pixels_of_the_picture(model, spots, spot_points) -> None:
    poses = model.predict(spots((0, 0), (100, 30)), boxes=[BOX, [120, 40, 70, 100]])
    assert poses.boxes_given
    assert poses.image_size == (160, 240)
    assert poses.boxes.tolist() == [[20, 10, 90, 110], [120, 40, 190, 140]]
    expected = np.stack([spot_points, spot_points + np.array([100, 30])])
    assert np.abs(poses.keypoints - expected).max() < 3
    assert (poses.keypoint_scores > 0.8).all()
    np.testing.assert_allclose(poses.scores, poses.keypoint_scores.mean(axis=1), rtol=1e-6)


def test_without_boxes_the_whole_picture_is_one_person(model, spots, spot_points) -> None:
    poses = model.predict(spots())
    assert len(poses) == 1
    assert not poses.boxes_given
    assert poses.boxes.tolist() == [[0, 0, 240, 160]]
    assert np.abs(poses.keypoints[0] - spot_points).max() < 9  # a heatmap pixel is 12 wide


def test_all_kinds_of_sources_agree(model, spots, tmp_path: Path) -> None:
    image = spots()
    path = tmp_path / "a.png"
    image.save(path)
    poses = [model.predict(source, [BOX]) for source in (path, str(path), image, np.array(image))]
    for other in poses[1:]:
        np.testing.assert_array_equal(other.keypoints, poses[0].keypoints)


def test_batched_is_as_single(model, spots) -> None:
    images = [spots((step, 2 * step)) for step in range(7)]
    boxes = [None if step % 3 == 0 else [BOX] * step for step in range(7)]
    together = model.predict(images, boxes)
    for image, box, poses in zip(images, boxes, together, strict=True):
        single = model.predict(image, box)
        np.testing.assert_allclose(poses.keypoints, single.keypoints, atol=1e-4)
        assert poses.boxes_given == single.boxes_given


def test_no_boxes_and_no_images(model, spots) -> None:
    assert len(model.predict(spots(), np.zeros((0, 4)))) == 0
    assert model.predict([]) == []


def test_crops_of_several_pictures_share_a_batch(spot_model: Path, spots) -> None:
    sizes = []
    network = load(spot_model)._engine

    def count(images: np.ndarray) -> np.ndarray:
        sizes.append(len(images))
        return network(images)

    model = Model(count, load(spot_model).spec)
    jobs = [Job(spots(), [BOX] * number) for number in (3, 0, 9, 1, 5)]
    results = list(model.stream(jobs, batch_size=4))
    assert [len(result) for result in results] == [3, 0, 9, 1, 5]
    assert sizes == [4, 4, 4, 4, 2]


def test_results_come_while_pictures_are_still_read(model, spots) -> None:
    opened = []

    def jobs() -> Iterator[Job]:
        for number in range(100):
            opened.append(number)
            yield Job(spots(), [BOX])

    next(model.stream(jobs(), batch_size=4))
    assert len(opened) == 4


def test_one_bad_picture_stops_no_other(model, spots, tmp_path: Path) -> None:
    jobs = [Job(spots(), [BOX]), Job(tmp_path / "no.jpg"), Job(spots(), [[0, 0, 0, 5]])]
    results = list(model.stream([*jobs, Job(spots())]))
    assert [isinstance(result, InputError) for result in results] == [False, True, True, False]
    with pytest.raises(InputError, match=r"no\.jpg"):
        model.predict([spots(), tmp_path / "no.jpg"])


def test_exif_turned_pictures_are_upright(model, spots, spot_points, tmp_path: Path) -> None:
    image = spots()
    exif = image.getexif()
    exif[0x0112] = 6
    image.transpose(2).save(tmp_path / "a.png", exif=exif)  # 2: a quarter counter-clockwise
    poses = model.predict(tmp_path / "a.png", [BOX])
    assert poses.image_size == (160, 240)
    assert np.abs(poses.keypoints[0] - spot_points).max() < 3


def test_flip_test_of_symmetric_keypoints(model, spots) -> None:
    plain, flipped = (model.predict(spots(), [BOX], flip_test=on) for on in (False, True))
    assert np.abs(plain.keypoints - flipped.keypoints).max() < 5
    assert (plain.keypoint_scores != flipped.keypoint_scores).any()


def test_boxes_must_be_as_many_as_images(model, spots) -> None:
    with pytest.raises(InputError, match="boxes for each of 2 images, got 1"):
        model.predict([spots(), spots()], [[BOX]])


@pytest.mark.parametrize("boxes", [5, "abc", {"a": [BOX]}])
def test_boxes_of_a_list_of_images_are_a_list(model, spots, boxes) -> None:
    with pytest.raises(InputError, match=r"boxes for each of 1 images, got .*; give a list of box"):
        model.predict([spots()], boxes)


def test_boxes_may_come_one_by_one(model, spots) -> None:
    first, second = model.predict([spots(), spots()], (rows for rows in ([BOX], [BOX, BOX])))
    assert (len(first), len(second)) == (1, 2)


@pytest.mark.parametrize("size", [0, -1, 2.5, "3", None, True, 5000])
def test_batches_of_no_size(model, spots, size) -> None:
    with pytest.raises(InputError, match="expected 1 to 4096 crops in a batch, got"):
        list(model.stream([Job(spots(), [BOX])], batch_size=size))


@pytest.mark.parametrize("name", [None, 5, b"default", ["default"], "", "de\nfault"])
def test_what_is_no_name_of_a_model(name) -> None:
    with pytest.raises(InputError, match="expected a model's name or file, ") as caught:
        load(name)
    assert "\n" not in str(caught.value)


def test_threads_may_be_a_number_of_numpy(spot_model: Path) -> None:
    assert load(spot_model, threads=np.int64(1)).device == "cpu"


def test_a_box_error_names_the_file(model, spots, tmp_path: Path) -> None:
    spots().save(tmp_path / "a.png")
    with pytest.raises(InputError, match=r"a\.png: box 1"):
        model.predict(tmp_path / "a.png", [[500, 0, 5, 5]])


def test_a_checkpoint_and_a_run_folder_predict_too(spots, tmp_path: Path, monkeypatch) -> None:
    import torch

    from hrnet.models import create_model
    from hrnet.skeleton import COCO_PERSON
    from hrnet.tasks.pose.spec import PoseSpec
    from hrnet.weights.checkpoint import save_checkpoint

    threads: list[int] = []
    monkeypatch.setattr(torch, "set_num_threads", threads.append)
    torch.manual_seed(0)
    network = create_model("small_hrnet_w16", task="pose", num_outputs=17)
    spec = PoseSpec(
        network=NetworkSpec(variant="small_hrnet_w16", task="pose", num_outputs=17),
        name="t",
        input_size=(64, 64),
        skeleton=COCO_PERSON,
    )
    save_checkpoint(tmp_path / "best.safetensors", network.state_dict(), spec)
    for source in (tmp_path, tmp_path / "best.safetensors"):
        poses = load(source, device="cpu", threads=3).predict(spots(), [BOX])
        assert poses.keypoints.shape == (1, 17, 2)
    assert threads == [3, 3]
    with pytest.raises(InputError, match="engine openvino runs exported models"):
        load(tmp_path, engine="openvino")
    with pytest.raises(InputError, match="device abacus cannot be used"):
        load(tmp_path, device="abacus")


def test_checkpoints_say_what_they_need(monkeypatch, tmp_path: Path) -> None:
    (tmp_path / "a.safetensors").touch()
    monkeypatch.delitem(sys.modules, "hrnet.runtime.torch_engine", raising=False)
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(InputError, match=r"pip install 'hrnet\[train\]'"):
        hrnet.load(tmp_path / "a.safetensors")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"device": "cuda"}, "device cuda is none that this ONNX Runtime has .*onnxruntime-gpu"),
        ({"device": "cpu:1"}, "device cpu:1 is none"),
        ({"device": "gpu", "engine": "openvino"}, "device gpu is none that OpenVINO finds"),
        ({"engine": "tensorflow"}, "expected onnxruntime or openvino"),
        ({"threads": 0}, "expected 1 to 1024 threads, got 0"),
        ({"threads": 2.0}, "expected 1 to 1024 threads"),
        ({"engine": ""}, "expected onnxruntime or openvino"),
    ],
)
def test_engines_and_devices_that_are_not_there(spot_model: Path, options, words) -> None:
    if options.get("engine") == "openvino":
        pytest.importorskip("openvino")
    with pytest.raises(InputError, match=words):
        load(spot_model, **options)


def test_a_loaded_model_names_its_device(spot_model: Path) -> None:
    assert load(spot_model).device == "cpu"
    assert load(spot_model, device="CPU").device == "cpu"


def test_public_names_exist() -> None:
    for name in hrnet.__all__:
        if name != "__version__":
            assert getattr(hrnet, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = hrnet.nothing
