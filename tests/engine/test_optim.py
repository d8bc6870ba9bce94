"""Learning rate and optimiser: the published values at every step that matters."""

import pytest
import torch
from torch import nn

from hrnet.config import TrainConfig
from hrnet.engine.optim import lr_factor, make_optimizer, make_scheduler
from hrnet.models import create_model


def test_steps_at_the_milestones():
    config = TrainConfig(epochs=210, milestones=(170, 200))
    expected = {0: 1, 169: 1, 170: 0.1, 199: 0.1, 200: 0.01, 209: 0.01}
    for epoch, factor in expected.items():
        for step in (epoch * 10, epoch * 10 + 9):
            assert lr_factor(config, step, 10) == pytest.approx(factor)


def test_without_milestones_it_is_constant():
    config = TrainConfig(milestones=())
    assert {lr_factor(config, step, 3) for step in range(0, 700, 7)} == {1.0}


def test_warm_up_rises_from_a_thousandth():
    config = TrainConfig(warmup_steps=100, milestones=())
    factors = [lr_factor(config, step, 10) for step in (0, 1, 25, 50, 99, 100, 101)]
    assert factors == pytest.approx([1e-3, 0.01, 0.25, 0.5, 0.99, 1, 1])


def test_half_a_cosine():
    config = TrainConfig(epochs=10, schedule="cosine")
    factors = [lr_factor(config, step, 10) for step in (0, 25, 50, 75, 100, 120)]
    assert factors == pytest.approx([1, 0.853553, 0.5, 0.146447, 1e-3, 1e-3], abs=1e-6)
    every = [lr_factor(config, step, 10) for step in range(101)]
    assert every == sorted(every, reverse=True)


def test_warm_up_multiplies_the_cosine():
    config = TrainConfig(epochs=10, schedule="cosine", warmup_steps=50)
    assert lr_factor(config, 25, 10) == pytest.approx(0.5 * 0.853553, abs=1e-6)


def test_the_scheduler_follows(recwarn):
    config = TrainConfig(epochs=4, milestones=(1, 2), lr=0.5, warmup_steps=2)
    model = nn.Linear(2, 2)
    optimizer = make_optimizer(model, config)
    scheduler = make_scheduler(optimizer, config, steps_per_epoch=3)
    seen = []
    for _ in range(9):
        seen.append(scheduler.get_last_lr()[0])
        assert {group["lr"] for group in optimizer.param_groups} == {seen[-1]}
        optimizer.step()
        scheduler.step()
    expected = [lr_factor(config, step, 3) * 0.5 for step in range(9)]
    assert seen == pytest.approx(expected)
    assert not recwarn


@pytest.mark.parametrize(
    ("name", "kind"), [("adam", torch.optim.Adam), ("adamw", torch.optim.AdamW)]
)
def test_weight_decay_acts_on_convolution_weights_alone(name, kind):
    model = create_model("small_hrnet_w16", num_keypoints=3)
    config = TrainConfig(optimizer=name, lr=0.01, weight_decay=0.1)
    optimizer = make_optimizer(model, config)
    assert type(optimizer) is kind
    group_of = {
        id(parameter): group for group in optimizer.param_groups for parameter in group["params"]
    }
    assert len(group_of) == len(list(model.parameters()))
    assert sum(len(group["params"]) for group in optimizer.param_groups) == len(group_of)
    for module in model.modules():
        for own_name, parameter in module.named_parameters(recurse=False):
            decays = isinstance(module, nn.Conv2d) and own_name == "weight"
            assert group_of[id(parameter)]["weight_decay"] == (0.1 if decays else 0.0)
            assert group_of[id(parameter)]["lr"] == 0.01


def test_decay_shrinks_what_has_no_gradient():
    model = nn.Sequential(nn.Conv2d(1, 1, 1), nn.BatchNorm2d(1))
    optimizer = make_optimizer(model, TrainConfig(optimizer="adamw", lr=0.1, weight_decay=0.5))
    before = [parameter.detach().clone() for parameter in model.parameters()]
    for parameter in model.parameters():
        parameter.grad = torch.zeros_like(parameter)
    optimizer.step()
    weight, *others = model.parameters()
    torch.testing.assert_close(weight.detach(), before[0] * (1 - 0.1 * 0.5))
    for parameter, old in zip(others, before[1:], strict=True):
        assert torch.equal(parameter.detach(), old)
