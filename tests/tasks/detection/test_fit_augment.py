"""Training pictures of detectors keep their boxes and masks on what they show."""

from pathlib import Path

import numpy as np
import pytest

from hrnet.data.box_dataset import BoxSample
from hrnet.errors import InputError
from hrnet.spec import NetworkSpec
from hrnet.tasks.detection.config import BoxAugmentation
from hrnet.tasks.detection.fit_augment import fit_batch
from hrnet.tasks.detection.mask_targets import draw_mask
from hrnet.tasks.detection.spec import DetectionSpec
from hrnet.tasks.detection.targets import MASK_SIDE

STILL = BoxAugmentation(flip=0)
RED, BLUE = np.array([250, 10, 10]), np.array([10, 10, 250])


def spec_of(head="mask", **fields) -> DetectionSpec:
    network = NetworkSpec(variant="small_hrnet_w16", task="detection", num_outputs=2, head=head)
    known = {"name": "shapes", "input_size": (64, 96), "fit": (64, 96), "class_names": ("a", "b")}
    return DetectionSpec(**{"network": network, **known, **fields})


def sample_of(boxes, *, ignore=None, masks=None) -> BoxSample:
    count = len(boxes)
    return BoxSample(
        image_path=Path("none.png"),
        image_size=None,
        name="one",
        boxes_xywh=np.array(boxes, np.float64).reshape(-1, 4),
        classes=np.arange(count) % 2,
        ignore=np.zeros(count, bool) if ignore is None else np.array(ignore),
        masks=masks,
    )


def rectangle(left, top, width, height) -> list[list[float]]:
    """The polygon of a box."""
    return [[left, top, left + width, top, left + width, top + height, left, top + height]]


def picture_of(box, size=(40, 60)) -> np.ndarray:
    """A blue picture with a red box (xywh)."""
    picture = np.broadcast_to(BLUE, (*size, 3)).astype(np.uint8)
    left, top, width, height = box
    picture[top : top + height, left : left + width] = RED
    return picture


def batch_of(samples, pictures, *, spec=None, augmentation=STILL, seed=0):
    rngs = [np.random.default_rng([seed, index]) for index in range(len(samples))]
    return fit_batch(samples, pictures, rngs, spec=spec or spec_of(), augmentation=augmentation)


def reds_of(pixels: np.ndarray) -> tuple[float, float, float, float]:
    """The extent (xyxy) of the red box in an input."""
    rows, columns = (pixels[..., 0] > 130).nonzero()
    return columns.min(), rows.min(), columns.max() + 1, rows.max() + 1


BOX = (12, 8, 20, 16)


def test_a_picture_is_enlarged_and_filled_up_with_the_mean_colour():
    picture = picture_of(BOX, (40, 50))
    inputs, targets = batch_of([sample_of([BOX])], [picture], spec=spec_of("faster"))
    # 64 pixels for the short side: a factor of 1.6, and 80 pixels for the long one.
    assert inputs.shape == (1, 64, 96, 3)
    assert targets["sizes"].tolist() == [[64, 80]]
    assert (inputs[0, :, 80:] == [124, 116, 104]).all()
    assert targets["boxes"][0, 0] == pytest.approx(np.array([12, 8, 32, 24]) * 1.6)
    assert reds_of(inputs[0, :, :80]) == pytest.approx(targets["boxes"][0, 0], abs=0.75)
    assert targets["labels"].tolist() == [[0]]
    assert "masks" not in targets


def test_the_mean_colour_of_a_blue_first_input():
    mean, std = (0.406, 0.456, 0.485), (0.225, 0.224, 0.229)
    spec = spec_of("faster", channels="bgr", mean=mean, std=std)
    inputs, _ = batch_of([sample_of([BOX])], [picture_of(BOX, (40, 50))], spec=spec)
    assert (inputs[0, :, 80:] == [124, 116, 104]).all()  # pictures are RGB up to the network


def test_a_batch_is_as_large_as_its_largest_pictures():
    samples = [sample_of([BOX, BOX]), sample_of([])]
    pictures = [picture_of(BOX, (40, 60)), picture_of(BOX, (60, 40))]
    inputs, targets = batch_of(samples, pictures)
    assert inputs.shape == (2, 96, 96, 3)
    assert targets["sizes"].tolist() == [[64, 96], [96, 64]]
    assert targets["labels"].tolist() == [[0, 1], [-1, -1]]
    assert targets["masks"].shape == (2, 2, MASK_SIDE, MASK_SIDE)


