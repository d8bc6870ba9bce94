"""`hrnet evaluate`, as a command and in Python: right figures and the whole protocol.

Three keypoints, and a network that finds them; see conftest.py.
"""

import contextlib
import hashlib
import io
import json

import numpy as np
import pytest

import hrnet
from hrnet.data.coco import parse_keypoints, read_keypoints
from hrnet.data.coco_evaluation import annotated_boxes, read_detections
from hrnet.metrics.coco import COCO_METRICS
from hrnet.tasks.pose.evaluation import ImagePoses, evaluate_poses, pose_limit


@pytest.mark.parametrize("flip_test", [False, True])
def test_annotated_boxes(scene, flip_test):
    result = scene.evaluate(flip_test=flip_test)
    assert tuple(result.metrics) == COCO_METRICS
    assert result.metrics["AP"] == pytest.approx(1.0)
    assert result.metrics["APL"] == -1.0
    assert result.protocol["pose"]["flip_test"] == flip_test
    assert result.protocol["pose"]["flip_shift"] == flip_test
    assert result.protocol["pose"]["blur_kernel"] is None


def test_the_protocol_says_everything(scene):
    written = json.loads(scene.evaluate().to_json())
    assert list(written) == [*COCO_METRICS, "protocol"]
    protocol = written["protocol"]
    sha256 = hashlib.sha256(scene.model.read_bytes()).hexdigest()
    assert protocol["model"].pop("engine").startswith("onnxruntime ")
    assert protocol["model"] == {
        "name": "pooling",
        "variant": "hrnet_w32",
        "file": "model.onnx",
        "sha256": sha256,
    }
    assert protocol["data"] == {
        "annotations": "annotations.json",
        "sha256": hashlib.sha256(scene.data.read_bytes()).hexdigest(),
        "images": 2,
        "persons": 4,
        "ignored": 0,
        "areas_estimated": 0,
        "keypoints": ["red", "green", "blue"],
        "flip_pairs": [],
        "sigmas": [0.1, 0.1, 0.1],
        "sigmas_source": "annotation file",
        "notes": [],
    }
    assert protocol["boxes"] == {"source": "gt", "sha256": None, "count": 4, "left_out": 0}
    pose = protocol["pose"]
    assert (pose["input_size"], pose["padding"], pose["codec"]) == ([128, 128], 1.25, "classic")
    assert "OKS 0.9" in pose["nms"]
    assert "0.2" in pose["rescoring"]
    assert protocol["metric"].startswith("pycocotools ")
    assert protocol["decoder"].startswith("Pillow ")


def test_the_sigmas_of_the_annotations_count(scene):
    scene.content["categories"][0]["sigmas"] = [1e-4] * 3
    scene.save()
    assert scene.evaluate().metrics["AP"] == 0.0


def test_a_loaded_model_and_a_network_in_memory_give_the_same(scene):
    from_file = scene.evaluate().metrics
    model = hrnet.load(scene.model)
    result = hrnet.evaluate(model, data=scene.data, images=scene.images)
    assert result.metrics == from_file
    assert result.protocol["model"]["sha256"] is None

    def pooling(images):
        return (images.reshape(len(images), 3, 32, 4, 32, 4).mean(axis=(3, 5)),)

    bare = hrnet.Model(pooling, model.spec)
    assert hrnet.evaluate(bare, data=scene.data, images=scene.images).metrics == from_file


def test_detected_boxes(scene):
    rows = [(one["image_id"], one["bbox"], 0.9) for one in scene.content["annotations"]]
    empty = (7, [90.0, 0.0, 20.0, 20.0], 0.99)  # sees nothing: no sure keypoint, score 0
    result = scene.evaluate(boxes=scene.detections([empty, *rows]))
    assert result.metrics["AP"] == pytest.approx(1.0)
    assert result.protocol["boxes"]["source"] == "detections.json"
    assert result.protocol["boxes"]["count"] == 5
    assert len(result.protocol["boxes"]["sha256"]) == 64


