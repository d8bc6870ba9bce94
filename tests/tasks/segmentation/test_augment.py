"""Training inputs of segmentation: sizes, places, mirroring and filling of each convention."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hrnet.data.mask_dataset import IGNORED, MaskCodes, MaskSample
from hrnet.errors import InputError
from hrnet.spec import NetworkSpec
from hrnet.tasks.segmentation.augment import (
    Window,
    arrange,
    cut_window,
    drawn_size,
    first_resize,
    mask_batch,
    mirror,
)
from hrnet.tasks.segmentation.config import MaskAugmentation
from hrnet.tasks.segmentation.spec import SegmentationSpec

SAMPLE = MaskSample(Path("a.png"), Path("masks/a.png"), "a.png", MaskCodes({}))
CONVENTIONS = ("plain", "hrnet", "hrformer", "mmsegmentation")
STILL = MaskAugmentation(scale=(1, 1), flip=0)


def spec_of(conventions="plain", **fields) -> SegmentationSpec:
    return SegmentationSpec(
        name="test",
        network=NetworkSpec(variant="small_hrnet_w16", task="segmentation", num_outputs=4),
        input_size=(32, 64),
        class_names=("a", "b", "left", "right"),
        conventions=conventions,
        **fields,
    )


def labelled(height=40, width=56, seed=0):
    """A picture whose red channel is 50 times the class of the pixel."""
    rng = np.random.default_rng(seed)
    labels = np.repeat(np.repeat(rng.integers(0, 4, (5, 7)), height // 5, 0), width // 7, 1)
    pixels = rng.integers(0, 256, (height, width, 3)).astype(np.uint8)
    pixels[..., 0] = 50 * labels
    return pixels, labels.astype(np.int16)


def batch_of(spec, augmentation, one=None, seed=0, count=1):
    pixels, labels = one or labelled()
    rngs = [np.random.default_rng([seed, index]) for index in range(count)]
    inputs, targets = mask_batch(
        [SAMPLE] * count,
        [pixels] * count,
        [labels] * count,
        rngs,
        spec=spec,
        augmentation=augmentation,
    )
    return inputs, targets["labels"]


@given(
    st.sampled_from(CONVENTIONS),
    st.integers(1, 90),
    st.integers(1, 90),
    st.floats(0.1, 3),
    st.integers(0, 99),
    st.booleans(),
)
def test_every_input_has_the_size_and_only_known_labels(how, height, width, scale, seed, short):
    rng = np.random.default_rng(seed)
    one = (
        rng.integers(0, 256, (height, width, 3)).astype(np.uint8),
        rng.integers(-1, 4, (height, width)).astype(np.int16),
    )
    augmentation = MaskAugmentation(
        crop=(33, 47), scale=(scale, scale), aspect=(0.8, 1.2), most_of_one=0.75, brightness=10
    )
    spec = spec_of(how, short_side=30 if short else None, mirror_pairs=((2, 3),))
    inputs, labels = batch_of(spec, augmentation, one, seed)
    assert (inputs.shape, inputs.dtype) == ((1, 33, 47, 3), np.uint8)
    assert (labels.shape, labels.dtype) == ((1, 33, 47), np.int16)
    assert IGNORED <= labels.min() <= labels.max() < 4


def test_a_generator_fixes_everything():
    augmentation = MaskAugmentation(colour=0.3, grey=0.2, distortion=True, brightness=5)
    one, again = (batch_of(spec_of(), augmentation, count=3) for _ in range(2))
    assert np.array_equal(one[0], again[0]) and np.array_equal(one[1], again[1])
    assert not np.array_equal(one[0][0], one[0][1])
    assert not np.array_equal(one[0], batch_of(spec_of(), augmentation, seed=1, count=3)[0])


@pytest.mark.parametrize("conventions", CONVENTIONS)
def test_pixels_and_labels_stay_together(conventions):
    """At scale 1 nothing is interpolated: the red channel is still 50 times the class."""
    spec = spec_of(conventions, mirror_pairs=())
    augmentation = MaskAugmentation(crop=(24, 70), scale=(1, 1), flip=0.5)
    inputs, labels = batch_of(spec, augmentation, count=8)
    kept = labels != IGNORED
    assert kept.reshape(8, -1).sum(1).tolist() == [24 * 56] * 8
    assert np.array_equal(inputs[..., 0][kept], 50 * labels[kept])


def test_classes_of_left_and_right_swap_in_mirrored_pictures_alone():
    pixels, labels = np.zeros((2, 4, 3), np.uint8), np.array([[0, 1, 2, -1], [3, 3, 2, 0]])
    spec = spec_of(mirror_pairs=((2, 3),))
    _, mirrored = mirror((pixels, labels.astype(np.int16)), spec)
    assert mirrored.tolist() == [[-1, 3, 1, 0], [0, 3, 2, 2]]
    every, none = (MaskAugmentation(scale=(1, 1), flip=flip) for flip in (1, 0))
    big = np.zeros((32, 64), np.int16) + 2
    picture = np.zeros((32, 64, 3), np.uint8)
    assert (batch_of(spec, every, (picture, big))[1] == 3).all()
    assert (batch_of(spec, none, (picture, big))[1] == 2).all()


def test_where_inputs_are_filled_and_with_what():
    pixels, labels = np.full((8, 8, 3), 200, np.uint8), np.zeros((8, 8), np.int16)
    mean = [124, 116, 104]  # 255 * (.485, .456, .406), rounded
    for conventions, color in (("plain", mean), ("mmsegmentation", mean), ("hrnet", [0, 0, 0])):
        (pixel,), (label,) = batch_of(spec_of(conventions), STILL, (pixels, labels))
        assert (label[:8, :8] == 0).all() and (label == IGNORED).sum() == 32 * 64 - 64
        assert pixel[8:].reshape(-1, 3).tolist() == [color] * (24 * 64)
    # HRNet's training fills up before it mirrors, others do it last.
    flipped = MaskAugmentation(scale=(1, 1), flip=1)
    _, (label,) = batch_of(spec_of("hrnet"), flipped, (pixels, labels))
    assert (label[:8, -8:] == 0).all()
    _, (label,) = batch_of(spec_of("plain"), flipped, (pixels, labels))
    assert (label[:8, :8] == 0).all()
    # HRFormer's places a small picture anywhere; its BGR input is normalised in the order of RGB.
    spec = spec_of("hrformer", channels="bgr")
    inputs, found = batch_of(spec, STILL, (pixels, labels), count=20)
    places = {tuple(np.argwhere(one == 0)[0].tolist()) for one in found}
    assert len(places) > 10
    assert inputs[0][found[0] == IGNORED][0].tolist() == mean[::-1]


def test_sizes_are_those_of_each_convention():
    # The first size of 520, then the long side 520 * 1.3; by hand from the official rules.
    spec = spec_of("hrnet", short_side=520, long_side=520)
    base = first_resize((np.zeros((400, 600, 3), np.uint8), np.zeros((400, 600), np.int16)), spec)
    assert base[1].shape == (520, 780)
    assert drawn_size((520, 780), 1.3, 1, spec) == (451, 676)
    # HRFormer cuts off fractions: 520 * 1.3 / sqrt(1.1) = 644.5, 780 * 1.3 * sqrt(1.1) = 1063.5
    assert drawn_size((520, 780), 1.3, 1.1, spec_of("hrformer", short_side=520)) == (644, 1063)
    # mmsegmentation rounds, and goes there at once from the picture.
    spec = spec_of("mmsegmentation", short_side=512)
    assert first_resize(base, spec)[1].shape == (520, 780)
    assert drawn_size((400, 600), 1.3, 1, spec) == (666, 998)
    assert drawn_size((400, 600), 1.3, 1, spec_of("plain")) == (520, 780)
    assert drawn_size((400, 600), 0.5, 1.2, spec_of("plain", long_side=300)) == (91, 164)


def test_a_pictures_ratio_is_lost_where_the_size_is_exact():
    spec = spec_of("hrnet", exact=(48, 48), long_side=48)
    base = first_resize(labelled(), spec)
    assert base[0].shape == (48, 48, 3)
    assert drawn_size((48, 48), 0.7, 1, spec) == (34, 34)


@pytest.mark.parametrize("conventions", CONVENTIONS)
def test_a_window_is_the_part_of_the_whole_scaled_picture(conventions):
    spec, one = spec_of(conventions), labelled()
    whole = cut_window(one, Window((61, 77), 0, 0), (61, 77), spec)
    part = cut_window(one, Window((61, 77), 20, 31), (32, 40), spec)
    assert np.array_equal(part[0], whole[0][20:52, 31:71])
    assert np.array_equal(part[1], whole[1][20:52, 31:71])


def test_steps_of_the_scale():
    """Factors 0.5, 0.6, ... 0.9: the long side becomes 50 to 90 of 100."""
    spec = spec_of("hrnet", long_side=100)
    augmentation = MaskAugmentation(scale=(0.5, 0.9), scale_step=0.1, crop=(96, 96), flip=0)
    one = np.zeros((20, 100, 3), np.uint8), np.zeros((20, 100), np.int16)
    _, labels = batch_of(spec, augmentation, one, count=60)
    widths = {(one == 0).any(axis=0).sum() for one in labels}
    assert widths == {50, 60, 70, 80, 90}


def test_a_window_that_one_class_fills_is_drawn_again():
    labels = np.zeros((64, 400), np.int16)
    labels[:, 390:] = 1
    labels[:5] = IGNORED
    one = np.zeros((64, 400, 3), np.uint8), labels
    shares = []
    for most in (0.9, 1.0):
        augmentation = MaskAugmentation(scale=(1, 1), flip=0, most_of_one=most)
        _, found = batch_of(spec_of(), augmentation, one, count=200)
        shares.append(np.mean([(part == 1).any() for part in found]))
    # Few windows have a tenth of the other class; eleven tries find one more often.
    assert shares[0] > 1.5 * shares[1] > 0


def test_brightness_is_one_whole_number_for_all_pixels():
    one = np.full((32, 64, 3), 100, np.uint8), np.zeros((32, 64), np.int16)
    augmentation = MaskAugmentation(scale=(1, 1), flip=0, brightness=10)
    inputs, _ = batch_of(spec_of(), augmentation, one, count=300)
    values = [np.unique(one).tolist() for one in inputs]
    assert {len(value) for value in values} == {1}
    assert {value[0] for value in values} == set(range(90, 111))
    dark = np.full((32, 64, 3), 3, np.uint8), one[1]
    assert batch_of(spec_of(), augmentation, dark, count=300)[0].max() <= 13


def test_a_mask_of_another_size_is_refused():
    one = np.zeros((32, 64, 3), np.uint8), np.zeros((64, 32), np.int16)
    with pytest.raises(InputError) as caught:
        batch_of(spec_of(), STILL, one)
    assert str(caught.value).startswith(
        "masks/a.png: expected a mask of 64x32 pixels as its picture"
    )
    assert "got 32x64" in str(caught.value)


@pytest.mark.parametrize("conventions", CONVENTIONS)
def test_a_window_that_fills_the_input_stays_as_it_is(conventions):
    one, spec = labelled(), spec_of(conventions)
    kept = arrange(one, Window((40, 56), 0, 0), (40, 56), spec, is_mirrored=False)
    assert np.array_equal(kept[0], one[0]) and np.array_equal(kept[1], one[1])
