"""The presence of keypoints: from the network's second output to results, drawings and metrics."""

import json

import numpy as np
import pytest
import torch

from hrnet.errors import InputError
from hrnet.models import create_model
from hrnet.predict import infer
from hrnet.skeleton import Skeleton
from hrnet.spec import NetworkSpec
from hrnet.tasks import Crop
from hrnet.tasks.pose.network import LOSSES, mse, predictor, presence_loss
from hrnet.tasks.pose.result import Poses
from hrnet.tasks.pose.spec import PoseSpec
from hrnet.tasks.pose.task import PosePage, PoseTask

SIDES = Skeleton(("left_hand", "right_hand", "head"), edges=((0, 2),), flip_pairs=((0, 1),))
SPEC = PoseSpec(
    network=NetworkSpec(variant="small_hrnet_w16", task="pose", num_outputs=3, presence=True),
    name="n",
    input_size=(64, 96),
    codec="udp",
    skeleton=SIDES,
)
SMALL = ("small_hrnet_w16", "litehrnet_18", "hrformer_tiny")


def poses(**changes) -> Poses:
    values = {
        "keypoints": np.array([[[20, 20], [40, 20], [60, 40]]]),
        "keypoint_scores": np.full((1, 3), 0.9),
        "boxes": np.array([[10, 10, 70, 50]]),
        "scores": np.array([0.9]),
        "presence": np.array([[0.8, 0.25, 0.5]]),
    }
    return Poses(**{**values, "skeleton": SIDES, "image_size": (60, 80), **changes})


@pytest.mark.parametrize("variant", SMALL)
@pytest.mark.parametrize("head", [None, "v2"])
def test_every_family_gives_heatmaps_and_logits(variant, head):
    options = {"presence": True, "head": head}
    torch.manual_seed(0)
    with_it = create_model(variant, num_outputs=4, options=options).eval()
    without = create_model(variant, num_outputs=4, options={"head": head}).eval()
    there = with_it.state_dict()
    without.load_state_dict({k: v for k, v in there.items() if not k.startswith("presence.")})
    images = torch.randn(2, 3, 64, 96)
    with torch.no_grad():
        heatmaps, logits = with_it(images)
        assert torch.equal(heatmaps, without(images))
    assert heatmaps.shape == (2, 4, 16, 24)
    assert logits.shape == (2, 4)


def test_only_pose_networks_have_it():
    with pytest.raises(InputError, match="classification has no presence; leave"):
        create_model("small_hrnet_w16", task="classification", options={"presence": True})


@pytest.mark.parametrize("activation", ["none", "softmax"])
def test_a_model_predicts_chances(activation):
    spec = SPEC.model_copy(update={"activation": activation})
    torch.manual_seed(0)
    network = create_model("small_hrnet_w16", num_outputs=3, options={"presence": True}).eval()
    images = torch.randn(2, 3, 64, 96)
    with torch.no_grad():
        heatmaps, chances = predictor(network, spec)(images)
        raw, logits = network(images)
    assert torch.equal(chances, torch.sigmoid(logits))
    assert torch.equal(heatmaps, raw) == (activation == "none")
    assert spec.output_names == ("heatmaps", "presence")


def test_chances_reach_the_result_in_the_order_of_the_boxes():
    page = PosePage(np.zeros((60, 80, 3), np.uint8), [[0, 0, 40, 40], [20, 20, 30, 30]], SPEC)
    crops = list(page.crops())
    heatmaps = np.zeros((2, 3, 16, 24), np.float32)
    heatmaps[..., 8, 8] = 1
    chances = np.array([[0.1, 0.2, 0.3], [0.4, 0.5, 0.6]], np.float32)
    for part in PoseTask(SPEC).postprocess((heatmaps, chances), crops):
        page.add(part)
    result = page.result()
    np.testing.assert_array_equal(result.presence, chances)
    np.testing.assert_array_equal(result[1].presence, chances[1])
    np.testing.assert_array_equal(result[[False, True]].presence, chances[1:])
    np.testing.assert_allclose(result.scores, 1)  # they follow the heatmaps alone


