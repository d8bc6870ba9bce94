"""Optimizer and learning rate, from the settings and the step alone."""

import math
from fnmatch import fnmatchcase

import torch
from torch import nn

from hrnet.config import TrainConfig
from hrnet.errors import InputError


def freeze(network: nn.Module, patterns: tuple[str, ...]) -> None:
    """Exclude the parameters of matching names from the training.

    Raises InputError for a pattern that fits no parameter, and where nothing is left to train.
    """
    names = [name for name, _ in network.named_parameters()]
    for pattern in patterns:
        _expect_fit(pattern, names, "train.freeze")
    for name, parameter in network.named_parameters():
        if any(fnmatchcase(name, pattern) for pattern in patterns):
            parameter.requires_grad_(False)
    if not any(parameter.requires_grad for parameter in network.parameters()):
        raise InputError(f"train.freeze={list(patterns)} leaves nothing to train; freeze less")


def set_training(network: nn.Module, *, freeze_norms: bool = False) -> None:
    """Switch to training mode, except norms that keep their statistics.

    These are those whose parameters are frozen, and with `freeze_norms` all batch norms.
    """
    network.train()
    for module in network.modules():
        if isinstance(module, nn.modules.batchnorm._BatchNorm):
            own = list(module.parameters(recurse=False))
            if freeze_norms or (own and not any(p.requires_grad for p in own)):
                module.eval()


def make_optimizer(network: nn.Module, config: TrainConfig) -> torch.optim.Optimizer:
    """Return the optimizer, with each trained parameter in exactly one of its groups.

    A group has `lr_scale`, its factor on the learning rate, which `set_lr` reads.
    Raises InputError for a pattern of `config.groups` that fits no parameter.
    """
    trained = {name: p for name, p in network.named_parameters() if p.requires_grad}
    for group in config.groups:
        _expect_fit(group.pattern, list(trained), "train.groups")
    # One group for each pair of learning rate factor and weight decay.
    members: dict[tuple[float, float], list[nn.Parameter]] = {}
    for name, parameter in trained.items():
        members.setdefault(_treatment(name, parameter, config), []).append(parameter)
    groups = [
        {"params": parameters, "lr_scale": scale, "weight_decay": decay}
        for (scale, decay), parameters in members.items()
    ]
    match config.optimizer:
        case "adam":
            return torch.optim.Adam(groups, lr=config.lr)
        case "adamw":
            return torch.optim.AdamW(groups, lr=config.lr)
        case "sgd":
            momentum, nesterov = config.momentum, config.nesterov
            return torch.optim.SGD(groups, lr=config.lr, momentum=momentum, nesterov=nesterov)


def _treatment(name: str, parameter: nn.Parameter, config: TrainConfig) -> tuple[float, float]:
    """Return the learning rate factor and the weight decay of one parameter."""
    # Vectors (norms, biases) and tables of position biases have no weight decay.
    usual = config.weight_decay if parameter.ndim > 1 and "relative_position" not in name else 0.0
    for group in config.groups:
        if fnmatchcase(name, group.pattern):
            decay = usual if group.weight_decay is None else group.weight_decay
            return group.lr_scale, decay
    return 1.0, usual


def _expect_fit(pattern: str, names: list[str], setting: str) -> None:
    if not any(fnmatchcase(name, pattern) for name in names):
        raise InputError(
            f"{setting}: no parameter fits {pattern!r}; names are such as {names[0]} and "
            f"{names[-1]}"
        )


def set_lr(optimizer: torch.optim.Optimizer, lr: float) -> None:
    """Give each group the learning rate times its own factor."""
    for group in optimizer.param_groups:
        group["lr"] = lr * group["lr_scale"]


def lr_at(config: TrainConfig, step: int, *, steps_per_epoch: int) -> float:
    """Return the learning rate of a step, counted from 0 over the whole run."""
    return config.lr * lr_factor(config, step, steps_per_epoch=steps_per_epoch)


def lr_factor(config: TrainConfig, step: int, *, steps_per_epoch: int) -> float:
    """Return the factor on `config.lr` at a step: warm-up times the schedule."""
    # warmup = warmup_factor + (1 - warmup_factor) * step / warmup_steps
    warmup = 1.0
    if step < config.warmup_steps:
        rise = step / config.warmup_steps if config.warmup == "linear" else 0.0
        warmup = config.warmup_factor + (1 - config.warmup_factor) * rise
    # cosine: (1 + cos(pi * done)) / 2; poly: (1 - done)^0.9
    begin = config.warmup_steps if config.schedule_after_warmup else 0
    steps = max(config.epochs * steps_per_epoch - begin, 1)
    done = min(max(step - begin, 0) / steps, 1.0)
    match config.schedule:
        case "step":
            epoch = step // steps_per_epoch
            factor = 0.1 ** sum(epoch >= milestone for milestone in config.milestones)
        case "cosine":
            factor = max(config.schedule_floor, 0.5 * (1 + math.cos(math.pi * done)))
        case "poly":
            factor = max(config.schedule_floor, (1 - done) ** 0.9)
        case "constant":
            factor = 1.0
    return warmup * factor
