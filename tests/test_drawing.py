"""Drawing: colours by side, width by size, doubt faded, nothing outside touched."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hrnet.drawing import draw_capsule
from hrnet.errors import InputError
from hrnet.skeleton import COCO_PERSON, Skeleton
from hrnet.tasks.pose.drawing import (
    LEFT,
    MIDDLE,
    RIGHT,
    line_width_px,
    side_colors,
)
from hrnet.tasks.pose.result import Poses, draw_poses

PAIR = Skeleton(("left_hand", "right_hand", "head"), ((0, 2), (1, 2)), ((0, 1),))
GREY = np.full((100, 120, 3), 90, dtype=np.uint8)


def make_poses(points: list, scores: list, box: tuple = (0, 0, 120, 100)) -> Poses:
    count = len(points)
    return Poses(
        keypoints=np.array(points, np.float32).reshape(count, 3, 2),
        keypoint_scores=np.array(scores, np.float32).reshape(count, 3),
        boxes=np.array([box] * count, np.float32).reshape(count, 4),
        scores=np.ones(count),
        skeleton=PAIR,
        image_size=(100, 120),
    )


TRIANGLE = [(20, 80), (100, 80), (60, 20)]


def test_sides_have_their_colors() -> None:
    drawn = draw_poses(GREY, make_poses([TRIANGLE], [[1, 1, 1]]))
    for (x, y), color in zip(TRIANGLE, (LEFT, RIGHT, MIDDLE), strict=True):
        assert tuple(drawn[y, x].tolist()) == color
    assert tuple(drawn[50, 40].tolist()) == LEFT  # half way up the left bone
    assert tuple(drawn[50, 80].tolist()) == RIGHT
    assert (drawn[90:, 45:75] == 90).all()


def test_the_picture_given_is_not_changed() -> None:
    image = GREY.copy()
    image.setflags(write=False)
    draw_poses(image, make_poses([TRIANGLE, TRIANGLE], [[1, 1, 1]] * 2))
    assert (image == 90).all()


@pytest.mark.parametrize("image", [None, GREY * np.nan, GREY[:50], np.repeat(GREY, 11, axis=2)])
def test_nothing_is_drawn_on_what_is_not_the_picture(image) -> None:
    with pytest.raises(InputError, match="expected "):
        draw_poses(image, make_poses([TRIANGLE], [[1, 1, 1]]))


def test_pictures_of_other_channels_are_drawn_on_in_their_first_three() -> None:
    poses = make_poses([TRIANGLE], [[1, 1, 1]])
    five = np.concatenate([GREY, np.zeros_like(GREY[..., :2])], axis=2)
    np.testing.assert_array_equal(draw_poses(five, poses), draw_poses(GREY, poses))
    exact = GREY.astype(np.float32)
    exact[0, 0], exact[0, 1] = 0, 255
    np.testing.assert_array_equal(draw_poses(exact, poses)[1:], draw_poses(GREY, poses)[1:])


def test_a_grey_picture_is_drawn_on_in_colour() -> None:
    poses = make_poses([TRIANGLE], [[1, 1, 1]])
    np.testing.assert_array_equal(draw_poses(GREY[..., 0], poses), draw_poses(GREY, poses))


def test_doubt_fades_and_vanishes() -> None:
    def left(score: float) -> float:
        drawn = draw_poses(GREY, make_poses([TRIANGLE], [[score, 1, 1]]))
        return float(np.abs(drawn[80, 20].astype(float) - 90).sum())

    assert left(0.05) == 0
    assert 0 < left(0.25) < left(0.4) < left(0.9)


def test_edges_are_antialiased() -> None:
    drawn = draw_poses(GREY, make_poses([[(20.3, 80.4)] * 3], [[1, 0, 0]]))
    assert len(np.unique(drawn[76:86, 15:26, 0])) > 4


def test_points_outside_the_picture_do_no_harm() -> None:
    far = [(-500, -500), (5000, 40), (60, 2000)]
    drawn = draw_poses(GREY, make_poses([far, far], [[1, 1, 1]] * 2, (-50, -50, 500, 300)))
    assert drawn.shape == GREY.shape


def test_no_subjects_draw_nothing() -> None:
    np.testing.assert_array_equal(draw_poses(GREY, make_poses([], [])), GREY)


def test_several_subjects_get_boxes() -> None:
    poses = make_poses([TRIANGLE, TRIANGLE], [[0, 0, 0]] * 2, (30, 30, 90, 90))
    assert tuple(draw_poses(GREY, poses)[60, 30].tolist()) == MIDDLE


def test_tall_pictures_have_no_seams() -> None:
    """The strips in which a long bone is drawn join without a trace."""
    image = np.zeros((700, 40, 3), dtype=np.uint8)
    poses = make_poses([[(20, 5), (20, 5), (20, 695)]], [[1, 0, 1]], (0, 0, 40, 700))
    drawn = draw_poses(image, replace(poses, image_size=(700, 40)))
    assert (drawn[20:680] == drawn[20]).all()


points = st.tuples(st.floats(-200, 400, width=32), st.floats(-200, 400, width=32))


@settings(max_examples=60)
@given(start=points, end=points, radius=st.floats(0.4, 20))
def test_every_pixel_is_covered_by_its_distance_to_the_bone(start, end, radius) -> None:
    """Whatever the slant, the strips in which it is drawn miss nothing."""
    drawn = np.zeros((150, 110, 3), np.uint8)
    first, last = np.array(start, np.float32), np.array(end, np.float32)
    draw_capsule(drawn, first, last, radius, (200, 200, 200), 1.0)
    y, x = np.mgrid[:150, :110].astype(float)
    along = last.astype(float) - first
    length2 = max(float(along @ along), 1e-30)
    share = ((x - first[0]) * along[0] + (y - first[1]) * along[1]) / length2
    share = share.clip(0, 1)
    distance = np.hypot(x - first[0] - share * along[0], y - first[1] - share * along[1])
    expected = 200 * np.clip(radius + 0.5 - distance, 0, 1)
    assert np.abs(drawn[..., 0] - expected).max() <= 1


def test_width_follows_the_size() -> None:
    small, large = (np.array([0, 0, side, side], np.float32) for side in (300, 600))
    assert line_width_px(large) == 2 * line_width_px(small)


def test_coco_colors() -> None:
    colors = side_colors(COCO_PERSON)
    assert colors[:3] == [MIDDLE, LEFT, RIGHT]
