"""Sigmas from several annotators: the estimator finds what was drawn, and joins the right ones."""

import numpy as np
import pytest

from hrnet.data import sigmas
from hrnet.data.coco_file import parse_annotation
from hrnet.data.sigmas import MIN_SUBJECTS

SIGMAS = np.array([0.02, 0.1])


def annotator_spread(entries, num_keypoints):
    """The spread of annotations as they stand in a file."""
    annotations = [parse_annotation(one, 0, [one["image_id"]]) for one in entries]
    return sigmas.annotator_spread(annotations, num_keypoints)


def annotation(image, annotator, points, box=(0, 0, 100, 50), **more) -> dict:
    keypoints = [float(number) for x, y in points for number in (x, y, 2)]
    return {
        "image_id": image, "annotator": annotator, "keypoints": keypoints, "bbox": list(box), **more
    }  # fmt: skip


def drawn(subjects: int, annotators: int, area: float = 2500.0, seed: int = 0) -> list[dict]:
    """Annotators whose points deviate by SIGMAS times the root of the area."""
    generator = np.random.default_rng(seed)
    deviation = SIGMAS[:, None] * np.sqrt(area / 2)  # on each axis, so 2D distances have sigma
    return [
        annotation(image, f"a{one}", 50 + generator.normal(size=(2, 2)) * deviation, area=area)
        for image in range(subjects)
        for one in range(annotators)
    ]


@pytest.mark.parametrize("annotators", [2, 3, 5])
def test_the_spread_that_was_drawn_is_found_without_bias(annotators):
    spread = annotator_spread(drawn(4000, annotators), 2)
    np.testing.assert_allclose(spread.sigmas, SIGMAS, rtol=0.03)
    assert spread.subjects == (4000, 4000)
    assert spread.num_subjects == 4000


def test_the_estimate_in_figures():
    """Two annotators 6 and 8 pixels apart in x and y: each is 5 from the mean, area 100."""
    pairs = [
        annotation(image, who, [point, (0, 0)], area=100)
        for image in range(MIN_SUBJECTS)
        for who, point in (("a", (10, 10)), ("b", (16, 18)))
    ]
    spread = annotator_spread(pairs, 2)
    assert spread.sigmas[0] == pytest.approx(np.sqrt((25 + 25) / 100))
    assert spread.sigmas[1] is None  # all agree exactly: no sigma can be 0


def test_without_an_area_it_is_that_of_the_box():
    without = [{k: v for k, v in one.items() if k != "area"} for one in drawn(50, 2)]
    ratio = annotator_spread(drawn(50, 2), 2).sigmas[0] / annotator_spread(without, 2).sigmas[0]
    assert ratio == pytest.approx(np.sqrt(0.53 * 5000 / 2500))


def test_ten_subjects_are_needed_for_each_keypoint():
    many = drawn(MIN_SUBJECTS, 2)
    many[0]["keypoints"][5] = 0  # one subject has the second keypoint from one annotator alone
    spread = annotator_spread(many, 2)
    assert spread.sigmas[0] is not None
    assert spread.sigmas[1] is None
    assert spread.subjects == (MIN_SUBJECTS, MIN_SUBJECTS - 1)


@pytest.mark.parametrize(
    ("second", "joined"),
    [
        ({}, 1),
        ({"annotator": "a"}, 0),  # the same annotator twice
        ({"annotator": None}, 0),
        ({"annotator": None, "created_by": "b"}, 1),
        ({"annotator": None, "annotator_id": 7}, 1),
        ({"bbox": [0, 0, 50, 50]}, 1),  # IoU 0.5
        ({"bbox": [0, 0, 49, 50]}, 0),
        ({"image_id": 1}, 0),
        ({"iscrowd": 1}, 0),
        ({"keypoints": [1, 2, 2]}, 0),
        ({"keypoints": "nose"}, 0),
        ({"keypoints": [1, 2, 2, None, 3, 2]}, 0),
        ({"keypoints": [1, 2, 2, float("nan"), 3, 2]}, 0),
        ({"bbox": [0, 0, 100, 0]}, 0),
        ({"subject_id": 3}, 0),  # only one of them has an id
    ],
)
def test_which_annotations_are_of_one_subject(second, joined):
    one = annotation(0, "a", [(1, 1), (2, 2)])
    other = annotation(0, "b", [(2, 1), (3, 2)]) | second
    assert annotator_spread([one, other], 2).num_subjects == joined


@pytest.mark.parametrize("key", ["subject_id", "instance_id"])
def test_a_shared_id_joins_whatever_the_boxes_are(key):
    one = annotation(0, "a", [(1, 1), (2, 2)], **{key: 4})
    other = annotation(0, "b", [(2, 1), (3, 2)], (200, 0, 9, 9), **{key: 4})
    assert annotator_spread([one, other], 2).num_subjects == 1
    assert annotator_spread([one, other | {key: 5}], 2).num_subjects == 0


def test_the_largest_overlap_is_joined_first():
    """Two subjects side by side, each labelled by two annotators; all boxes overlap by half."""
    boxes = {"first": (0, 0, 100, 100), "second": (20, 0, 100, 100)}
    given = [
        annotation(image, who, [(place, 0), (place, 0)], box, area=1)
        for image in range(MIN_SUBJECTS)
        for who in ("a", "b")
        for place, box in zip((0, 1000), boxes.values(), strict=True)
    ]
    spread = annotator_spread(given, 2)
    assert spread.num_subjects == 2 * MIN_SUBJECTS
    assert spread.sigmas == (None, None)  # the annotators of a subject agree; else it were 500


def test_nothing_is_inferred_from_nothing():
    assert annotator_spread([], 3).sigmas == (None, None, None)
