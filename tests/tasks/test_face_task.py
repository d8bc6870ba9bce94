"""Faces in the task: crops and targets of training, and what the codec needs."""

from pathlib import Path

import numpy as np
import pytest

from hrnet.codecs.face import face_matrix, move_pixels
from hrnet.data.coco import PoseSample
from hrnet.skeleton import Skeleton
from hrnet.spec import NetworkSpec
from hrnet.tasks.pose.config import NO_AUGMENTATION, PoseAugmentation
from hrnet.tasks.pose.face_augment import draw_faces
from hrnet.tasks.pose.face_crop import crop_face
from hrnet.tasks.pose.spec import PoseSpec

SKELETON = Skeleton(names=("left", "right", "nose"), flip_pairs=((0, 1),))
CENTER, SIDE = np.array([60.0, 50.0]), 64.0
POINTS = np.array([[50.0, 40.0], [72.0, 41.0], [61.0, 55.0]])


def spec_of(**changes: object) -> PoseSpec:
    fields = {
        "name": "face",
        "network": NetworkSpec(variant="small_hrnet_w16", task="pose", num_outputs=3),
        "input_size": (128, 128),
        "codec": "face",
        "sigma": 1.0,
        "skeleton": SKELETON,
    }
    return PoseSpec(**(fields | changes))


def sample(visibility=(2, 2, 2), points=POINTS) -> PoseSample:
    corner = CENTER - SIDE / 2
    return PoseSample(
        image_path=Path("face.png"),
        image_id=1,
        annotation_id=1,
        box_xywh=np.array([*corner, SIDE, SIDE]),
        keypoints=points,
        visibility=np.array(visibility),
        image_size=(100, 120),
    )


@pytest.fixture
def picture() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (100, 120, 3), dtype=np.uint8)


def draw(picture, one, augmentation):
    rng = np.random.default_rng(1)
    crops, targets = draw_faces([one], [picture], [rng], spec=spec_of(), augmentation=augmentation)
    maps = targets["rows"][0, :, :, None] * targets["columns"][0, :, None, :]
    return crops[0], maps, targets["weights"]


def peak(heatmap: np.ndarray) -> list[int]:
    y, x = np.unravel_index(heatmap.argmax(), heatmap.shape)
    return [int(x), int(y)]


def test_crop_and_targets_without_chance(picture):
    crop, maps, weights = draw(picture, sample(), NO_AUGMENTATION)
    assert np.array_equal(crop, crop_face(picture, CENTER, SIDE * 1.25, (128, 128)))
    matrix = face_matrix(CENTER, SIDE * 1.25, (32, 32))
    expected = (move_pixels(POINTS + 1, matrix) - 1).tolist()
    assert [peak(one) for one in maps] == expected
    assert maps.max(axis=(1, 2)).tolist() == [1, 1, 1]
    assert weights.tolist() == [[1, 1, 1]]


def test_mirrored_points_change_sides(picture):
    always = PoseAugmentation(flip=1, scale=0, rotation_deg=0, half_body=0)
    crop, maps, _ = draw(picture, sample(), always)
    center = np.array([120 - CENTER[0], CENTER[1]])
    assert np.array_equal(crop, crop_face(picture[:, ::-1], center, SIDE * 1.25, (128, 128)))
    mirrored = POINTS[[1, 0, 2]].copy()
    mirrored[:, 0] = 120 - mirrored[:, 0]
    matrix = face_matrix(center, SIDE * 1.25, (32, 32))
    assert [peak(one) for one in maps] == (move_pixels(mirrored + 1, matrix) - 1).tolist()


def test_what_is_not_labelled_has_an_empty_target_that_counts(picture):
    above = POINTS.copy()
    above[1, 1] = 0  # a published landmark at y <= 0 is none
    _, maps, weights = draw(picture, sample((0, 2, 2), above), NO_AUGMENTATION)
    assert maps.max(axis=(1, 2)).tolist() == [0, 0, 1]
    assert weights.tolist() == [[1, 1, 1]]


def test_scale_and_rotation_stay_within_their_bounds(picture):
    augmentation = PoseAugmentation(flip=0, scale=0.25, rotation_deg=30, half_body=0)
    spots = []
    for seed in range(40):
        _, targets = draw_faces(
            [sample()],
            [picture],
            [np.random.default_rng(seed)],
            spec=spec_of(),
            augmentation=augmentation,
        )
        spots.append([targets["columns"][0, 2].argmax(), targets["rows"][0, 2].argmax()])
    assert len({tuple(one) for one in np.array(spots).tolist()}) > 3
    # The nose is 1 and 5 pixels from the centre: within 5.1 * 32 / (80 * 0.75) of the middle.
    assert np.abs(np.array(spots) - 16).max() <= 4


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"input_size": (128, 96)}, "as wide as high"),
        (
            {
                "network": NetworkSpec(
                    variant="small_hrnet_w16", task="pose", num_outputs=3, presence=True
                )
            },
            "has no presence",
        ),
    ],
)
def test_what_the_codec_does_not_take(changes, message):
    with pytest.raises(ValueError, match=message):
        spec_of(**changes)
