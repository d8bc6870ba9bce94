"""The part of pose that needs torch: its losses, and the network as it predicts."""

from torch import nn

from hrnet.losses import LOSSES
from hrnet.models.heads.heatmap import SpatialSoftmax
from hrnet.spec import ModelSpec
from hrnet.tasks.pose.spec import PoseSpec

__all__ = ["LOSSES", "predictor"]


def predictor(network: nn.Module, spec: ModelSpec) -> nn.Module:
    """Return the network with heatmaps of Gaussians of height 1, whatever it was trained by."""
    assert isinstance(spec, PoseSpec)
    if spec.activation == "none":
        return network
    return nn.Sequential(network, SpatialSoftmax(spec.sigma))
