"""What losses need of the other processes of a training."""

import torch.distributed as dist
from torch import Tensor


def mean_over_ranks(values: Tensor) -> Tensor:
    """Return the mean of a tensor over all processes; the tensor itself where there is one.

    A sum divided by the mean of a count adds up to the mean of all processes' samples, since
    gradients are averaged over the processes.
    """
    if dist.is_available() and dist.is_initialized():
        values = values.clone()
        dist.all_reduce(values)
        values = values / dist.get_world_size()
    return values
