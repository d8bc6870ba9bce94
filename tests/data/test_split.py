"""Splits keep images and groups whole, meet the shares, and lose nothing."""

import json
from collections import Counter

import numpy as np
import pytest

from hrnet.data.coco import read_keypoints
from hrnet.data.split import split_dataset
from hrnet.errors import InputError


def content_of(images: int, videos: int = 5) -> dict:
    """Two subjects in each image; the images of a video have numbers apart."""
    return {
        "info": {"year": 2020},
        "licenses": [{"id": 4, "name": "a licence"}],
        "images": [
            {"id": n, "file_name": f"{n}.jpg", "height": 9, "width": 9, "video_id": n % videos}
            for n in range(1, images + 1)
        ],
        "annotations": [
            {
                "id": 10 * n + k,
                "image_id": n,
                "category_id": 2,
                "bbox": [1, 1, 6, 6],
                "keypoints": [1, 1, 2, 3, 3 + k, 2],
            }
            for n in range(1, images + 1)
            for k in (0, 1)
        ],
        "categories": [{"id": 2, "name": "pet", "keypoints": ["a", "b"]}],
        "more": {"kept": True},
    }


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "all.json"
    path.write_text(json.dumps(content_of(40)))
    return path


def ids(part) -> list[int]:
    return [image["id"] for image in json.loads(part.file.read_text())["images"]]


@pytest.mark.parametrize(
    ("val", "test", "counts"),
    [(0.1, 0, [36, 4]), (0.25, 0.25, [20, 10, 10]), (0, 0, [40]), (0.001, 0, [39, 1])],
)
def test_shares_are_met_and_every_image_is_in_one_part(file, tmp_path, val, test, counts):
    parts = split_dataset(file, tmp_path / "out", val=val, test=test)
    assert [part.images for part in parts] == counts
    assert [part.subjects for part in parts] == [2 * images for images in counts]
    assert [part.file.name for part in parts] == ["train.json", "val.json", "test.json"][
        : len(counts)
    ]
    assert sorted(number for part in parts for number in ids(part)) == list(range(1, 41))


def test_everything_else_is_kept_and_subjects_go_with_their_image(file, tmp_path):
    whole = content_of(40)
    for part in split_dataset(file, tmp_path / "out", val=0.3):
        content = json.loads(part.file.read_text())
        for key in ("info", "licenses", "categories", "more"):
            assert content[key] == whole[key]
        per_image = Counter(one["image_id"] for one in content["annotations"])
        assert per_image == dict.fromkeys(ids(part), 2)
        assert len(read_keypoints(part.file, tmp_path).samples) == part.subjects


