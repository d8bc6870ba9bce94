"""A small data set whose keypoints a one-layer network can see.

The picture is black and keypoint k is a small white square in colour channel k, so that average
pooling by 4 is a perfect pose network for three keypoints.
"""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from hrnet.evaluation import evaluate
from hrnet.skeleton import Skeleton
from hrnet.spec import NetworkSpec
from hrnet.tasks.pose.spec import PoseSpec

NAMES = ("red", "green", "blue")
SIGMAS = (0.1, 0.1, 0.1)
IMAGE_SIZE = (120, 240)
BOXES = ([20.0, 30.0, 60.0, 60.0], [140.0, 20.0, 60.0, 60.0])
OFFSETS = np.array([[12.0, 14.0], [44.0, 20.0], [30.0, 46.0]])


def make_dataset(folder: Path) -> dict:
    """Write two pictures of two subjects each; returns the annotations."""
    annotations = []
    for image_id in (7, 9):
        picture = np.zeros((*IMAGE_SIZE, 3), dtype=np.uint8)
        for box in BOXES:
            points = np.array(box[:2]) + OFFSETS + image_id
            for channel, (x, y) in enumerate(points.astype(int)):
                picture[y - 2 : y + 3, x - 2 : x + 3, channel] = 255
            triples = [number for x, y in points for number in (x, y, 2)]
            entry = {"id": len(annotations) + 1, "image_id": image_id, "category_id": 1}
            shifted = [box[0] + image_id, box[1] + image_id, 60, 60]
            entry |= {"bbox": shifted, "area": 3600, "iscrowd": 0, "keypoints": triples}
            annotations.append(entry)
        Image.fromarray(picture).save(folder / f"{image_id}.png")
    height, width = IMAGE_SIZE
    return {
        "images": [
            {"id": i, "file_name": f"{i}.png", "height": height, "width": width} for i in (7, 9)
        ],
        "annotations": annotations,
        "categories": [
            {"id": 1, "name": "thing", "keypoints": list(NAMES), "sigmas": list(SIGMAS)}
        ],
    }


def make_model(path: Path, **changes) -> Path:
    """Write an ONNX model of one average pooling with the description that `hrnet` expects."""
    import onnx
    from onnx import TensorProto, helper

    spec = PoseSpec(
        **{"network": NetworkSpec(variant="hrnet_w32", task="pose", num_outputs=3)}
        | {"name": "pooling", "input_size": (128, 128)}
        | {"skeleton": Skeleton(NAMES, sigmas=SIGMAS)}
        | changes
    )
    pool = helper.make_node(
        "AveragePool", ["images"], ["heatmaps"], kernel_shape=[4, 4], strides=[4, 4]
    )
    ends = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n", 3, side, side])
        for name, side in (("images", 128), ("heatmaps", 32))
    ]
    graph = helper.make_graph([pool], "pooling", ends[:1], ends[1:])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    helper.set_model_props(model, {"hrnet": spec.to_json()})
    onnx.save(model, path)
    return path


class Scene:
    """Files of one data set and one model, and the arguments that evaluate them."""

    def __init__(self, folder: Path) -> None:
        self.images = folder
        self.model = make_model(folder / "model.onnx")
        self.data = folder / "annotations.json"
        self.content = make_dataset(folder)
        self.save()

    def remodel(self, **changes) -> None:
        """Write the model again with another description."""
        make_model(self.model, **changes)

    def save(self) -> None:
        self.data.write_text(json.dumps(self.content))

    def detections(self, rows: list) -> Path:
        """Write detections of (image_id, box, score)."""
        entries = [{"image_id": i, "category_id": 1, "bbox": b, "score": s} for i, b, s in rows]
        path = self.images / "detections.json"
        path.write_text(json.dumps(entries))
        return path

    def evaluate(self, **options):
        return evaluate(self.model, data=self.data, images=self.images, **options)


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    return Scene(tmp_path)
