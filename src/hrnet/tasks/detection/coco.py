"""The 80 classes of COCO's boxes with their ids, and what is assumed of a detector."""

from collections.abc import Mapping, Sequence

from hrnet.spec import NetworkSpec

COCO_CLASSES: tuple[str, ...] = tuple(
    " ".join(name.split())
    for name in """
    person, bicycle, car, motorcycle, airplane, bus, train, truck, boat, traffic light, fire
    hydrant, stop sign, parking meter, bench, bird, cat, dog, horse, sheep, cow, elephant, bear,
    zebra, giraffe, backpack, umbrella, handbag, tie, suitcase, frisbee, skis, snowboard, sports
    ball, kite, baseball bat, baseball glove, skateboard, surfboard, tennis racket, bottle, wine
    glass, cup, fork, knife, spoon, bowl, banana, apple, sandwich, orange, broccoli, carrot, hot
    dog, pizza, donut, cake, chair, couch, potted plant, bed, dining table, toilet, tv, laptop,
    mouse, remote, keyboard, cell phone, microwave, oven, toaster, sink, refrigerator, book,
    clock, vase, scissors, teddy bear, hair drier, toothbrush
""".split(",")
)

_UNUSED_IDS = {12, 26, 29, 30, 45, 66, 68, 69, 71, 83}

COCO_IDS: tuple[int, ...] = tuple(number for number in range(1, 91) if number not in _UNUSED_IDS)
"""The category id of each of the 80 classes in COCO's files."""


def category_ids(class_names: Sequence[str]) -> Sequence[int]:
    """Return the category id of each class in results: COCO's own for its classes, else from 1."""
    return COCO_IDS if tuple(class_names) == COCO_CLASSES else range(1, len(class_names) + 1)


def usual_facts(network: NetworkSpec, facts: Mapping[str, object]) -> dict[str, object]:
    """Return the class names of a detector whose file has none, where its input size is known.

    They are COCO's for 80 classes, else "class 0", "class 1", ...
    """
    count = network.num_outputs
    if count is None or "input_size" not in facts:
        return {}
    numbered = tuple(f"class {index}" for index in range(count))
    return {"class_names": COCO_CLASSES if count == len(COCO_CLASSES) else numbered}
