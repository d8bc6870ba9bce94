"""Optimiser and learning rate of an experiment."""

import math

import torch
from torch import nn
from torch.optim.lr_scheduler import LambdaLR

from hrnet.config import TrainConfig


def make_optimizer(model: nn.Module, config: TrainConfig) -> torch.optim.Optimizer:
    """Adam or AdamW; weight decay acts on convolution weights alone, not on norms and biases."""
    decayed = [p for p in model.parameters() if p.ndim > 1]
    others = [p for p in model.parameters() if p.ndim <= 1]
    groups = [
        {"params": decayed, "weight_decay": config.weight_decay},
        {"params": others, "weight_decay": 0.0},
    ]
    kind = torch.optim.Adam if config.optimizer == "adam" else torch.optim.AdamW
    return kind(groups, lr=config.lr)


def lr_factor(config: TrainConfig, step: int, steps_per_epoch: int) -> float:
    """Factor on `config.lr` at a step, counted from 0 over the whole run.

    Linear warm-up from one thousandth, then a tenth at each milestone (step) or half a cosine.
    """
    warmup = 1.0
    if step < config.warmup_steps:
        warmup = max(1e-3, step / config.warmup_steps)
    if config.schedule == "step":
        epoch = step // steps_per_epoch
        return warmup * 0.1 ** sum(epoch >= milestone for milestone in config.milestones)
    progress = step / (config.epochs * steps_per_epoch)
    return warmup * max(1e-3, 0.5 * (1 + math.cos(math.pi * min(progress, 1.0))))


def make_scheduler(
    optimizer: torch.optim.Optimizer, config: TrainConfig, steps_per_epoch: int
) -> LambdaLR:
    """Follow `lr_factor`; step it after every batch."""
    return LambdaLR(optimizer, lambda step: lr_factor(config, step, steps_per_epoch))
