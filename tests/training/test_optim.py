"""Learning rate and optimiser: the published values at every step that matters."""

import re

import pytest
import torch
from torch import nn
from torch.optim.swa_utils import AveragedModel

from hrnet.errors import InputError
from hrnet.models import create_model
from hrnet.tasks.pose.config import PoseTrain as TrainConfig
from hrnet.training.optim import freeze, lr_factor, make_optimizer, set_lr, set_training
from hrnet.training.run import moving_average


def test_steps_at_the_milestones():
    config = TrainConfig(epochs=210, milestones=(170, 200))
    expected = {0: 1, 169: 1, 170: 0.1, 199: 0.1, 200: 0.01, 209: 0.01}
    for epoch, factor in expected.items():
        for step in (epoch * 10, epoch * 10 + 9):
            assert lr_factor(config, step, steps_per_epoch=10) == pytest.approx(factor)


def test_without_milestones_it_is_constant():
    config = TrainConfig(milestones=())
    assert {lr_factor(config, step, steps_per_epoch=3) for step in range(0, 700, 7)} == {1.0}


def test_warm_up_rises_from_a_thousandth():
    config = TrainConfig(warmup_steps=100, milestones=())
    factors = [lr_factor(config, step, steps_per_epoch=10) for step in (0, 1, 25, 50, 99, 100, 101)]
    assert factors == pytest.approx([0.001, 0.01099, 0.25075, 0.5005, 0.99001, 1, 1])


def test_half_a_cosine():
    config = TrainConfig(epochs=10, schedule="cosine")
    factors = [lr_factor(config, step, steps_per_epoch=10) for step in (0, 25, 50, 75, 100, 120)]
    assert factors == pytest.approx([1, 0.853553, 0.5, 0.146447, 1e-3, 1e-3], abs=1e-6)
    every = [lr_factor(config, step, steps_per_epoch=10) for step in range(101)]
    assert every == sorted(every, reverse=True)


def test_warm_up_multiplies_the_cosine():
    config = TrainConfig(epochs=10, schedule="cosine", warmup_steps=50)
    assert lr_factor(config, 25, steps_per_epoch=10) == pytest.approx(0.5005 * 0.853553, abs=1e-6)


def test_poly_and_constant():
    config = TrainConfig(epochs=10, schedule="poly")
    factors = [lr_factor(config, step, steps_per_epoch=10) for step in (0, 50, 90, 100, 120)]
    assert factors == pytest.approx([1, 0.5**0.9, 0.1**0.9, 1e-3, 1e-3])
    config = TrainConfig(schedule="constant", warmup_steps=4, warmup_factor=0.5)
    assert [lr_factor(config, step, steps_per_epoch=10) for step in (0, 3, 4, 999)] == [
        0.5,
        0.875,
        1,
        1,
    ]


def test_the_floor_of_a_schedule():
    for schedule in ("poly", "cosine"):
        config = TrainConfig(epochs=10, schedule=schedule, schedule_floor=0.1)
        assert lr_factor(config, 99, steps_per_epoch=10) == 0.1
        config = TrainConfig(epochs=10, schedule=schedule, schedule_floor=0)
        assert 0 < lr_factor(config, 99, steps_per_epoch=10) < 0.02
        assert lr_factor(config, 100, steps_per_epoch=10) == 0


def test_a_schedule_may_begin_after_the_warm_up():
    config = TrainConfig(
        epochs=10, schedule="poly", warmup_steps=20, warmup_factor=0.5, schedule_after_warmup=True
    )
    factors = [lr_factor(config, step, steps_per_epoch=10) for step in (0, 10, 20, 60, 100)]
    assert factors == pytest.approx([0.5, 0.75, 1, 0.5**0.9, 1e-3])
    # A run that ends within its warm-up.
    config = config.model_copy(update={"epochs": 1})
    factors = [lr_factor(config, step, steps_per_epoch=10) for step in (0, 9)]
    assert factors == pytest.approx([0.5, 0.725])


def test_a_constant_warm_up_stays_at_its_factor():
    config = TrainConfig(warmup="constant", warmup_steps=4, warmup_factor=0.25, milestones=())
    factors = [lr_factor(config, step, steps_per_epoch=10) for step in (0, 3, 4, 5)]
    assert factors == [0.25, 0.25, 1, 1]


def test_groups_follow_with_their_factors():
    config = TrainConfig(groups=({"pattern": "0.*", "lr_scale": 0.1},), lr=0.5)
    model = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2))
    optimizer = make_optimizer(model, config)
    set_lr(optimizer, 0.2)
    found = {id(p): group["lr"] for group in optimizer.param_groups for p in group["params"]}
    assert [found[id(p)] for p in model.parameters()] == pytest.approx([0.02, 0.02, 0.2, 0.2])


