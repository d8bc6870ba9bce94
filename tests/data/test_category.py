"""Mirror pairs and sigmas of a category: given, inferred or the default, and told where from."""

import numpy as np
import pytest

from hrnet.data.category import describe_category
from hrnet.data.coco import parse_keypoints
from hrnet.data.coco_file import parse_annotation
from hrnet.data.findings import Findings
from hrnet.errors import InputError
from hrnet.skeleton import COCO_PERSON, DEFAULT_SIGMA, published_skeleton

NAMES = ["head", "wing_a", "wing_b", "tail"]


@pytest.mark.parametrize(
    ("given", "pairs"),
    [
        ([["wing_a", "wing_b"]], ((1, 2),)),
        ([[2, 1]], ((2, 1),)),
        ([["head", 3], [1, "wing_b"]], ((0, 3), (1, 2))),
        ([], ()),
        (None, ()),
    ],
)
def test_flip_pairs_of_the_category(given, pairs):
    described = describe_category({"keypoints": NAMES, "flip_pairs": given})
    assert described.skeleton.flip_pairs == pairs
    assert described.flips_given == (given is not None)


def test_given_pairs_come_before_names_and_names_tell_the_left_one():
    names = ["left_eye", "right_eye", "left_ear", "right_ear"]
    described = describe_category({"keypoints": names, "flip_pairs": [["right_eye", "left_eye"]]})
    assert described.skeleton.flip_pairs == ((0, 1),)
    assert describe_category({"keypoints": names}).skeleton.flip_pairs == ((0, 1), (2, 3))


def test_coco_names_with_pairs_of_their_own():
    described = describe_category({"keypoints": COCO_PERSON.names, "flip_pairs": []})
    assert described.skeleton.flip_pairs == ()
    assert described.skeleton.sigmas == COCO_PERSON.sigmas
    assert described.sigmas_source == "COCO"


@pytest.mark.parametrize("name", ["mpii", "ap10k", "coco_wholebody"])
def test_published_names_have_published_sigmas_and_an_upper_half(name):
    known = published_skeleton(name)
    described = describe_category({"keypoints": list(known.names)})
    assert described.skeleton.sigmas == known.sigmas
    assert described.skeleton.upper_body == known.upper_body != ()
    assert described.skeleton.edges == known.edges
    assert described.sigmas_source == name
    given = {"keypoints": list(known.names), "sigmas": [0.1] * known.num_keypoints}
    with_sigmas = describe_category(given)
    assert with_sigmas.skeleton.upper_body == known.upper_body
    assert with_sigmas.skeleton.sigmas == (0.1,) * known.num_keypoints
    assert with_sigmas.sigmas_source == "annotation file"


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("wings", r"expected flip_pairs as pairs .* got 'wings'; write them as \[\[left, right\]"),
        ([1, 2], "expected flip_pairs as pairs .* got 1;"),
        ([[1, 2, 3]], r"expected flip_pairs as pairs .* got \[1, 2, 3\];"),
        ([["wing_a", "wing_c"]], "flip_pairs names 'wing_c', which is no keypoint; use the names"),
        ([["wing_a", 1.5]], "flip_pairs names 1.5, which is no keypoint"),
        ([[1, 4]], r"flip pair \(1, 4\) names a keypoint outside 0..3"),
        ([[1, 2], [1, 3]], "mirrors one other at most"),
    ],
)
def test_wrong_flip_pairs_are_one_line(given, message):
    category = {"id": 1, "keypoints": NAMES, "flip_pairs": given}
    with pytest.raises(InputError, match=message):
        describe_category(category)
    content = {"images": [], "annotations": [], "categories": [category]}
    with pytest.raises(InputError, match=f"a.json: .*{message}") as caught:
        parse_keypoints("a.json", "images", content)
    assert "\n" not in str(caught.value)


