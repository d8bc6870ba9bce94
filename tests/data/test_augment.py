"""Random crops: drawn from one generator, within the published limits, and consistent with pixels.

Points and pixels go through the same matrix, so it is enough to look at the matrix and at how a
mirrored crop compares with the mirror image of a crop.
"""

from pathlib import Path

import numpy as np
import pytest

from hrnet.data.augment import distort, distort_photometric
from hrnet.data.coco import PoseSample
from hrnet.errors import InputError
from hrnet.geometry import apply_affine, box_to_crop, crop_matrix, invert_affine, warp_affine
from hrnet.skeleton import COCO_PERSON, Skeleton
from hrnet.spec import NetworkSpec
from hrnet.tasks.pose.augment import draw_crop
from hrnet.tasks.pose.config import NO_AUGMENTATION
from hrnet.tasks.pose.config import PoseAugmentation as Augmentation
from hrnet.tasks.pose.spec import PoseSpec

SIZE = (128, 96)
PLAIN = Skeleton(("a", "b", "c"))
NOTHING = dict.fromkeys(("flip", "scale", "rotation_deg", "half_body"), 0.0)


def make_sample(keypoints, visibility=None, box=(40.0, 30.0, 60.0, 90.0)) -> PoseSample:
    points = np.asarray(keypoints, dtype=float)
    seen = np.full(len(points), 2) if visibility is None else np.asarray(visibility)
    return PoseSample(Path("x.jpg"), 1, 1, np.asarray(box), points, seen, (200, 160))


@pytest.fixture
def person() -> PoseSample:
    """17 keypoints: the upper body lies around (60, 50), the lower around (80, 110)."""
    points = np.random.default_rng(1).uniform(-8, 8, (17, 2))
    points[:11] += (60, 50)
    points[11:] += (80, 110)
    return make_sample(points)


def draw(sample, skeleton=COCO_PERSON, seed=0, unbiased=False, padding=1.25, **changes):
    augmentation = Augmentation(**{**NOTHING, **changes})
    spec = spec_of(skeleton, unbiased=unbiased, padding=padding)
    return draw_crop(sample, spec, augmentation=augmentation, rng=np.random.default_rng(seed))


def spec_of(skeleton=COCO_PERSON, *, unbiased=False, padding=1.25) -> PoseSpec:
    count = skeleton.num_keypoints
    return PoseSpec(
        network=NetworkSpec(variant="small_hrnet_w16", task="pose", num_outputs=count),
        name="test",
        input_size=SIZE,
        codec="udp" if unbiased else "classic",
        padding=padding,
        skeleton=skeleton,
    )


def zoom_and_angle(matrix):
    """Crop pixels in an image pixel, and the rotation in degrees."""
    return np.hypot(matrix[0, 0], matrix[1, 0]), np.rad2deg(np.arctan2(matrix[0, 1], matrix[0, 0]))


def test_the_same_generator_gives_the_same_crop(person):
    def once(seed):
        rng = np.random.default_rng(seed)
        return draw_crop(person, spec_of(), augmentation=Augmentation(), rng=rng)

    for one, again in zip(once(3), once(3), strict=True):
        np.testing.assert_array_equal(one, again)
    assert not np.array_equal(once(3)[0], once(4)[0])


@pytest.mark.parametrize("unbiased", [False, True])
def test_without_augmentation_it_is_the_crop_of_evaluation(person, unbiased):
    rng, spec = np.random.default_rng(0), spec_of(unbiased=unbiased)
    matrix, points, weights = draw_crop(person, spec, augmentation=NO_AUGMENTATION, rng=rng)
    center, size = box_to_crop(person.box_xywh, SIZE, 1.25)
    np.testing.assert_allclose(matrix, crop_matrix(center, size, SIZE, unbiased=unbiased))
    np.testing.assert_allclose(points, apply_affine(person.keypoints, matrix))
    np.testing.assert_array_equal(weights, np.ones(17))


def test_the_sample_is_left_alone(person):
    before = person.keypoints.copy(), person.box_xywh.copy(), person.visibility.copy()
    draw(person, flip=1, scale=0.3, rotation_deg=40, half_body=1)
    for old, new in zip(
        before, (person.keypoints, person.box_xywh, person.visibility), strict=True
    ):
        np.testing.assert_array_equal(old, new)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("unbiased", [False, True])