def test_a_missed_subject_lowers_recall(scene):
    rows = [(one["image_id"], one["bbox"], 0.9) for one in scene.content["annotations"][1:]]
    assert scene.evaluate(boxes=scene.detections(rows)).metrics["AR"] == pytest.approx(0.75)


def test_copies_are_suppressed_and_box_scores_rank(scene):
    first, *others = [(one["image_id"], one["bbox"]) for one in scene.content["annotations"]]
    x, y, width, height = first[1]
    copy = (first[0], [x + 1, y, width, height], 0.8)
    rows = [(*first, 0.9), copy, *[(*one, 0.5) for one in others]]
    assert scene.evaluate(boxes=scene.detections(rows)).metrics["AP"] == pytest.approx(1.0)


def test_subjects_that_cannot_count(scene):
    crowd, unlabelled, *_ = scene.content["annotations"]
    crowd |= {"iscrowd": 1, "keypoints": [0] * 9}
    unlabelled |= {"keypoints": [0] * 9}
    del scene.content["annotations"][2]["area"]
    scene.save()
    result = scene.evaluate()
    assert result.protocol["data"]["persons"] == 2
    assert result.protocol["boxes"]["count"] == 2
    assert result.protocol["data"]["areas_estimated"] == 1
    assert "2 subjects in 2 images, 1 areas estimated, 2 crowds or without a label" in (
        result.summary()
    )
    assert result.metrics["AP"] == pytest.approx(1.0)
    area = read_keypoints(scene.data, scene.images).subjects[2].area
    assert area == pytest.approx(0.53 * 3600)
    # A detector that finds them all the same is not punished.
    rows = [(one["image_id"], one["bbox"], 0.9) for one in scene.content["annotations"]]
    found = scene.evaluate(boxes=scene.detections(rows))
    assert found.metrics["AP"] == pytest.approx(1.0)


@pytest.mark.parametrize("area", [None, 0, 1, -3600, float("nan"), "3600", 10**400, 240 * 120 + 1])
def test_areas_that_cannot_be_are_estimated_and_counted(scene, area):
    for one in scene.content["annotations"]:
        one["area"] = area
    scene.save()
    result = scene.evaluate()
    assert result.metrics["AP"] == pytest.approx(1.0)
    assert result.protocol["data"]["areas_estimated"] == 4
    assert "4 areas estimated" in result.summary()
    assert ("area cannot be: 4 (1, 2, 3, 4)" in result.summary()) == (area is not None)


def test_subjects_without_a_box_are_measured_by_their_keypoints(scene):
    for one in scene.content["annotations"]:
        one["bbox"] = None
    scene.save()
    result = scene.evaluate()
    assert result.protocol["boxes"]["count"] == 4
    assert "box is missing or has no area: 4 (1, 2, 3, 4)" in result.summary()


def test_detections_of_other_categories_are_counted(scene):
    rows = [(one["image_id"], one["bbox"], 0.9) for one in scene.content["annotations"]]
    path = scene.detections(rows)
    entries = json.loads(path.read_text())
    path.write_text(json.dumps([entries[0] | {"category_id": 5}, *entries]))
    result = scene.evaluate(boxes=path)
    assert (result.protocol["boxes"]["count"], result.protocol["boxes"]["left_out"]) == (4, 1)
    assert "4 boxes (detections.json), 1 of other categories left out" in result.summary()


def test_more_subjects_than_coco_ever_has_in_a_picture_all_count(scene):
    """Thirty perfect poses, of which COCO's limit would keep twenty."""
    first = scene.content["annotations"][0]
    scene.content["annotations"] = [first | {"id": n} for n in range(1, 31)]
    scene.save()
    dataset = read_keypoints(scene.data, scene.images)
    points = np.stack([one.keypoints for one in dataset.samples])
    points = points + 40 * np.arange(30)[:, None, None]  # none is a copy of another
    for one, moved in zip(scene.content["annotations"], points, strict=True):
        one["keypoints"] = np.column_stack([moved, np.full(3, 2)]).ravel().tolist()
    dataset = parse_keypoints(scene.data, scene.images, scene.content)
    found = ImagePoses(7, points, np.ones((30, 3)), np.ones(30), np.full(30, 1.0))
    assert pose_limit(dataset) == 30
    assert evaluate_poses(dataset, [found])["AP"] == pytest.approx(1.0)
    scene.save()
    assert "30 poses an image (20 in COCO)" in scene.evaluate().summary()


