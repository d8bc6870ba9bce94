"""The losses of segmentation against sums by hand; `tests/parity` has the published values."""

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from hrnet.config import override
from hrnet.data.mask_dataset import IGNORED
from hrnet.spec import NetworkSpec
from hrnet.tasks.segmentation.config import SegmentationTrain
from hrnet.tasks.segmentation.network import make_loss
from hrnet.tasks.segmentation.pixel_loss import PixelLoss
from hrnet.tasks.segmentation.spec import SegmentationSpec

from .shapes import NAMES, experiment_of

KINDS = ("cross_entropy", "ohem", "ohem_hrformer")


def loss_of(kind="cross_entropy", align=True, **settings) -> PixelLoss:
    return PixelLoss(SegmentationTrain(loss=kind, **settings), align)


def logits_of(probabilities) -> torch.Tensor:
    """Logits (1, 2, 1, P) of two classes, from the probability of the class 1 of each pixel."""
    p = torch.tensor(probabilities, dtype=torch.float64)
    return torch.stack([(1 - p).log(), p.log()])[None, :, None]


def targets_of(*labels) -> dict[str, torch.Tensor]:
    return {"labels": torch.tensor([[labels]], dtype=torch.int16)}


def logs(*probabilities) -> float:
    return -float(np.log(probabilities).sum())


def test_cross_entropy_is_the_mean_over_labelled_pixels():
    logits, targets = logits_of([0.2, 0.9, 0.5, 0.7]), targets_of(1, 0, IGNORED, 1)
    expected = logs(0.2, 0.1, 0.7)
    assert loss_of()(logits, targets).item() == pytest.approx(expected / 3)
    assert loss_of(divide_by_all=True)(logits, targets).item() == pytest.approx(expected / 4)


def test_weights_of_classes_divide_too():
    logits, targets = logits_of([0.2, 0.9, 0.5, 0.7]), targets_of(1, 0, IGNORED, 1)
    expected = (2 * logs(0.2, 0.7) + 0.5 * logs(0.1)) / (2 + 2 + 0.5)
    assert loss_of(class_weights=(0.5, 2))(logits, targets).item() == pytest.approx(expected)
    # A class without weight does not count.
    expected = logs(0.2, 0.7) / 2
    assert loss_of(class_weights=(0, 3))(logits, targets).item() == pytest.approx(expected)


def test_the_auxiliary_logits_have_their_weight():
    aux, main, targets = logits_of([0.4, 0.6]), logits_of([0.3, 0.8]), targets_of(1, 0)
    expected = (0.25 * logs(0.4, 0.4) + logs(0.3, 0.2)) / 2
    assert loss_of(aux_weight=0.25)((aux, main), targets).item() == pytest.approx(expected)
    # With HRNet's OHEM they are averaged over all pixels, with HRFormer's over the labelled ones.
    targets = targets_of(1, IGNORED)
    for kind, count in (("ohem", 2), ("ohem_hrformer", 1)):
        loss = loss_of(kind, ohem_threshold=0.5, ohem_keep=0, aux_weight=1)
        got = loss((aux, main), targets).item()
        assert got == pytest.approx(logs(0.4) / count + logs(0.3)), kind


@pytest.mark.parametrize("kind", ["ohem", "ohem_hrformer"])
def test_hard_pixels_are_those_below_the_threshold(kind):
    logits, targets = logits_of([0.2, 0.9, 0.6, 0.7]), targets_of(1, 1, 1, 1)
    for threshold, kept in ((0.65, (0.2, 0.6)), (0.2, ()), (0.95, (0.2, 0.9, 0.6, 0.7))):
        loss = loss_of(kind, ohem_threshold=threshold, ohem_keep=0)(logits, targets).item()
        assert loss == pytest.approx(logs(*kept) / max(len(kept), 1))
    # At least so many: p[2] = 0.7 is the limit, strictly.
    loss = loss_of(kind, ohem_threshold=0.1, ohem_keep=2)(logits, targets).item()
    assert loss == pytest.approx(logs(0.2, 0.6) / 2)
    # Of few pixels all but the easiest.
    loss = loss_of(kind, ohem_threshold=0.1, ohem_keep=100)(logits, targets).item()
    assert loss == pytest.approx(logs(0.2, 0.6, 0.7) / 3)


def test_weights_do_not_divide_with_ohem():
    logits, targets = logits_of([0.2, 0.9, 0.6]), targets_of(1, 0, 1)
    loss = loss_of("ohem", class_weights=(0.5, 2), ohem_threshold=0.3, ohem_keep=0)
    expected = (2 * logs(0.2) + 0.5 * logs(0.1)) / 2
    assert loss(logits, targets).item() == pytest.approx(expected)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("settings", [{}, {"class_weights": (1, 2)}, {"divide_by_all": True}])
def test_a_batch_without_labels_has_the_loss_0_and_no_gradient(kind, settings):
    logits = logits_of([0.2, 0.9]).requires_grad_()
    loss = loss_of(kind, **settings)((logits, logits), targets_of(IGNORED, IGNORED))
    assert loss.item() == 0
    loss.backward()
    assert (logits.grad == 0).all()


@pytest.mark.parametrize("kind", KINDS)
def test_ignored_pixels_have_no_gradient(kind):
    logits = logits_of([0.2, 0.3, 0.4]).requires_grad_()
    loss_of(kind)((logits, logits), targets_of(1, IGNORED, 0)).backward()
    assert (logits.grad[0, :, 0, 1] == 0).all()
    assert (logits.grad[0, :, 0, 0] != 0).all()


@pytest.mark.parametrize("align", [True, False])
def test_logits_are_brought_to_the_size_of_the_labels(align):
    torch.manual_seed(0)
    logits = torch.randn(2, 3, 5, 6)
    labels = torch.randint(0, 3, (2, 17, 23), dtype=torch.int16)
    large = F.interpolate(logits, (17, 23), mode="bilinear", align_corners=align)
    expected = F.cross_entropy(large, labels.long())
    loss = loss_of(align=align)(logits, {"labels": labels})
    assert loss.item() == pytest.approx(expected.item(), rel=1e-6)


@pytest.mark.parametrize(("align", "expected"), [(None, True), (True, True), (False, False)])
def test_a_trainings_loss_has_the_networks_corners(tmp_path, align, expected):
    experiment = override(experiment_of(tmp_path), ["train.loss=ohem"])
    spec = SegmentationSpec(
        name="test",
        network=NetworkSpec(
            variant="small_hrnet_w16", task="segmentation", num_outputs=3, align_corners=align
        ),
        input_size=(64, 64),
        class_names=NAMES,
    )
    loss = make_loss(experiment, spec)
    assert loss.align_corners is expected
    assert loss.settings == experiment.train
