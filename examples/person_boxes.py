"""Put the training data of the person finder together: one COCO file of the boxes of persons.

python person_boxes.py pose.json instances.json teacher.json --out persons/

pose.json: a COCO keypoint file, in which persons without keypoints are not annotated.
instances.json: a COCO instance file in which all persons are annotated.
teacher.json: {image id: [[left, top, width, height, score], ...]} of another detector, for the
pictures of pose.json. Its boxes with a score of 0.5 or more are persons too, unless they overlap an
annotated one; those below it are regions to ignore. Writes train.json and val.json; val.json has
90 of the pictures of instances.json, half of them with persons.
"""

import argparse
import json
from pathlib import Path

import numpy as np

SURE = 0.5
"""Score from which a box of the teacher is a person."""
SAME = 0.5
"""IoU above which two boxes are of the same person."""
APART = 45
"""Pictures with persons that are set apart, and as many without."""


def iou(box: list[float], others: list[list[float]]) -> np.ndarray:
    """Return the IoU of a box with others, all as left, top, width, height."""
    one, many = np.array(box), np.array(others).reshape(-1, 4)
    low = np.maximum(one[:2], many[:, :2])
    high = np.minimum(one[:2] + one[2:], many[:, :2] + many[:, 2:])
    shared = (high - low).clip(0).prod(axis=1)
    return shared / (one[2:].prod() + many[:, 2:].prod(axis=1) - shared)


def persons_of(content: dict) -> dict[int, list[dict]]:
    """Return the boxes of persons by image id, with `ignore` for crowds."""
    (category,) = (one["id"] for one in content["categories"] if one["name"] == "person")
    found: dict[int, list[dict]] = {image["id"]: [] for image in content["images"]}
    for one in content["annotations"]:
        if one["category_id"] == category and min(one["bbox"][2:]) > 1:
            found[one["image_id"]].append({"bbox": one["bbox"], "ignore": one.get("iscrowd", 0)})
    return found


def with_teacher(boxes: list[dict], teacher: list[list[float]]) -> list[dict]:
    """Add the boxes of a teacher that are of no annotated person, the surest first."""
    found = list(boxes)
    for *box, score in sorted(teacher, key=lambda row: -row[4]):
        known = [one["bbox"] for one in found if not one["ignore"]]
        if not known or iou(box, known).max() <= SAME:
            found.append({"bbox": box, "ignore": int(score < SURE)})
    return found


def write(path: Path, images: list[dict], boxes: dict[int, list[dict]]) -> None:
    """Write a COCO instance file of one class."""
    annotations = [
        {
            "id": number,
            "image_id": image,
            "category_id": 1,
            "bbox": one["bbox"],
            "area": one["bbox"][2] * one["bbox"][3],
            "iscrowd": 0,
            "ignore": one["ignore"],
        }
        for number, (image, one) in enumerate(
            ((image["id"], one) for image in images for one in boxes[image["id"]]), 1
        )
    ]
    categories = [{"id": 1, "name": "person"}]
    content = {"images": images, "annotations": annotations, "categories": categories}
    path.write_text(json.dumps(content), encoding="utf-8")
    persons = sum(not one["ignore"] for one in annotations)
    rest = len(annotations) - persons
    print(f"{path}: {len(images)} pictures, {persons} persons, {rest} regions to ignore")


def main() -> None:
    parser = argparse.ArgumentParser(description="Boxes of persons for the person finder.")
    for name in ("pose", "instances", "teacher"):
        parser.add_argument(name, type=Path)
    parser.add_argument("--out", type=Path, required=True)
    given = parser.parse_args()
    pose, whole, teacher = (
        json.loads(path.read_text(encoding="utf-8"))
        for path in (given.pose, given.instances, given.teacher)
    )
    # Pictures in which all persons are annotated stay as they are.
    boxes = persons_of(whole)
    for image, found in persons_of(pose).items():
        if image not in boxes:
            boxes[image] = with_teacher(found, teacher.get(str(image), []))
    # Set some of these apart, half of them with persons.
    rng = np.random.default_rng(0)
    apart: set[int] = set()
    for has_persons in (True, False):
        ids = sorted(one["id"] for one in whole["images"] if bool(boxes[one["id"]]) is has_persons)
        apart |= set(rng.permutation(ids)[:APART].tolist())
    images = {one["id"]: one for content in (pose, whole) for one in content["images"]}
    given.out.mkdir(parents=True, exist_ok=True)
    for name, inside in (("train", False), ("val", True)):
        part = [image for number, image in images.items() if (number in apart) is inside]
        write(given.out / f"{name}.json", part, boxes)


if __name__ == "__main__":
    main()
