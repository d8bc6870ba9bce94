"""The loss, and timm's augmentations: as timm computes them, and from the given generator alone."""

import random
import sys

import numpy as np
import pytest
import torch

from hrnet.errors import InputError
from hrnet.tasks.classification.config import ClassAugmentation
from hrnet.tasks.classification.network import LOSSES, erase, mix, rand_augment

from .conftest import make_spec

POLICY = "rand-m9-mstd0.5-inc1"


def rng(seed: int = 1) -> np.random.Generator:
    return np.random.default_rng(seed)


def picture(seed: int = 0) -> np.ndarray:
    return rng(seed).integers(0, 256, (64, 64, 3)).astype(np.uint8)


def states() -> tuple[object, ...]:
    """All global generators, as values that can be compared."""
    numpy_state = np.random.get_state()[1].tobytes()
    return random.getstate(), numpy_state, torch.random.get_rng_state().numpy().tobytes()


def test_the_loss_is_the_cross_entropy_of_soft_targets():
    logits = torch.tensor([[1.0, 2.0, 0.5], [0.0, -1.0, 3.0]], dtype=torch.float64)
    targets = torch.tensor([[0.2, 0.8, 0.0], [0.1, 0.1, 0.8]], dtype=torch.float64)
    loss = LOSSES["cross_entropy"](logits, {"classes": targets})
    probabilities = logits.exp() / logits.exp().sum(dim=1, keepdim=True)
    expected = -(targets * probabilities.log()).sum(dim=1).mean()
    assert loss.item() == pytest.approx(expected.item(), rel=1e-12)


AUGMENTATIONS = {
    "randaugment": lambda rng: rand_augment(picture(), POLICY, make_spec(), rng),
    "erasing": lambda rng: erase(picture(), 1.0, make_spec(), rng),
    "mixup": lambda rng: mixed(rng, mixup=0.8)[0],
    "cutmix": lambda rng: mixed(rng, cutmix=1.0)[0],
}


def mixed(rng, count: int = 4, smoothing: float = 0.1, **fields: float):
    crops = np.stack([picture(seed) for seed in range(count)])
    return mix(
        crops,
        np.arange(count) % 3,
        3,
        augmentation=ClassAugmentation(**fields),
        smoothing=smoothing,
        rng=rng,
    )


@pytest.mark.parametrize("name", AUGMENTATIONS)
def test_it_follows_the_given_generator_and_leaves_the_others(timm, name):
    augment = AUGMENTATIONS[name]
    before = states()
    first = augment(rng())
    assert states() == before
    torch.manual_seed(9)
    random.seed(9)
    np.random.seed(9)
    np.testing.assert_array_equal(augment(rng()), first)
    others = [augment(rng(seed)) for seed in range(2, 8)]
    assert any((other != first).any() for other in others)
    assert first.dtype == np.uint8
    assert first.shape[-3:] == (64, 64, 3)


def test_erasing_leaves_all_other_pixels_as_they_were(timm):
    image = picture()
    erased = erase(image, 1.0, make_spec(), rng())
    rows, columns = np.nonzero((erased != image).any(axis=2))
    top, bottom, left, right = rows.min(), rows.max(), columns.min(), columns.max()
    assert 0.02 * 0.8 < (bottom - top + 1) * (right - left + 1) / 64**2 < 0.4
    assert (
        erased[top : bottom + 1, left : right + 1] != image[top : bottom + 1, left : right + 1]
    ).mean() > 0.9


def test_erasing_happens_with_its_probability(timm):
    image, generator = picture(), rng()
    changed = [(erase(image, 0.25, make_spec(), generator) != image).any() for _ in range(400)]
    assert 0.18 < np.mean(changed) < 0.32


def test_the_noise_of_erasing_has_the_spread_of_normalised_pixels(timm):
    grey = np.full((64, 64, 3), 124, np.uint8)
    spec = make_spec(mean=(0.5, 0.5, 0.5), std=(0.1, 0.1, 0.1))
    erased = erase(grey, 1.0, spec, rng()).astype(float)
    noise = erased[(erased != 124).any(axis=2)]
    assert abs(noise.mean() - 127.5) < 3
    assert abs(noise.std() - 25.5) < 2


@pytest.mark.parametrize("count", [1, 3, 4])
def test_mixup_blends_each_crop_with_the_one_at_the_mirrored_place(timm, count):
    crops, targets = mixed(rng(), count, smoothing=0.0, mixup=0.8)
    given = np.stack([picture(seed) for seed in range(count)]).astype(float)
    partners = given[::-1] if count % 2 == 0 else given[[0, *range(count - 1, 0, -1)]]
    classes = np.eye(3)[np.arange(count) % 3]
    others = classes[::-1] if count % 2 == 0 else classes[[0, *range(count - 1, 0, -1)]]
    # x = s a + (1 - s) b: the share s by least squares, the same for pixels and targets.
    away = (given - partners).ravel()
    share = (crops - partners).ravel() @ away / max(away @ away, 1)
    assert count == 1 or 0 < share < 1
    assert np.abs(share * given + (1 - share) * partners - crops).max() < 0.6
    np.testing.assert_allclose(targets, share * classes + (1 - share) * others, atol=2e-3)
    assert targets.dtype == np.float32


def test_the_share_of_cutmix_is_the_area_that_stays(timm):
    crops, targets = mixed(rng(3), 2, smoothing=0.0, cutmix=1.0)
    kept = (crops[0] == picture(0)).all(axis=2)
    pasted = (crops[0] == picture(1)).all(axis=2)
    assert (kept | pasted).all()
    assert targets[0, 0] == pytest.approx(kept.mean(), abs=1e-3)
    assert targets[0, 1] == pytest.approx(1 - kept.mean(), abs=1e-3)


def test_smoothing_is_inside_the_mixed_targets(timm):
    _, targets = mixed(rng(), 2, smoothing=0.3, mixup=0.8)
    assert targets.min() == pytest.approx(0.1)
    np.testing.assert_allclose(targets.sum(axis=1), 1, rtol=1e-6)


def test_mixing_happens_with_its_probability(timm):
    generator = rng()
    changed = [
        (mixed(generator, 2, mixup=0.8, mix_probability=0.3)[0][0] != picture(0)).any()
        for _ in range(200)
    ]
    assert 0.2 < np.mean(changed) < 0.4


def test_an_unknown_policy_is_one_line(timm):
    with pytest.raises(InputError, match=r"such as rand-m9-mstd0\.5-inc1, got 'rand-q7'"):
        rand_augment(picture(), "rand-q7", make_spec(), rng())


def test_a_missing_timm_is_one_line(monkeypatch):
    for name in [name for name in sys.modules if name.partition(".")[0] == "timm"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "timm", None)
    with pytest.raises(InputError, match=r"not installed: pip install 'hrnet\[timm\]'"):
        erase(picture(), 1.0, make_spec(), rng())