def test_no_boxes_have_no_chances():
    page = PosePage(np.zeros((60, 80, 3), np.uint8), np.zeros((0, 4)), SPEC)
    assert page.result().presence.shape == (0, 3)


def test_the_flip_test_averages_chances_of_left_and_right():
    heatmaps = np.zeros((1, 3, 16, 24), np.float32)

    def engine(images):
        mirrored = images[0, 0, 0, 0] == 1
        chances = [[0.7, 0.1, 0.5]] if mirrored else [[0.3, 0.9, 0.1]]
        return heatmaps, np.array(chances, np.float32)

    images = np.zeros((1, 3, 64, 96), np.float32)
    images[..., -1] = 1
    _, chances = infer(engine, PoseTask(SPEC), images, flip_test=True)
    np.testing.assert_allclose(chances, [[0.2, 0.8, 0.3]], rtol=1e-6)


@pytest.mark.parametrize(
    "outputs",
    [
        (np.zeros((1, 3, 16, 24), np.float32),),
        (np.zeros((1, 3, 16, 24), np.float32), np.zeros((1, 4), np.float32)),
        (np.zeros((1, 3, 16, 24), np.float32), np.full((1, 3), np.nan, np.float32)),
    ],
)
def test_other_outputs_are_refused(outputs):
    crop = Crop(None, np.zeros((64, 96, 3), np.uint8), np.eye(2, 3))
    with pytest.raises(InputError, match="export it again"):
        list(PoseTask(SPEC).postprocess(outputs, [crop]))


def test_points_that_are_not_there_are_not_drawn():
    blank = np.zeros((60, 80, 3), np.uint8)
    drawn = poses().draw(blank)
    assert drawn[20, 20].any()  # left hand, chance 0.8
    assert not drawn[20, 40].any()  # right hand, chance 0.25
    assert drawn[40, 60].any()  # head, just at the limit
    assert poses().draw(blank, min_presence=0.2)[20, 40].any()
    assert not poses().draw(blank, min_presence=0.6)[40, 60].any()
    assert poses(presence=None).draw(blank)[20, 40].any()


def test_files_hold_the_chances_where_there_are_some():
    (entry,) = json.loads(poses().to_json())
    assert entry["keypoint_presence"] == [0.8, 0.25, 0.5]
    lines = poses().to_csv().splitlines()
    assert lines[0].endswith("keypoint_score,presence")
    assert lines[2].endswith("right_hand,40.000,20.000,0.90000,0.25000")
    (entry,) = json.loads(poses(presence=None).to_json())
    assert "keypoint_presence" not in entry
    assert poses(presence=None).to_csv().splitlines()[0].endswith("keypoint_score")


def test_the_table_holds_them():
    (table,) = poses().tables(80)
    assert list(table.columns[1].cells)[1] == "40.0, 20.0  0.90  0.25"
    (table,) = poses(presence=None).tables(80)
    assert list(table.columns[1].cells)[1] == "40.0, 20.0  0.90"


def test_wrong_chances_are_refused():
    with pytest.raises(InputError, match=r"presence of shape \(1, 3\), got \(1, 2\)"):
        poses(presence=np.zeros((1, 2)))


def test_the_loss_adds_the_cross_entropy_of_all_points():
    targets = {
        "heatmaps": torch.zeros(1, 2, 4, 4),
        "weights": torch.tensor([[1.0, 0.0]]),
        "present": torch.tensor([[1.0, 0.0]]),
        "presence_weights": torch.full((1, 2), 0.5),
    }
    heatmaps, logits = torch.ones(1, 2, 4, 4), torch.tensor([[0.0, 1.0]])
    expected = 0.5 * (np.log(2) + np.log(1 + np.e)) / 2
    assert presence_loss(logits, targets).item() == pytest.approx(expected)
    total = LOSSES["mse"]((heatmaps, logits), targets)
    assert total.item() == pytest.approx(mse(heatmaps, targets).item() + expected)
    assert LOSSES["mse"](heatmaps, targets) == mse(heatmaps, targets)
