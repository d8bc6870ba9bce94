"""PCKh beside AP, where every subject has a head size; see conftest.py for the scene."""

import json

import pytest

from hrnet.data.coco import read_keypoints
from hrnet.errors import InputError
from hrnet.evaluation import main_metric
from hrnet.metrics.coco import COCO_METRICS


def give_heads(scene, *sizes):
    for annotation, size in zip(scene.content["annotations"], sizes, strict=False):
        annotation["head_size"] = size
    scene.save()


def test_pckh_stands_beside_the_figures_of_coco(scene):
    give_heads(scene, 20, 20, 20, 20)
    result = scene.evaluate()
    assert list(result.metrics) == ["PCKh@0.5", "PCKh@0.1", *COCO_METRICS]
    assert result.metrics["PCKh@0.5"] == 1.0
    assert "PCKh of 4 annotated boxes by their head_size" in result.protocol["metric"]
    written = json.loads(result.to_json())
    assert written["PCKh@0.5"] == 1.0
    assert written["AP"] == pytest.approx(1.0)


def test_each_pose_is_measured_by_its_own_subject(scene):
    """The annotations are in another order than their images, and one truth is far off."""
    first, *_ = scene.content["annotations"]
    first["keypoints"][0] -= 25  # of 12 keypoints one lies 25 px beside what is seen
    scene.content["annotations"].reverse()
    give_heads(scene, 20, 20, 20, 20)
    assert scene.evaluate().metrics["PCKh@0.5"] == pytest.approx(11 / 12)
    first["head_size"] = 60
    scene.save()
    assert scene.evaluate().metrics["PCKh@0.5"] == 1.0


def test_a_network_in_memory_gives_the_same(scene):
    give_heads(scene, 20, 20, 20, 20)

    def pooling(images):
        return (images.reshape(len(images), 3, 32, 4, 32, 4).mean(axis=(3, 5)),)

    import hrnet

    model = hrnet.Model(pooling, hrnet.load(scene.model).spec)
    result = hrnet.evaluate(model, data=scene.data, images=scene.images)
    assert result.metrics == scene.evaluate().metrics


@pytest.mark.parametrize("sizes", [(), (20, 20, 20)])
def test_without_all_head_sizes_nothing_changes(scene, sizes):
    give_heads(scene, *sizes)
    result = scene.evaluate()
    assert tuple(result.metrics) == COCO_METRICS
    assert "PCKh" not in result.to_json()


def test_boxes_of_a_detector_give_no_pckh(scene):
    """Nobody says which of its boxes belongs to which subject."""
    give_heads(scene, 20, 20, 20, 20)
    rows = [(one["image_id"], one["bbox"], 0.9) for one in scene.content["annotations"]]
    assert "PCKh@0.5" not in scene.evaluate(boxes=scene.detections(rows)).metrics


def test_a_crop_box_is_cropped_as_it_stands(scene):
    """All keypoints of a person are seen in a crop that begins outside of the picture."""
    for annotation in scene.content["annotations"]:
        x, y, *_ = annotation["bbox"]
        annotation |= {"bbox": [x, y, 3, 3], "crop_box": [x - 30, y - 15, 90, 90], "area": 3600}
    give_heads(scene, 20, 20, 20, 20)
    assert scene.evaluate().metrics["PCKh@0.5"] == 1.0
    first = read_keypoints(scene.data, scene.images).samples[0]
    assert first.box_xywh.tolist() == [-3, 22, 90, 90]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"head_size": 0}, r"head_size is not a number above 0 pixels: 1 \(1 has 0\)"),
        ({"head_size": "big"}, r"head_size is not a number above 0 pixels: 1 \(1 has 'big'\)"),
        ({"head_size": float("nan")}, r"head_size is not a number .*: 1 \(1 has nan\)"),
        ({"crop_box": [1, 2, 3]}, r"crop_box is not x, y and a positive .* \(1 has \[1, 2, 3\]\)"),
        (
            {"crop_box": [1, 2, 3, 0]},
            r"crop_box is not .* height: 1 \(1 has \[1, 2, 3, 0",
        ),
    ],
)
def test_wrong_head_sizes_and_crop_boxes(scene, change, message):
    scene.content["annotations"][0] |= change
    scene.save()
    with pytest.raises(InputError, match=message) as caught:
        scene.evaluate()
    assert len(str(caught.value).splitlines()) == 1


def test_the_main_metric_is_pckh_where_there_is_one(scene):
    assert main_metric(scene.evaluate().metrics)[0] == "AP"
    give_heads(scene, 20, 20, 20, 20)
    assert main_metric(scene.evaluate().metrics) == ("PCKh@0.5", 1.0)