@pytest.mark.parametrize("group", [None, "video_id"])
def test_a_picture_that_is_listed_twice_is_in_one_part(tmp_path, group):
    content = content_of(40, videos=20)
    for image in content["images"][::2]:
        image["file_name"] = f"./{image['id'] + 1}.jpg"
    (tmp_path / "all.json").write_text(json.dumps(content))
    parts = split_dataset(tmp_path / "all.json", tmp_path / "out", val=0.3, group=group)
    train, val = ({(number + 1) // 2 for number in ids(part)} for part in parts)
    assert not train & val
    assert sum(part.images for part in parts) == 40


def test_a_seed_fixes_the_parts(file, tmp_path):
    def val(seed):
        return ids(split_dataset(file, tmp_path / "out", seed=seed, force=True)[1])

    assert val(1) == val(1)
    assert val(1) != val(2)


@pytest.mark.parametrize("seed", range(5))
def test_groups_stay_together(file, tmp_path, seed):
    parts = split_dataset(file, tmp_path / "out", val=0.2, group="video_id", seed=seed)
    assert [part.groups for part in parts] == [4, 1]
    videos = [{number % 5 for number in ids(part)} for part in parts]
    assert not videos[0] & videos[1]


def test_a_part_smaller_than_the_groups_takes_one(file, tmp_path):
    parts = split_dataset(file, tmp_path / "out", val=0.01, group="video_id")
    assert [part.images for part in parts] == [32, 8]


def test_images_without_the_key_stand_alone(tmp_path):
    content = content_of(12)
    for image in content["images"][:6]:
        del image["video_id"]
    path = tmp_path / "all.json"
    path.write_text(json.dumps(content))
    parts = split_dataset(path, tmp_path / "out", val=0.3, group="video_id")
    assert sum(part.groups for part in parts) == 6 + 5


def test_sigmas_of_annotators_are_those_of_the_whole_file(tmp_path):
    content = content_of(20)
    generator = np.random.default_rng(0)
    for one in content["annotations"]:
        one["annotator"] = one["id"] % 2
        one["keypoints"] = [*generator.normal(4, 1, 2).tolist(), 2] * 2
    path = tmp_path / "all.json"
    path.write_text(json.dumps(content))
    whole = read_keypoints(path, tmp_path)
    assert whole.sigmas_source == "spread of annotators for 2 of 2 keypoints"
    for part in split_dataset(path, tmp_path / "out", val=0.2):
        assert read_keypoints(part.file, tmp_path).skeleton.sigmas == whole.skeleton.sigmas


@pytest.mark.parametrize(
    ("how", "message"),
    [
        ({"val": 1}, "expected --val and --test as shares from 0, together below 1, got 1 and"),
        ({"val": -0.1}, "shares from 0"),
        ({"val": 0.5, "test": 0.6}, "together below 1"),
        ({"val": float("nan")}, "shares from 0"),
        ({"group": "clip"}, r"no image has the key 'clip' of --group; images have file_name, h"),
    ],
)
def test_wrong_wishes_are_one_line(file, tmp_path, how, message):
    with pytest.raises(InputError, match=message):
        split_dataset(file, tmp_path / "out", **how)
    assert not list((tmp_path / "out").glob("*.json"))


def test_too_few_groups(tmp_path):
    path = tmp_path / "all.json"
    path.write_text(json.dumps(content_of(1)))
    with pytest.raises(InputError, match="but val would get none of 1 groups of images; change"):
        split_dataset(path, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_nothing_is_replaced_unasked(file, tmp_path):
    (tmp_path / "val.json").write_text("mine")
    with pytest.raises(InputError, match=r"val\.json exists and is not replaced; name another"):
        split_dataset(file, tmp_path)
    assert (tmp_path / "val.json").read_text() == "mine"
    assert not (tmp_path / "train.json").exists()
    split_dataset(file, tmp_path, force=True)
    assert (tmp_path / "val.json").read_text() != "mine"


def test_the_input_is_never_replaced(tmp_path):
    path = tmp_path / "train.json"
    path.write_text(json.dumps(content_of(20)))
    with pytest.raises(InputError, match=r"train\.json is read by this command and would be lost"):
        split_dataset(path, tmp_path, force=True)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[1]", "expected a COCO file with the lists"),
        ('{"images": [1], "annotations": [], "categories": []}', "images that are no objects: 1"),
        ('{"images": [{}], "annotations": [], "categories": []}', "images without an id that is a"),
        (
            '{"images": [], "annotations": [{"id": 1}], "categories": []}',
            "annotations without an image_id: 1",
        ),
        (
            '{"categories":[],"images": [{"id": 1, "file_name": "a"}, {"id": 1, "file_name": "b"}],'
            '"annotations": []}',
            "image ids that occur more than once: 1",
        ),
        (
            '{"categories":[],"images": [{"id": 1, "file_name": "a", "height": 9, "width": 9}],'
            '"annotations": [{"id": 1, "image_id": 2}]}',
            "annotations of images that are not listed: 1",
        ),
        ("no", "expected JSON"),
    ],
)
def test_other_files_are_one_line(tmp_path, text, message):
    path = tmp_path / "all.json"
    path.write_text(text)
    with pytest.raises(InputError, match=message) as caught:
        split_dataset(path, tmp_path / "out")
    assert str(path) in str(caught.value)


def test_one_category_alone(tmp_path):
    content = content_of(20)
    content["categories"].append({"id": 3, "name": "toy", "keypoints": ["a"]})
    for one in content["annotations"][:10]:
        one |= {"category_id": 3, "keypoints": [1, 1, 2]}
    path = tmp_path / "all.json"
    path.write_text(json.dumps(content))
    with pytest.raises(InputError, match=r"different keypoints.*2 \(pet, toy\).*data split FILE"):
        read_keypoints(path, tmp_path)
    for name, images in (("pet", 15), ("toy", 5), ("3", 5)):
        (part,) = split_dataset(path, tmp_path / "out", val=0, category=name, force=True)
        assert (part.images, part.subjects) == (images, 2 * images)
        assert len(read_keypoints(part.file, tmp_path).samples) == part.subjects
    with pytest.raises(InputError, match=r"with keypoint names \(pet, toy\), got dog"):
        split_dataset(path, tmp_path / "out", category="dog")


def of_classes(*shown: tuple[int, ...], **keys: list[object]) -> dict:
    """Boxes of the categories that each image shows; keys: values of the images by name."""
    images = [
        {"id": n, "file_name": f"{n}.jpg", "height": 9, "width": 9}
        | {key: values[n] for key, values in keys.items()}
        for n in range(len(shown))
    ]
    pairs = [(n, category) for n, categories in enumerate(shown) for category in categories]
    annotations = [
        {"id": number, "image_id": n, "category_id": category, "bbox": [1, 1, 6, 6]}
        for number, (n, category) in enumerate(pairs)
    ]
    names = [{"id": n, "name": f"c{n}"} for n in sorted({one for _, one in pairs})]
    return {"images": images, "annotations": annotations, "categories": names}


@pytest.fixture
def parts_of(tmp_path):
    """Split a content; returns the parts, and the categories that the images of each one show."""

    def split(content, **how):
        path = tmp_path / "boxes.json"
        path.write_text(json.dumps(content))
        parts = split_dataset(path, tmp_path / "out", **{"force": True, **how})
        labels = [json.loads(part.file.read_text())["annotations"] for part in parts]
        return parts, [Counter(one["category_id"] for one in own) for own in labels]

    return split


@pytest.mark.parametrize("seed", range(5))
def test_each_class_with_two_pictures_is_in_both_parts(parts_of, seed):
    content = of_classes(*[(1,)] * 40, *[(2,)] * 10, (1, 3), (3,), (4, 1), (2, 4), (5,), *[()] * 10)
    parts, shown = parts_of(content, val=0.1, seed=seed)
    assert sum(part.images for part in parts) == 65
    assert shown[0] + shown[1] == Counter({1: 42, 2: 11, 3: 2, 4: 2, 5: 1})
    for label in (1, 2, 3, 4):
        assert shown[0][label] >= shown[1][label] >= 1
    # One picture alone stays in the training part, and the other part is said to lack it.
    assert [part.lacking for part in parts] == [(), ("c5",)]
    assert {part.kind for part in parts} == {"boxes"}


def test_large_classes_keep_their_shares(parts_of):
    content = of_classes(*[(1, 2)] * 100, *[(1,)] * 100, *[(2,)] * 50, *[()] * 50)
    parts, shown = parts_of(content, val=0.2, test=0.2)
    # Images of both classes count for each, so the sums are met less exactly.
    assert np.abs(np.subtract([part.images for part in parts], [180, 60, 60])).max() <= 5
    assert shown == [{1: 120, 2: 90}, {1: 40, 2: 30}, {1: 40, 2: 30}]


def test_classes_are_spread_by_whole_groups(parts_of):
    videos = [*("abcdefghij" * 4)]
    content = of_classes(*[(1,) if name in "abcdefgh" else (2,) for name in videos], video=videos)
    parts, shown = parts_of(content, val=0.2, group="video")
    assert [part.groups for part in parts] == [8, 2] or [part.groups for part in parts] == [7, 3]
    held = [{one["video"] for one in json.loads(p.file.read_text())["images"]} for p in parts]
    assert not held[0] & held[1]
    assert all(one[1] and one[2] for one in shown)


def test_a_small_group_and_not_the_largest_is_measured_on(parts_of):
    videos = ["a"] * 100 + ["b"] * 5 + ["c"] * 5
    for seed in range(6):
        parts, _ = parts_of(of_classes(*[(1,)] * 110, video=videos), group="video", seed=seed)
        assert parts[1].images in (5, 10)