def test_points_follow_the_matrix(person, seed, unbiased):
    """Inverted through the matrix, the points are those of the annotation, sides exchanged."""
    matrix, points, _ = draw(
        person, seed=seed, unbiased=unbiased, flip=1, scale=0.3, rotation_deg=40, half_body=0.5
    )
    back = apply_affine(points, invert_affine(matrix))
    np.testing.assert_allclose(back, person.keypoints[list(COCO_PERSON.flip_order)], atol=1e-9)


@pytest.mark.parametrize("unbiased", [False, True])
def test_a_mirrored_crop_is_the_mirror_image_of_the_crop(person, unbiased):
    """Pixel x goes to width - 1 - x, whatever the codec: pixels and keypoints agree exactly."""
    rng = np.random.default_rng(2)
    image = rng.integers(0, 256, (200, 160, 3), dtype=np.uint8)
    plain, points, weights = draw(person, unbiased=unbiased, rotation_deg=20)
    flipped, mirrored, mirrored_weights = draw(person, unbiased=unbiased, rotation_deg=20, flip=1)
    straight = warp_affine(image, plain, SIZE)[:, ::-1].astype(int)
    turned = warp_affine(image, flipped, SIZE).astype(int)
    assert np.abs(straight - turned).max() <= 1
    expected = points[list(COCO_PERSON.flip_order)]
    expected[:, 0] = SIZE[1] - 1 - expected[:, 0]
    np.testing.assert_allclose(mirrored, expected, atol=1e-9)
    np.testing.assert_array_equal(weights, mirrored_weights)


def test_an_unbiased_crop_mirrors_onto_itself(person):
    """UDP's point: the mirrored crop shows the same pixels of the picture, half a pixel nowhere."""
    plain, *_ = draw(person, unbiased=True)
    flipped, *_ = draw(person, unbiased=True, flip=1)
    columns = np.array([[0.0, 0.0], [SIZE[1] - 1, 0.0]])
    there = apply_affine(columns, invert_affine(plain))
    np.testing.assert_allclose(apply_affine(columns[::-1], invert_affine(flipped)), there)
    np.testing.assert_allclose(there.mean(axis=0)[0], 70.0)  # the middle of the box


def test_weights_follow_their_keypoints(person):
    seen = np.array([0, 1, 0, 2] + [2] * 13)
    sample = make_sample(person.keypoints, seen)
    _, _, plain = draw(sample)
    _, _, flipped = draw(sample, flip=1)
    np.testing.assert_array_equal(plain[:5], [0, 1, 0, 1, 1])
    np.testing.assert_array_equal(flipped[:5], [0, 0, 1, 1, 1])
    assert plain.dtype == np.float32


def test_without_flip_pairs_nothing_is_ever_mirrored():
    sample = make_sample([[50, 40], [60, 50], [70, 60]])
    for seed in range(50):
        matrix, _, _ = draw(sample, PLAIN, seed=seed, flip=1)
        assert np.linalg.det(matrix[:, :2]) > 0


def test_flips_come_with_their_probability(person):
    turns = [np.linalg.det(draw(person, seed=s, flip=0.25)[0][:, :2]) < 0 for s in range(1000)]
    assert np.mean(turns) == pytest.approx(0.25, abs=0.04)


def test_scale_stays_in_its_limits_and_reaches_them(person):
    base, _ = zoom_and_angle(draw(person)[0])
    factors = np.array(
        [base / zoom_and_angle(draw(person, seed=s, scale=0.35)[0])[0] for s in range(1000)]
    )
    assert factors.min() == pytest.approx(0.65)
    assert factors.max() == pytest.approx(1.35)
    # A normal distribution clipped at one standard deviation: 16% at each end.
    assert np.mean(np.isclose(factors, 0.65)) == pytest.approx(0.159, abs=0.035)
    assert np.mean(np.isclose(factors, 1.35)) == pytest.approx(0.159, abs=0.035)
    assert factors.mean() == pytest.approx(1, abs=0.03)


