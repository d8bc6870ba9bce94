"""The skeletons of published data sets are whole, and mirror as their names say."""

import tomllib
from pathlib import Path

import pytest

import hrnet.skeleton
from hrnet.errors import InputError
from hrnet.skeleton import (
    COCO_PERSON,
    DEFAULT_SIGMA,
    infer_flip_pairs,
    published_skeleton,
    skeleton_names,
)
from hrnet.weights.published.rows import rows

COUNTS = {
    "coco": 17,
    "humanart": 17,
    "mpii": 16,
    "aic": 14,
    "coco_aic": 19,
    "crowdpose": 14,
    "posetrack18": 17,
    "exlpose": 14,
    "coco_wholebody": 133,
    "ubody": 133,
    "coco_wholebody_hand": 21,
    "onehand10k": 21,
    "freihand": 21,
    "rhd2d": 21,
    "300w": 68,
    "300wlp": 68,
    "coco_wholebody_face": 68,
    "aflw": 19,
    "cofw": 29,
    "wflw": 98,
    "ap10k": 17,
    "animalpose": 20,
    "animalkingdom": 23,
    "deepfashion_upper": 6,
    "deepfashion_lower": 4,
    "deepfashion_full": 8,
}
FACES = {"300w": 29, "coco_wholebody_face": 29, "aflw": 8, "cofw": 11, "wflw": 44, "300wlp": 0}
"""Pairs of data sets whose keypoints are numbered."""


def test_the_names_are_known() -> None:
    assert set(skeleton_names()) == set(COUNTS)
    assert {row.facts["skeleton"] for row in rows() if "skeleton" in row.facts} <= set(COUNTS)
    assert published_skeleton("humanart") is COCO_PERSON
    with pytest.raises(InputError, match="coco_wholebody"):
        published_skeleton("coco-wholebody")


@pytest.mark.parametrize("name", COUNTS)
def test_a_skeleton_is_whole(name: str) -> None:
    skeleton = published_skeleton(name)
    assert skeleton.num_keypoints == COUNTS[name]
    order = skeleton.flip_order
    assert [order[k] for k in order] == list(range(COUNTS[name]))
    assert all(first != second for first, second in (*skeleton.edges, *skeleton.flip_pairs))
    assert len({frozenset(edge) for edge in skeleton.edges}) == len(skeleton.edges)


@pytest.mark.parametrize("name", COUNTS)
def test_sides_mirror_as_the_names_say(name: str) -> None:
    skeleton = published_skeleton(name)
    numbered = [k for k, keypoint in enumerate(skeleton.names) if keypoint[-1].isdigit()]
    named = {pair for pair in skeleton.flip_pairs if pair[0] not in numbered}
    by_name = {pair for pair in infer_flip_pairs(skeleton.names) if pair[0] not in numbered}
    assert named == by_name
    if name in FACES:
        assert len(skeleton.flip_pairs) == FACES[name]


def test_the_whole_body_is_its_parts() -> None:
    """The face and the hands of COCO-WholeBody mirror, and have the sigmas, of the parts alone."""
    whole, face = published_skeleton("coco_wholebody"), published_skeleton("coco_wholebody_face")
    hand = published_skeleton("coco_wholebody_hand")
    assert whole.sigmas == (
        *COCO_PERSON.sigmas,
        *whole.sigmas[17:23],
        *face.sigmas,
        *hand.sigmas,
        *hand.sigmas,
    )
    inside = {(a - 23, b - 23) for a, b in whole.flip_pairs if 23 <= a < 91}
    assert inside == set(face.flip_pairs)
    assert {(91 + k, 112 + k) for k in range(21)} <= set(whole.flip_pairs)


def test_sigmas_are_of_every_keypoint_or_left_out() -> None:
    """Left out they are all one default; a wrong number would have been refused."""
    file = Path(hrnet.skeleton.__file__).with_name("skeletons.toml")
    for name, facts in tomllib.loads(file.read_text()).items():
        if "same_as" not in facts and "sigmas" not in facts:
            assert set(published_skeleton(name).sigmas) == {DEFAULT_SIGMA}
