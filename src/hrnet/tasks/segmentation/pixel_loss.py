"""The losses of segmentation: cross-entropy of all pixels, or of the hardest ones (OHEM).

Logits are brought to the size of the labels first, bilinearly, with the corners aligned as in the
network. Of two outputs the first is auxiliary, with a weight of its own. Sources: Yuan et al. 2020,
criterion of HRNet-Semantic-Segmentation, FSAuxOhemCELoss of HRFormer, CrossEntropyLoss of
mmsegmentation. OHEM: Shrivastava et al. 2016.

A batch without any label has the loss 0; the official code stops there or computes NaN. Sums of
several processes are divided by the pixels of all of them together, those of the official code by
the pixels of each.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from hrnet.config import Experiment
from hrnet.data.mask_dataset import IGNORED
from hrnet.ranks import mean_over_ranks
from hrnet.spec import ModelSpec
from hrnet.tasks.segmentation.config import SegmentationExperiment, SegmentationTrain
from hrnet.tasks.segmentation.spec import SegmentationSpec
from hrnet.tasks.segmentation.views import upsampling


@dataclass(frozen=True, slots=True, eq=False)
class PixelLoss:
    """The loss of a training: outputs and `labels` (N, H, W) to one number.

    align_corners: of the up-sampling. settings: loss, ohem_*, aux_weight, divide_by_all and
    class_weights count.
    """

    settings: SegmentationTrain
    align_corners: bool

    def __call__(
        self, outputs: Tensor | tuple[Tensor, ...], targets: Mapping[str, Tensor]
    ) -> Tensor:
        """Return main loss + aux_weight * loss of the auxiliary logits, where there are any."""
        labels = targets["labels"].long()
        logits = (outputs,) if isinstance(outputs, Tensor) else outputs
        loss = self._main(self._pixels(logits[-1], labels))
        for aux in logits[:-1]:
            loss = loss + self.settings.aux_weight * self._aux(self._pixels(aux, labels))
        return loss

    def _pixels(self, logits: Tensor, labels: Tensor) -> "Pixels":
        """Compute the loss of each pixel."""
        large = logits
        if logits.shape[-2:] != labels.shape[-2:]:
            size = (labels.shape[-2], labels.shape[-1])
            large = F.interpolate(logits, size, mode="bilinear", align_corners=self.align_corners)
        # -log p of the true class, of class 0 where it is to be ignored, with a weight of 0 there
        classes = labels.clamp(min=0)
        losses = F.cross_entropy(large, classes, reduction="none").flatten()
        counted = (labels != IGNORED).flatten()
        weights = counted.to(losses)
        if self.settings.class_weights:
            weights = losses.new_tensor(self.settings.class_weights)[classes.flatten()] * weights
        return Pixels(losses, weights, counted)

    def _main(self, pixels: "Pixels") -> Tensor:
        config = self.settings
        match config.loss:
            case "cross_entropy":
                return pixels.mean(over_all=config.divide_by_all)
            case "ohem":
                hard = pixels.hard(config.ohem_threshold, config.ohem_keep, pixels.counted)
            case "ohem_hrformer":
                # The first pixel is always looked at, so that the published code finds one.
                seen = pixels.counted.clone()
                seen[0] = True
                hard = pixels.hard(config.ohem_threshold, config.ohem_keep, seen)
        # Weighted losses, divided by their number and not by their weights.
        total = (pixels.losses * pixels.weights)[hard].sum()
        return total / mean_over_ranks(hard.sum().to(total)).clamp(min=1)

    def _aux(self, pixels: "Pixels") -> Tensor:
        """Return the mean over the labelled pixels; over all of them with HRNet's OHEM."""
        over_all = self.settings.loss == "ohem" or self.settings.divide_by_all
        return pixels.mean(over_all=over_all)


@dataclass(frozen=True, slots=True, eq=False)
class Pixels:
    """The losses (P,) of all pixels of a batch.

    weights: (P,), of their classes, 0 where they are to be ignored. counted: (P,), True elsewhere.
    """

    losses: Tensor
    weights: Tensor
    counted: Tensor

    def mean(self, *, over_all: bool) -> Tensor:
        """Return the sum of the weighted losses, divided by all pixels or by the weights."""
        total = (self.losses * self.weights).sum()
        if over_all:
            return total / len(self.losses)
        whole = mean_over_ranks(self.weights.sum())
        return total / torch.where(whole > 0, whole, 1)

    def hard(self, threshold: float, keep: int, seen: Tensor) -> Tensor:
        """Find the pixels (P,) of `seen` whose true class has a probability below t.

        t = max(threshold, p[keep]), with p sorted from the lowest: about `keep` pixels at least.
        """
        found = (-self.losses.detach()[seen]).exp()
        if not len(found):
            return seen
        least = found.kthvalue(min(keep, len(found) - 1) + 1).values
        limit = least.clamp(min=threshold)
        hard = seen.clone()
        hard[seen] = found < limit
        return hard


def make_loss(experiment: Experiment, spec: ModelSpec) -> PixelLoss:
    """Return the loss of a training."""
    assert isinstance(experiment, SegmentationExperiment)
    assert isinstance(spec, SegmentationSpec)
    return PixelLoss(experiment.train, upsampling(spec) == "aligned")