def test_progress_is_told(scene):
    calls = []
    scene.evaluate(progress=lambda done, total: calls.append((done, total)))
    assert calls == [(1, 2), (2, 2)]


def test_the_command(scene, run, tmp_path):
    target = tmp_path / "out" / "figures.json"
    arguments = ["--data", scene.data, "--images", scene.images, "--flip-test", "--json", target]
    code, out, _ = run("evaluate", scene.model, *arguments)
    assert code == 0
    written = json.loads(target.read_text())
    assert written["AP"] == pytest.approx(1.0)
    assert written["protocol"]["pose"]["flip_test"] is True
    for words in ("AP50", "1.0000", "4 subjects in 2 images", "flip test on", "figures.json"):
        assert words in out
    assert f"\ndata {scene.data.name}" in out  # a line of its own
    assert "\\n" not in out  # the lines of the summary stay lines


def test_image_ids_of_detections_are_grouped_in_order(scene):
    dataset = read_keypoints(scene.data, scene.images)
    box = [20.0, 30.0, 60.0, 60.0]
    path = scene.detections([(9, box, 0.3), (7, box, 0.5), (9, [1, 2, 3, 4], 0.4)])
    (seven, nine), others = read_detections(path, dataset)
    assert others == 0
    assert (seven.image_id, nine.image_id) == (7, 9)
    assert nine.scores.tolist() == [0.3, 0.4]
    assert nine.boxes_xywh.tolist() == [box, [1, 2, 3, 4]]


def test_real_annotations_give_the_figures_of_the_plain_way(data_dir):
    """Noisy truth on real annotations: as pycocotools reads both files itself."""
    from pycocotools.coco import COCO
    from pycocotools.cocoeval import COCOeval

    path = data_dir / "coco" / "pose_tune.json"
    dataset = read_keypoints(path, data_dir / "coco" / "images")
    rng = np.random.default_rng(0)
    poses, results = [], []
    for sample in dataset.subjects:
        keypoints = sample.keypoints + rng.normal(0, 0.03 * sample.area**0.5, (17, 2))
        score = float(rng.uniform(0.3, 1))
        one = np.full((1, 17), score)
        area = np.array([1e-9])  # nobody is similar to anybody: the suppression drops nothing
        poses.append(ImagePoses(sample.image_id, keypoints[None], one, np.ones(1), area))
        triples = np.column_stack([keypoints, np.ones(17)]).ravel().tolist()
        entry = {"image_id": sample.image_id, "category_id": 1, "score": score}
        results.append(entry | {"keypoints": triples})
    ours = evaluate_poses(dataset, poses)
    with contextlib.redirect_stdout(io.StringIO()):
        truth = COCO(str(path))
        plain = COCOeval(truth, truth.loadRes(results), "keypoints")
        plain.evaluate()
        plain.accumulate()
        plain.summarize()
    np.testing.assert_allclose(list(ours.values()), plain.stats, atol=1e-12)
    assert 0.2 < ours["AP"] < 0.99


def test_the_truth_itself_is_perfect_on_real_annotations(data_dir):
    path = data_dir / "coco" / "pose_tune.json"
    dataset = read_keypoints(path, data_dir / "coco" / "images")
    one, ones = np.ones(1), np.ones((1, 17))
    poses = [
        ImagePoses(sample.image_id, sample.keypoints[None], ones, one, 1e-9 * one)
        for sample in dataset.samples
    ]
    figures = evaluate_poses(dataset, poses)
    assert figures["AR"] == pytest.approx(1.0)
    assert len(annotated_boxes(dataset)) == 160