def labelled_twice(subjects: int) -> list[dict]:
    """Two annotators; of the last keypoint only nine subjects have both."""
    generator = np.random.default_rng(1)
    found = []
    for image in range(subjects):
        for who in "ab":
            points = generator.normal(50, 3, (4, 2))
            triples = np.column_stack([points, [2, 2, 2, 2 if image < 9 else 0]])
            found.append(
                {
                    "id": len(found), "image_id": image, "category_id": 1, "annotator": who,
                    "bbox": [1, 1, 90, 90], "area": 900, "keypoints": triples.ravel().tolist(),
                }
            )  # fmt: skip
    return found


def test_where_each_sigma_comes_from():
    twice = [parse_annotation(one, 0, range(12)) for one in labelled_twice(12)]
    described = describe_category({"keypoints": NAMES}, twice)
    assert described.sigma_sources == ("annotators (12 subjects)",) * 3 + ("default",)
    assert described.skeleton.sigmas[3] == DEFAULT_SIGMA
    assert all(0.05 < sigma < 0.3 for sigma in described.skeleton.sigmas[:3])
    assert described.sigmas_source == (
        "spread of annotators for 3 of 4 keypoints, default 0.05 for the others"
    )
    assert describe_category({"keypoints": NAMES[:3]}, twice).sigmas_source.startswith("default")
    given = describe_category({"keypoints": NAMES, "sigmas": [0.1] * 4}, twice)
    assert given.sigma_sources == ("annotation file",) * 4
    assert describe_category({"keypoints": NAMES}).sigma_sources == ("default",) * 4


def test_training_and_evaluation_take_the_same(tmp_path):
    category = {"id": 1, "keypoints": NAMES, "flip_pairs": [["wing_a", "wing_b"]]}
    twice = labelled_twice(12)
    images = [
        {"id": image, "file_name": f"{image}.jpg", "height": 99, "width": 99} for image in range(12)
    ]
    dataset = parse_keypoints(
        tmp_path / "a.json",
        tmp_path,
        {"images": images, "annotations": twice, "categories": [category, {"id": 2}]},
    )
    typed = [parse_annotation(one, 0, range(12)) for one in twice]
    assert dataset.described == describe_category(category, typed)
    assert dataset.skeleton.flip_pairs == ((1, 2),)
    assert "3 of 4" in dataset.sigmas_source
    assert len(dataset.samples) == 24


@pytest.mark.parametrize(
    ("bones", "edges"),
    [
        ([["head", "tail"], ["wing_a", "head"]], ((0, 3), (1, 0))),
        ([["head", 2], [1, 4.0]], ((0, 1), (0, 3))),
        ([["head", "nose"], [1, 2], [1, 2, 3], "x", [1, None]], ((0, 1),)),
        ([[1, float("inf")], [10**400, 1]], ()),
        (3, ()),
        ({"a": 1}, ()),
    ],
)
def test_bones_are_pairs_of_names_or_numbers_and_stop_nothing(bones, edges):
    assert describe_category({"keypoints": NAMES, "skeleton": bones}).skeleton.edges == edges


@pytest.mark.parametrize(
    "names", [["a", "n" * 400], ["\udc80" * 300], [f"k{place}" for place in range(1001)], [10**400]]
)
def test_names_beyond_all_bounds_are_one_error(names):
    with pytest.raises(InputError, match=r"a skeleton has at most|text that can be written"):
        describe_category({"keypoints": names})
    findings = Findings()
    described = describe_category({"keypoints": names, "skeleton": [[1, 1]]}, (), findings)
    assert len(findings.errors) == 1
    assert described.skeleton.num_keypoints <= 1000


def test_bones_beyond_all_bounds_are_left_out():
    names = [f"k{place}" for place in range(80)]
    bones = [[a, b] for a in range(1, 81) for b in range(1, a)]
    findings = Findings()
    described = describe_category({"keypoints": names, "skeleton": bones}, (), findings)
    assert len(described.skeleton.edges) == 3000
    assert "160 of 3160" in findings.warnings[0].line
