"""Losses: loops written here, and what must not change them."""

import numpy as np
import pytest
import torch

from hrnet.codecs.heatmap import HeatmapCodec
from hrnet.tasks.pose import network
from hrnet.tasks.pose.network import LOSSES, target_maps


def _by_tensors(name: str):
    """A loss as a function of heatmaps, targets and weights."""

    def loss(heatmaps, target, weight):
        return getattr(network, name)(heatmaps, {"heatmaps": target, "weights": weight})

    return loss


mse, ohkm, cross_entropy = map(_by_tensors, ("mse", "ohkm", "cross_entropy"))
every_loss = pytest.mark.parametrize("name", ["mse", "ohkm", "cross_entropy"])
"""Those of one map a keypoint; the one with a background is below."""


def maps(seed: int, count: int = 3, points: int = 5) -> tuple[torch.Tensor, torch.Tensor]:
    """Predictions and targets (N, K, 4, 3)."""
    draw = torch.Generator().manual_seed(seed)
    shape = (count, points, 4, 3)
    return torch.randn(shape, generator=draw), torch.rand(shape, generator=draw)


@pytest.mark.parametrize("points", [1, 5, 17, 21])
def test_mse_by_loop(points):
    prediction, target = maps(0, points=points)
    weight = torch.arange(3 * points).reshape(3, points) % 3
    each = [
        0.5 * np.mean((float(weight[n, k]) * (prediction - target)[n, k].numpy()) ** 2)
        for n in range(3)
        for k in range(points)
    ]
    assert mse(prediction, target, weight).item() == pytest.approx(np.mean(each), rel=1e-5)


@pytest.mark.parametrize("points", [1, 5, 17, 21])
def test_ohkm_by_loop(points):
    """Of fewer keypoints than `top`, all count."""
    prediction, target = maps(1, points=points)
    errors = 0.5 * ((prediction - target) ** 2).mean(dim=(2, 3)).numpy()
    hardest = np.sort(errors, axis=1)[:, ::-1][:, :8]
    loss = ohkm(prediction, target, torch.ones(3, points))
    assert loss.item() == pytest.approx(hardest.mean(), rel=1e-5)


def test_ohkm_of_all_keypoints_is_mse():
    prediction, target = maps(2)
    weight = torch.tensor([[1.0, 0, 1, 1, 1]] * 3)
    torch.testing.assert_close(ohkm(prediction, target, weight), mse(prediction, target, weight))


def test_cross_entropy_by_loop():
    prediction, target = maps(3)
    weight = torch.tensor([[1.0, 0, 1, 1, 0]] * 3)
    each = []
    for n, k in zip(*np.nonzero(weight.numpy()), strict=True):
        logits, goal = prediction[n, k].double().numpy(), target[n, k].double().numpy()
        chance = np.exp(logits) / np.exp(logits).sum()
        each.append(-(goal / goal.sum() * np.log(chance)).sum())
    loss = cross_entropy(prediction, target, weight)
    assert loss.item() == pytest.approx(np.sum(each) / weight.numel(), rel=1e-5)


def test_cross_entropy_ignores_a_constant_and_is_least_at_the_target():
    prediction, target = maps(4)
    weight = torch.ones(3, 5)
    shifted = cross_entropy(prediction + 7, target, weight)
    torch.testing.assert_close(shifted, cross_entropy(prediction, target, weight))
    assert cross_entropy(target.log(), target, weight) < cross_entropy(prediction, target, weight)


@every_loss
def test_keypoints_without_weight_pull_at_nothing(name):
    prediction, target = maps(5)
    prediction.requires_grad_()
    weight = torch.ones(3, 5)
    weight[:, 2] = 0
    _by_tensors(name)(prediction, target, weight).backward()
    assert not prediction.grad[:, 2].any()
    assert prediction.grad[:, 1].any()


@every_loss
@pytest.mark.parametrize("filled", [True, False])
def test_without_any_label_the_loss_is_zero_and_so_its_gradient(name, filled):
    prediction, target = maps(6)
    prediction.requires_grad_()
    loss = _by_tensors(name)(prediction, target * filled, torch.zeros(3, 5))
    loss.backward()
    assert loss.item() == 0
    assert not prediction.grad.any()