def test_rotation_stays_in_its_limits_and_comes_in_60_of_100(person):
    angles = np.array(
        [zoom_and_angle(draw(person, seed=s, rotation_deg=45)[0])[1] for s in range(2000)]
    )
    assert np.abs(angles).max() <= 90 + 1e-9
    assert np.mean(angles != 0) == pytest.approx(0.6, abs=0.035)
    turned = angles[angles != 0]
    assert turned.mean() == pytest.approx(0, abs=4)
    # 45 degrees, a little less for what is held back at two standard deviations.
    assert turned.std() == pytest.approx(43, abs=2.5)
    never = [
        zoom_and_angle(draw(person, seed=s, rotation_deg=45, rotation_probability=0)[0])[1]
        for s in range(20)
    ]
    assert not np.any(never)


def shown(sample, matrix):
    """The image point in the middle of the crop."""
    middle = np.array([[SIZE[1] / 2, SIZE[0] / 2]])
    return apply_affine(middle, invert_affine(matrix))[0]


def test_half_body_takes_the_upper_half_in_69_of_100(person):
    middles = np.array([shown(person, draw(person, seed=s, half_body=1)[0]) for s in range(2000)])
    upper, lower = person.keypoints[:11].mean(axis=0), person.keypoints[11:].mean(axis=0)
    is_upper = np.isclose(middles, upper).all(axis=1)
    is_lower = np.isclose(middles, lower).all(axis=1)
    assert (is_upper | is_lower).all()
    assert is_upper.mean() == pytest.approx(0.6915, abs=0.03)


def test_half_body_covers_its_points_with_padding_of_one_and_a_half(person):
    for seed in range(10):
        matrix, points, _ = draw(person, seed=seed, half_body=1)
        upper = np.allclose(shown(person, matrix), person.keypoints[:11].mean(axis=0))
        chosen = np.arange(11) if upper else np.arange(11, 17)
        extent = np.ptp(person.keypoints[chosen], axis=0)
        wide = max(extent[0], extent[1] * SIZE[1] / SIZE[0]) * 1.5
        assert zoom_and_angle(matrix)[0] == pytest.approx(SIZE[1] / wide)
        assert points.shape == (17, 2)


@pytest.mark.parametrize(
    ("seen", "expected"),
    [
        (range(8), "whole"),  # 8 are not more than 8
        (range(9), "upper"),
        ([0, 1, *range(11, 17), 2], "either"),
        ([*range(9), 11, 12], "upper"),  # two below are too few
    ],
)
def test_half_body_needs_enough_labelled_points(person, seen, expected):
    visibility = np.zeros(17, dtype=int)
    visibility[list(seen)] = 2
    sample = make_sample(person.keypoints, visibility)
    labelled = np.flatnonzero(visibility)
    upper = person.keypoints[labelled[labelled < 11]].mean(axis=0)
    whole = shown(sample, draw(sample)[0])
    found = set()
    for seed in range(30):
        middle = shown(sample, draw(sample, seed=seed, half_body=1)[0])
        if np.allclose(middle, whole):
            found.add("whole")
        else:
            found.add("upper" if np.allclose(middle, upper) else "lower")
    assert found == ({"upper", "lower"} if expected == "either" else {expected})


def test_half_body_needs_an_upper_body():
    points = np.random.default_rng(0).uniform(40, 90, (12, 2))
    sample = make_sample(points)
    skeleton = Skeleton(tuple(f"p{k}" for k in range(12)))
    plain = draw(sample, skeleton)[0]
    for seed in range(20):
        np.testing.assert_array_equal(draw(sample, skeleton, seed=seed, half_body=1)[0], plain)


def test_points_in_one_place_still_give_a_crop():
    sample = make_sample(np.full((17, 2), 50.0))
    matrix, points, _ = draw(sample, half_body=1)
    assert np.isfinite(matrix).all()
    np.testing.assert_allclose(points, [[SIZE[1] / 2, SIZE[0] / 2]] * 17, atol=60)


def test_no_labelled_keypoint_is_possible():
    sample = make_sample(np.zeros((3, 2)), [0, 0, 0])
    _, points, weights = draw(sample, PLAIN, scale=0.3, rotation_deg=30)
    assert not weights.any()
    assert np.isfinite(points).all()