def test_mirrored_boxes_and_masks_stay_on_what_they_show():
    # The left half of the box belongs to the object.
    masks = (rectangle(12, 8, 10, 16),)
    inputs, targets = batch_of(
        [sample_of([BOX], masks=masks)], [picture_of(BOX)], augmentation=BoxAugmentation(flip=1)
    )
    box = targets["boxes"][0, 0]
    assert box == pytest.approx([(60 - 32) * 1.6, 8 * 1.6, (60 - 12) * 1.6, 24 * 1.6])
    assert reds_of(inputs[0]) == pytest.approx(box, abs=0.75)
    mask = targets["masks"][0, 0]
    assert (mask[:, MASK_SIDE // 2 :] == 1).all()  # right, in the mirror
    assert (mask[:, : MASK_SIDE // 2] == 0).all()


def test_legacy_boxes_end_at_the_last_pixel_of_the_picture():
    samples, pictures = [sample_of([BOX])], [picture_of(BOX)]
    spec = spec_of("faster", conventions="legacy")
    for flip, edges in ((0, (12, 8, 31, 23)), (1, (28, 8, 47, 23))):
        _, targets = batch_of(samples, pictures, spec=spec, augmentation=BoxAugmentation(flip=flip))
        assert targets["boxes"][0, 0] == pytest.approx(np.array(edges) * 1.6)


def test_boxes_end_at_the_picture_and_those_beyond_it_go():
    sample = sample_of([[-5, 30, 20, 20], [70, 5, 10, 10], [5, 5, 0, 9]], ignore=[True, 0, 0])
    _, targets = batch_of([sample], [picture_of(BOX)], spec=spec_of("faster"))
    assert targets["boxes"][0].tolist() == [pytest.approx([0, 48, 24, 64])]
    assert targets["labels"].tolist() == [[-2]]


def test_several_sizes_are_drawn():
    augmentation = BoxAugmentation(flip=0, fits=((32, 48), (64, 96), (96, 144)))
    sizes = set()
    for seed in range(12):
        inputs, targets = batch_of(
            [sample_of([BOX])], [picture_of(BOX)], augmentation=augmentation, seed=seed
        )
        scale = targets["sizes"][0, 0] / 40
        assert targets["boxes"][0, 0] == pytest.approx(np.array([12, 8, 32, 24]) * scale)
        sizes.add(inputs.shape[1:3])
    assert sizes == {(32, 64), (64, 96), (96, 160)}


def test_a_part_is_cut_out_of_a_picture_that_is_too_large():
    augmentation = BoxAugmentation(flip=0.5, crop=(48, 64))
    starts = set()
    for seed in range(20):
        sample = sample_of([BOX], masks=(rectangle(*BOX),))
        inputs, targets = batch_of(
            [sample], [picture_of(BOX)], augmentation=augmentation, seed=seed
        )
        assert targets["sizes"].tolist() == [[48, 64]]
        reds = reds_of(inputs[0, :48, :64])
        assert reds == pytest.approx(targets["boxes"][0, 0], abs=0.75)
        starts.add(reds[:2])
        assert (targets["masks"][0, 0] == 1).all()  # of the part of the box that is left
    assert len(starts) > 10


def test_a_tall_picture_is_cut_as_tall():
    augmentation = BoxAugmentation(flip=0, crop=(48, 64))
    _, targets = batch_of(
        [sample_of([BOX])], [picture_of(BOX, (60, 40))], augmentation=augmentation
    )
    assert targets["sizes"].tolist() == [[64, 48]]


def test_a_sample_depends_on_its_own_generator_alone():
    augmentation = BoxAugmentation(fits=((32, 48), (64, 96)), crop=(40, 60), colour=0.3)
    many = [sample_of([BOX])] * 3
    pictures = [picture_of(BOX)] * 3
    inputs, targets = batch_of(many, pictures, augmentation=augmentation)
    rng = np.random.default_rng([0, 2])
    again, target = fit_batch(
        many[2:], pictures[2:], [rng], spec=spec_of(), augmentation=augmentation
    )
    height, width = target["sizes"][0].astype(int)
    assert targets["sizes"][2].tolist() == [height, width]
    np.testing.assert_array_equal(inputs[2, :height, :width], again[0, :height, :width])
    np.testing.assert_array_equal(targets["boxes"][2], target["boxes"][0])


def test_a_mosaic_keeps_boxes_and_masks_on_what_they_show():
    augmentation = BoxAugmentation(fits=((64, 96), (96, 144)), crop=(90, 120), mosaic=1)
    boxes = [BOX, (2, 3, 30, 12), (30, 20, 25, 18), (20, 5, 9, 30)]
    samples = [
        sample_of([box, (0, 0, 4, 4)], ignore=[False, True], masks=(rectangle(*box), None))
        for box in boxes
    ]
    pictures = [picture_of(box) for box in boxes]
    counts = []
    for seed in range(10):
        inputs, targets = batch_of(samples, pictures, augmentation=augmentation, seed=seed)
        for index, pixels in enumerate(inputs):
            expected = np.zeros(pixels.shape[:2], bool)
            found = targets["labels"][index] == 0
            for left, top, right, bottom in targets["boxes"][index][found].round().astype(int):
                expected[top:bottom, left:right] = True
            # Edges are blurred: a pixel to each side of them.
            assert ((pixels[..., 0] > 180) & ~grown(expected)).sum() == 0
            assert (expected & ~grown(pixels[..., 0] > 125)).sum() == 0
            drawn = targets["masks"][index]
            assert drawn[found].mean() > 0.97
            assert drawn[targets["labels"][index] == -2].sum() == 0
            height, width = targets["sizes"][index]
            assert height <= pixels.shape[0]
            assert width <= pixels.shape[1]
            counts.append(found.sum())
    assert max(counts) == 4
    assert min(counts) < 4  # some lie beyond the parts that were cut out


def grown(pixels: np.ndarray) -> np.ndarray:
    """The pixels of a (H, W) mask with their neighbours."""
    padded = np.pad(pixels, 1)
    shifts = [(down, right) for down in (-1, 0, 1) for right in (-1, 0, 1)]
    near = [np.roll(padded, shift, axis=(0, 1)) for shift in shifts]
    return np.any(near, axis=0)[1:-1, 1:-1]


def test_a_mosaic_is_drawn_as_often_as_asked_for():
    augmentation = BoxAugmentation(mosaic=0.3)
    samples, pictures = [sample_of([BOX])] * 200, [picture_of(BOX)] * 200
    _, targets = batch_of(samples, pictures, augmentation=augmentation)
    joined = ((targets["labels"] == 0).sum(axis=1) > 1).mean()
    assert 0.2 < joined < 0.4
    _, again = batch_of(samples, pictures, augmentation=augmentation)
    np.testing.assert_array_equal(targets["boxes"], again["boxes"])


def test_without_mosaics_nothing_is_drawn_for_them():
    rng, same = np.random.default_rng(3), np.random.default_rng(3)
    fit_batch([sample_of([BOX])], [picture_of(BOX)], [rng], spec=spec_of(), augmentation=STILL)
    same.random()  # whether to mirror, the only draw
    assert rng.random() == same.random()


def test_the_probability_of_mosaics_has_bounds():
    with pytest.raises(InputError, match=r"expected mosaic within 0\.\.1, got 1.5"):
        BoxAugmentation(mosaic=1.5)


ONE, ZERO = np.ones(2), np.zeros(2)


def test_run_lengths_are_drawn_like_polygons():
    from pycocotools import mask as coco_mask

    polygon = [[4.0, 4, 30, 10, 20, 34]]
    runs = coco_mask.merge(coco_mask.frPyObjects(polygon, 40, 60))
    box = np.array([4.0, 4, 30, 34])
    drawn = draw_mask(polygon, (40, 60), ONE, ZERO, box)
    sampled = draw_mask(dict(runs), (40, 60), ONE, ZERO, box)
    assert 0.3 < drawn.mean() < 0.6
    assert (drawn != sampled).mean() < 0.05  # at the edges, which pixels make rough
    # Uncompressed, as COCO stores crowds: columns first.
    pixels = coco_mask.decode(runs).ravel(order="F")
    changes = np.flatnonzero(np.diff(np.concatenate([[0], pixels, [2]])))
    counts = np.diff(np.concatenate([[0], changes])).tolist()
    plain = draw_mask({"counts": counts, "size": [40, 60]}, (40, 60), ONE, ZERO, box)
    np.testing.assert_array_equal(plain, sampled)


def test_a_mask_beyond_the_picture_or_unknown_is_empty():
    box = np.array([50.0, 30, 70, 50])
    full = np.ones((40, 60), np.uint8, order="F")
    from pycocotools import mask as coco_mask

    drawn = draw_mask(dict(coco_mask.encode(full)), (40, 60), ONE, ZERO, box)
    half = MASK_SIDE // 2
    assert (drawn[:half, :half] == 1).all()
    assert drawn.sum() == half * half
    assert draw_mask(None, (40, 60), ONE, ZERO, box).sum() == 0
    assert draw_mask([[1.0, 2.0]], (40, 60), ONE, ZERO, box).sum() == 0  # no polygon