@every_loss
def test_a_right_prediction_is_better_than_a_wrong_one(name):
    target = torch.zeros(1, 1, 4, 3)
    target[0, 0, 1, 1] = 1
    right, wrong = target * 5 if name == "cross_entropy" else target, torch.flip(target, [2])
    weight = torch.ones(1, 1)
    loss = _by_tensors(name)
    assert loss(right, target, weight) < loss(wrong, target, weight)


def profiles(seed: int, count: int = 3, points: int = 5) -> dict[str, torch.Tensor]:
    """Targets as they come from the loader, of maps (4, 3)."""
    draw = torch.Generator().manual_seed(seed)
    return {
        "rows": torch.rand((count, points, 4), generator=draw),
        "columns": torch.rand((count, points, 3), generator=draw),
        "weights": torch.tensor([[1.0, 0, 1, 0.7, 1]] * 3),
    }


@every_loss
def test_profiles_are_the_heatmaps_that_they_make(name):
    prediction, _ = maps(7)
    targets = profiles(7)
    drawn = {"heatmaps": target_maps(targets), "weights": targets["weights"]}
    assert drawn["heatmaps"].shape == prediction.shape
    gradients = []
    for some in (targets, drawn):
        heatmaps = prediction.clone().requires_grad_()
        loss = LOSSES[name](heatmaps, some)
        loss.backward()
        gradients.append((loss.detach(), heatmaps.grad))
    torch.testing.assert_close(gradients[0], gradients[1])


@pytest.mark.parametrize("name", ["mse", "ohkm"])
def test_keypoints_in_parts_give_the_same_loss(name, monkeypatch):
    prediction, _ = maps(8)
    found = []
    for largest in (1 << 23, 2 * 3 * 12):  # all at once, and two keypoints at a time
        monkeypatch.setattr(network, "LARGEST_PART", largest)
        heatmaps = prediction.clone().requires_grad_()
        loss = LOSSES[name](heatmaps, profiles(8))
        loss.backward()
        found.append((loss.detach(), heatmaps.grad))
    torch.testing.assert_close(found[0], found[1])


def drawn(targets) -> tuple[torch.Tensor, torch.Tensor]:
    """Target heatmaps and weights."""
    return target_maps(targets), targets["weights"]


def test_both_parts_of_map_cross_entropy_are_least_for_the_target():
    """Maps of one Gaussian each, far apart: the logits that give them have no gradient."""
    codec = HeatmapCodec("exact", (64, 64), (64, 64), 2)
    rows, columns, weights = codec.encode_profiles([[[16, 16], [48, 48]]], [[1, 1]])
    targets = {
        name: torch.from_numpy(values)
        for name, values in (("rows", rows), ("columns", columns), ("weights", weights))
    }
    goals = target_maps(targets)
    shares = torch.cat([goals, (1 - goals.amax(dim=1, keepdim=True)).clamp(min=0)], dim=1)
    logits = (shares / shares.sum(dim=1, keepdim=True)).clamp(min=1e-12).log().requires_grad_()
    network.map_cross_entropy(logits, targets).backward()
    assert logits.grad.abs().max() < 1e-4


def test_map_cross_entropy_by_loop():
    targets = profiles(9)
    goals = (target_maps(targets) * targets["weights"][..., None, None]).numpy()
    logits = torch.randn((3, 6, 4, 3), generator=torch.Generator().manual_seed(9))
    chances = torch.softmax(logits, dim=1).numpy()
    total, scale = 0.0, 15 * 8 * np.pi  # keypoints, and the pixels of one
    for n, y, x in np.ndindex(3, 4, 3):
        goal = [*goals[n, :, y, x], 1 - max(goals[n, :, y, x])]
        total -= np.dot(goal, np.log(chances[n, :, y, x])) / sum(goal)
    where = cross_entropy(torch.log_softmax(logits, dim=1)[:, :-1], *drawn(targets)).item()
    found = network.map_cross_entropy(logits, targets).item()
    assert found == pytest.approx(total / scale + where, rel=1e-5)


def test_map_cross_entropy_pushes_what_is_not_labelled_down():
    targets = profiles(10)
    targets["weights"][:, 1] = 0
    logits = torch.zeros(3, 6, 4, 3, requires_grad=True)
    network.map_cross_entropy(logits, targets).backward()
    assert (logits.grad[:, 1].sum(dim=(1, 2)) > 0).all()  # less everywhere is better