@pytest.mark.parametrize(
    "field", ["flip", "scale", "rotation_deg", "rotation_probability", "half_body"]
)
@pytest.mark.parametrize("value", [-0.1, 1e3, float("nan")])
def test_impossible_settings_are_refused(field, value):
    with pytest.raises(InputError, match=f"expected {field} within 0"):
        Augmentation(**{field: value})


def test_photometric_distortion_changes_each_with_a_chance_of_half():
    rng = np.random.default_rng(0)
    picture = np.random.default_rng(1).integers(60, 150, (6, 5, 3)).astype(np.uint8)
    changed = [distort_photometric(picture, rng) for _ in range(800)]
    # A 16th has none of the four; of the hue a further 36th is drawn as 0.
    same = np.mean([np.array_equal(one, picture) for one in changed])
    assert 0.04 < same < 0.09
    assert all((one.shape, one.dtype) == ((6, 5, 3), np.uint8) for one in changed)
    # Grey has neither saturation nor hue: brightness within +- 32, contrast within 0.5 to 1.5.
    grey = np.full((2, 2, 3), 100, np.uint8)
    values = [np.unique(distort_photometric(grey, rng)).tolist() for _ in range(800)]
    assert {len(value) for value in values} == {1}
    levels = [value[0] for value in values]
    assert 34 <= min(levels) < 50 and 170 < max(levels) <= 198
    assert 0.2 < np.mean(np.array(levels) == 100) < 0.3


def test_hue_goes_round():
    """A pure colour stays pure: its largest channel 255 and its least 0."""
    red = np.zeros((1, 1, 3), np.uint8)
    red[..., 0] = 255
    found = {
        tuple(distort_photometric(red, np.random.default_rng(seed))[0, 0]) for seed in range(99)
    }
    turned = [one for one in found if one[1] or one[2]]
    assert any(one[1] > one[2] for one in turned) and any(one[2] > one[1] for one in turned)


def test_other_channels_get_the_light_that_grey_gets():
    """Brightness, contrast and sharpness of one channel are those of its RGB copy, as rounded."""
    grey = np.random.default_rng(3).integers(40, 160, (48, 40, 1), dtype=np.uint8)
    strong = Augmentation(**NOTHING, colour=0.3)
    for seed in range(5):
        one = distort(grey, strong, np.random.default_rng(seed))
        rgb = distort(np.repeat(grey, 3, axis=2), strong, np.random.default_rng(seed))
        assert one.dtype == np.uint8 and one.shape == grey.shape
        assert np.abs(one[..., 0].astype(int) - rgb[..., 0]).max() <= 2
    sharp = Augmentation(**NOTHING, sharpness=1.0)
    one = distort(grey, sharp, np.random.default_rng(0))
    rgb = distort(np.repeat(grey, 3, axis=2), sharp, np.random.default_rng(0))
    assert np.abs(one[..., 0].astype(int) - rgb[..., 0]).max() <= 1
    assert not np.array_equal(one, grey)


@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
@pytest.mark.parametrize("channels", [1, 2, 5])
def test_other_channels_are_distorted_all_alike(channels, dtype):
    grey = np.random.default_rng(3).integers(0, 256, (48, 40, 1)).astype(dtype)
    crop = np.repeat(grey, channels, axis=2)
    every = Augmentation(**NOTHING, colour=0.5, sharpness=1.0, grey=1.0)
    found = distort(crop, every, np.random.default_rng(1))
    assert found.shape == crop.shape and found.dtype == dtype
    assert not np.array_equal(found, crop)
    np.testing.assert_allclose(found, np.repeat(found[..., :1], channels, axis=2), atol=1e-3)
    assert np.array_equal(distort(crop, Augmentation(**NOTHING), np.random.default_rng(1)), crop)
    # Cutout covers a rectangle of 2% to 20%, of all channels.
    covered = distort(crop, Augmentation(**NOTHING, cutout=1.0), np.random.default_rng(2)) != crop
    assert 0.015 < covered.any(axis=2).mean() < 0.22


def test_a_crop_below_three_pixels_is_not_blurred():
    thin = np.full((2, 9, 1), 7, np.float32)
    sharp = Augmentation(**NOTHING, sharpness=1.0)
    assert np.array_equal(distort(thin, sharp, np.random.default_rng(0)), thin)
