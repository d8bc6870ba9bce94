"""Skeletons: which descriptions are refused and how left and right are paired."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hrnet.errors import InputError
from hrnet.skeleton import COCO_PERSON, DEFAULT_SIGMA, Skeleton, infer_flip_pairs, one_sided


@pytest.mark.parametrize(
    ("left", "right"),
    [pair.split("/") for pair in "left_eye/right_eye eye_left/eye_right l_eye/r_eye eye_l/eye_r "
     "LeftEye/RightEye leftEye/rightEye EyeLeft/EyeRight LEFT_EYE/RIGHT_EYE left-eye/right-eye "
     "leftear/rightear front_left_paw/front_right_paw LHip/RHip hipL/hipR lHip/rHip L_Eye/R_Eye "
     "legL2/legR2 "
     "Eye_L/Eye_R hand.L/hand.R hand.l/hand.r l-eye/r-eye L_F_Paw/R_F_Paw lefteye/righteye "
     "paw_front_l_1/paw_front_r_1 l1/r1 L/R l/r left/right mixamorig:LeftArm/mixamorig:RightArm"
     .split()] + [("Left Eye", "Right Eye"), ("left eye", "right eye"), ("eye L", "eye R")],
)  # fmt: skip
def test_naming_styles_of_left_and_right(left, right):
    assert infer_flip_pairs(["nose", right, left]) == ((2, 1),)
    assert infer_flip_pairs([left, "tail", right]) == ((0, 2),)


@pytest.mark.parametrize(
    "names",
    [
        ["nose", "neck"],
        ["left_eye", "nose"],
        ["right_eye", "nose"],
        ["lip", "rip", "heel", "heer"],
        ["tail", "tair", "Lung", "rung"],
        [],
    ],
)
def test_names_without_a_partner_are_in_no_pair(names):
    assert infer_flip_pairs(names) == ()


def test_the_pairs_of_coco_follow_from_its_names():
    assert infer_flip_pairs(COCO_PERSON.names) == COCO_PERSON.flip_pairs


@pytest.mark.parametrize(
    ("names", "lone"),
    [
        (["nose", "left_eye", "right_eye", "left_ear"], (3,)),
        (["RHip", "LHip", "R_Paw", "hip.R", "tailL", "legR12"], (2, 3, 4, 5)),
        (["upright", "cleft", "bright_spot", "lip", "rib", "tail", "Lung"], ()),
        (["right eye", "l_1", "Left"], (0, 1, 2)),
    ],
)
def test_names_with_a_side_but_no_partner(names, lone):
    assert one_sided(names, infer_flip_pairs(names)) == lone


words = st.sampled_from(["left", "right", "Left", "RIGHT", "l", "r", "L", "R", "eye", "paw"])
names = st.lists(words, min_size=1, max_size=3).map("_".join)


@settings(max_examples=100)
@given(st.lists(names, min_size=1, max_size=12, unique=True))
def test_inferred_pairs_always_make_a_skeleton(names):
    order = Skeleton(tuple(names), flip_pairs=infer_flip_pairs(names)).flip_order
    assert [order[index] for index in order] == list(range(len(names)))


def test_flip_order_swaps_the_pairs_only():
    skeleton = Skeleton(("a", "left", "b", "right"), flip_pairs=((1, 3),))
    assert skeleton.flip_order == (0, 3, 2, 1)
    assert skeleton.num_keypoints == 4
    assert Skeleton(("a", "b")).flip_order == (0, 1)


def test_keypoints_nobody_measured_have_the_default_sigma():
    assert Skeleton(("a", "b")).sigmas == (DEFAULT_SIGMA, DEFAULT_SIGMA)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"names": ()}, "at least one keypoint name, got none"),
        ({"names": ("a", "b", "a")}, r"must differ, got \['a'\] more than once; rename"),
        ({"sigmas": (0.1,)}, r"expected 2 positive sigmas.*got \[0.1\]; give one for each"),
        ({"sigmas": (0.1, 0.0)}, r"positive sigmas.*got \[0.1, 0.0\]"),
        ({"sigmas": (0.1, float("nan"))}, r"positive sigmas.*got \[0.1, nan\]"),
        ({"sigmas": (0.1, float("inf"))}, r"positive sigmas.*got \[0.1, inf\]"),
        ({"edges": ((0, 2),)}, r"edge \(0, 2\) names a keypoint outside 0..1; .*from 0"),
        ({"edges": ((-1, 0),)}, r"edge \(-1, 0\) names a keypoint outside 0..1"),
        ({"flip_pairs": ((1, 2),)}, r"flip pair \(1, 2\) names a keypoint outside 0..1"),
        ({"flip_pairs": ((0, 1), (1, 0))}, "mirrors one other at most, got pairs"),
        ({"flip_pairs": ((1, 1),)}, "mirrors one other at most, got pairs"),
        ({"upper_body": (0, 2)}, r"upper body \(2,\) names a keypoint outside 0..1"),
    ],
)
def test_wrong_skeletons_are_refused_in_one_line(arguments, message):
    with pytest.raises(InputError, match=message) as error:
        Skeleton(**{"names": ("a", "b"), **arguments})
    assert "\n" not in str(error.value)