def test_a_group_decays_in_its_own_way():
    groups = ({"pattern": "*.bias", "weight_decay": 0.3}, {"pattern": "1.weight", "lr_scale": 2})
    config = TrainConfig(groups=groups, weight_decay=0.1)
    model = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2))
    optimizer = make_optimizer(model, config)
    found = {
        id(p): group["weight_decay"] for group in optimizer.param_groups for p in group["params"]
    }
    assert [found[id(p)] for p in model.parameters()] == [0.1, 0.3, 0.1, 0.3]


@pytest.mark.parametrize(
    ("optimizer", "after"),
    [
        ("adamw", 2 - 0.1 * 0.5 * 2),  # the decay alone, by the learning rate
        ("sgd", 2 - 0.1 * 0.5 * 2),  # lr times the gradient of the penalty
        ("adam", 2 - 0.1),  # the penalty's gradient, scaled to 1 by Adam
    ],
)
def test_weight_decay_does_what_it_says(optimizer, after):
    """One step without a gradient moves a weight by its decay alone, and a bias not at all."""
    config = TrainConfig(optimizer=optimizer, lr=0.1, weight_decay=0.5, momentum=0)
    model = nn.Linear(1, 1)
    nn.init.constant_(model.weight, 2)
    nn.init.constant_(model.bias, 2)
    stepper = make_optimizer(model, config)
    for parameter in model.parameters():
        parameter.grad = torch.zeros_like(parameter)
    stepper.step()
    assert model.weight.item() == pytest.approx(after)
    assert model.bias.item() == 2


def test_frozen_parts_stay_and_their_norms_keep_their_statistics():
    model = create_model("small_hrnet_w16", num_outputs=2)
    freeze(model, ("backbone.stem.*",))
    set_training(model)
    optimizer = make_optimizer(model, TrainConfig(lr=0.1))
    before = {name: value.clone() for name, value in model.state_dict().items()}
    model(torch.randn(2, 3, 32, 32)).square().mean().backward()
    optimizer.step()
    changed = {name for name, value in model.state_dict().items() if not value.equal(before[name])}
    assert changed
    assert not [name for name in changed if name.startswith("backbone.stem.")]
    assert any("running_mean" in name for name in changed)


def test_all_norms_can_keep_their_statistics():
    model = create_model("small_hrnet_w16", task="classification", num_outputs=2)
    set_training(model, freeze_norms=True)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    model(torch.randn(2, 3, 32, 32)).square().mean().backward()
    make_optimizer(model, TrainConfig(lr=0.1)).step()
    changed = {name for name, value in model.state_dict().items() if not value.equal(before[name])}
    assert any(name.endswith("norm.weight") for name in changed)
    assert not [name for name in changed if "running" in name or "num_batches" in name]


def test_norms_of_all_processes_keep_their_statistics_too():
    shared = nn.SyncBatchNorm(3)
    set_training(shared, freeze_norms=True)
    assert not shared.training


@pytest.mark.parametrize(
    ("patterns", "words"),
    [(("backbone.steem.*",), "no parameter fits 'backbone.steem.*'"), (("*",), "nothing to train")],
)
def test_patterns_that_cannot_be_meant(patterns, words):
    model = create_model("small_hrnet_w16", num_outputs=2)
    with pytest.raises(InputError, match=re.escape(words)):
        freeze(model, patterns)


def test_a_group_that_fits_nothing():
    config = TrainConfig(groups=({"pattern": "neck.*"},))
    with pytest.raises(InputError, match=r"train\.groups: no parameter fits 'neck\.\*'"):
        make_optimizer(nn.Linear(2, 2), config)


@pytest.mark.parametrize(
    ("name", "kind"), [("adam", torch.optim.Adam), ("adamw", torch.optim.AdamW)]
)
def test_weight_decay_acts_on_convolution_weights_alone(name, kind):
    model = create_model("small_hrnet_w16", num_outputs=3)
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


def test_the_average_forgets_the_start_weights_at_first():
    """d = min(ema, (1 + n) / (10 + n)) after n updates; the first update copies the weights."""
    network = torch.nn.Linear(1, 1, bias=False)
    average = AveragedModel(network, multi_avg_fn=moving_average(0.25))
    expected = None
    for n, value in enumerate([1.0, 3.0, 5.0, 4.0, -2.0]):
        torch.nn.init.constant_(network.weight, value)
        average.update_parameters(network)
        decay = min(0.25, (1 + n) / (10 + n))
        expected = value if expected is None else decay * expected + (1 - decay) * value
    assert average.module.weight.item() == pytest.approx(expected)
