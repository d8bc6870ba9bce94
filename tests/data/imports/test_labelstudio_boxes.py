"""Label Studio's rectangles: percent become pixels, turned ones the upright box around them."""

import json
import math

import pytest

from hrnet.errors import InputError


def rectangle(x, y, width, height, label="Dog", **value) -> dict:
    box = {"x": x, "y": y, "width": width, "height": height, "rotation": 0}
    return {
        "original_width": 200,
        "original_height": 100,
        "image_rotation": 0,
        "value": box | {"rectanglelabels": [label]} | value,
        "id": f"r{x}",
        "type": "rectanglelabels",
    }


def task(*annotations, image="/data/upload/3/0a1b2c3d-a.jpg") -> dict:
    results = [
        {"id": 7 + n, "result": list(regions), "was_cancelled": False, "ground_truth": False}
        for n, regions in enumerate(annotations)
    ]
    return {"id": 1, "annotations": results, "data": {"image": image}, "predictions": []}


@pytest.fixture
def export(tmp_path, picture):
    picture(tmp_path / "a.jpg")
    picture(tmp_path / "b.jpg", (100, 200))

    def write(*tasks):
        file = tmp_path / "export.json"
        file.write_text(json.dumps(list(tasks)))
        return file

    return write


def test_percent_become_pixels(export, convert_boxes):
    odd = 100 / 3
    done = convert_boxes(
        export(
            task([rectangle(10, 20, 40, 60), rectangle(odd, odd, odd, odd, "Cat")]),
            task([rectangle(10, 20, 40, 60)], image="b.jpg"),
            task([], image="b.jpg"),
        )
    )
    assert done.report.format == "labelstudio"
    assert [name for name, _ in done.boxes] == ["Dog", "Cat", "Dog"]
    assert done.boxes[0][1] == [20, 20, 80, 60]
    assert done.boxes[1][1] == pytest.approx([200 / 3, odd, 200 / 3, odd], abs=1e-6)
    assert done.boxes[2][1] == [10, 40, 40, 120]
    assert done.dataset.class_names == ("Cat", "Dog")
    assert "3 tasks have 2 pictures; each picture is there once" in done.notes


def test_a_rectangle_turns_around_its_top_left_corner_in_pixels(export, convert_boxes):
    done = convert_boxes(
        export(
            task(
                [
                    rectangle(50, 20, 20, 10, rotation=90),  # 40 x 10 pixels at (100, 20)
                    rectangle(50, 20, 20, 10, rotation=30),
                    rectangle(50, 20, 20, 10, rotation=360),
                ]
            )
        )
    )
    cosine = math.cos(math.pi / 6)
    assert done.boxes[0][1] == pytest.approx([90, 20, 10, 40], abs=1e-6)
    tilted = [100 - 10 / 2, 20, 40 * cosine + 10 / 2, 40 / 2 + 10 * cosine]
    assert done.boxes[1][1] == pytest.approx(tilted, abs=1e-6)
    assert done.boxes[2][1] == [100, 20, 40, 10]
    assert "2 boxes are turned: the upright box around each was taken" in done.notes


def test_one_annotation_of_a_task_is_taken(export, convert_boxes):
    one = task([rectangle(10, 20, 40, 60)], [rectangle(12, 20, 40, 60)])
    assert [box[0] for _, box in convert_boxes(export(one)).boxes] == [20]
    one["annotations"][1]["ground_truth"] = True
    done = convert_boxes(export(one))
    assert [box[0] for _, box in done.boxes] == [24]
    assert "1 further annotations of a task were left out" in done.notes
    one["annotations"][1]["was_cancelled"] = True
    done = convert_boxes(export(one))
    assert [box[0] for _, box in done.boxes] == [20]
    assert "1 annotations that were skipped were left out" in done.notes


def without(key):
    region = rectangle(30, 20, 40, 60)
    del region["value"][key]
    return region


ODD = {
    "brush": ({"type": "brushlabels", "value": {"rle": [1]}}, "1 regions of other kinds were left"),
    "ellipse": ({"type": "ellipselabels", "value": {}}, "regions of other kinds were left out (el"),
    "no number": (without("x"), "region r30: expected numbers x, y, width, height and perhaps rot"),
    "text": (rectangle(30, "20", 4, 6), "1 rectangles were left out ("),
    "turn": (rectangle(30, 20, 4, 6, rotation="x"), "1 rectangles were left out ("),
    "no label": (without("rectanglelabels"), "expected a label for each region, one has none"),
    "two labels": (
        rectangle(30, 20, 4, 6, rectanglelabels=["Dog", "Pet"]),
        "1 further labels of a region were left out (Dog)",
    ),
    "turned picture": (
        rectangle(30, 20, 4, 6) | {"image_rotation": 90},
        "expected pictures that are not rotated",
    ),
    "no area": (rectangle(30, 20, 0, 6), "1 boxes without an area within their picture were left"),
    "no object": (3, "annotation 7: expected a list of regions, got 3 in it"),
}


@pytest.mark.parametrize("name", ODD)
def test_odd_regions_are_left_out_and_counted(export, convert_boxes, name):
    region, note = ODD[name]
    done = convert_boxes(export(task([rectangle(10, 20, 40, 60), region])))
    assert note in done.notes
    assert len(done.boxes) == 1 + (name == "two labels")


def test_nothing_but_odd_regions_is_one_line(export, convert_boxes):
    for region, message in (
        (without("width"), "expected numbers x, y, width, height"),
        ({"type": "brushlabels"}, "expected tasks with keypointlabels, rectanglelabels or"),
    ):
        with pytest.raises(InputError, match=message) as caught:
            convert_boxes(export(task([region])))
        assert "\n" not in str(caught.value)
    with pytest.raises(InputError, match=r"1 pictures are not in .* \(c\.jpg\)"):
        convert_boxes(export(task([rectangle(10, 20, 40, 60)], image="c.jpg")))
    with pytest.raises(InputError, match="expected keypoints for --names, found boxes alone"):
        convert_boxes(export(task([rectangle(10, 20, 40, 60)])), names=("nose",))


def test_keypoints_go_before_boxes(export, convert):
    point = {"type": "keypointlabels", "value": {"x": 20, "y": 30, "keypointlabels": ["nose"]}}
    done = convert(export(task([rectangle(10, 20, 40, 60), point])))
    assert done.report.kind == "keypoints"
    assert done.points() == [[40, 30, 2]]
