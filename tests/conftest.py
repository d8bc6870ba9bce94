"""Where the tests find what does not travel with the project, and the sample photo that does."""

import importlib
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import settings
from PIL import Image

from hrnet.cli import main
from hrnet.skeleton import Skeleton
from hrnet.spec import NetworkSpec
from hrnet.tasks.detection.spec import DetectionSpec
from hrnet.tasks.pose.spec import PoseSpec

if TYPE_CHECKING:
    import torch

ROOT = Path(__file__).resolve().parents[1]

# A slow machine is no failure, and CI tries the same examples each time; elsewhere they differ.
settings.register_profile("any_machine", deadline=None, derandomize="CI" in os.environ)
settings.load_profile("any_machine")


def pytest_configure(config: pytest.Config) -> None:
    """Give workers of pytest-xdist, and processes that tests start, one thread of torch each."""
    if config.getoption("numprocesses", None):
        os.environ.setdefault("OMP_NUM_THREADS", "1")


def _folder_or_skip(variable: str, beside_the_project: str) -> Path:
    folder = Path(os.environ.get(variable) or ROOT.parent / beside_the_project)
    if not folder.is_dir():
        pytest.skip(f"{variable} names no folder and there is no ../{beside_the_project}")
    return folder


@pytest.fixture(scope="session")
def golden_dir() -> Path:
    """The folder of outputs recorded from the published code; its tests skip without it."""
    return _folder_or_skip("HRNET_GOLDEN", "shared/reference/golden")


@pytest.fixture(scope="session")
def data_dir() -> Path:
    """The folder of real images with labels; its tests skip without it."""
    return _folder_or_skip("HRNET_DATA", "shared/data")


@pytest.fixture(scope="session")
def astronaut() -> Path:
    """The sample photo: one person, 512 x 512."""
    return ROOT / "examples" / "astronaut.jpg"


Run = Callable[..., tuple[int, str, str]]

COLORS = ("red", "green", "blue")
SPOTS = np.array([[30.0, 20.0], [80.0, 40.0], [50.0, 100.0]])
"""Where the keypoints of a person at the picture's corner are."""


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Run the command line; returns its exit code, stdout and stderr."""

    def command(*arguments: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["hrnet", *map(str, arguments)])
        code = 0
        try:
            main()
        except SystemExit as end:
            code = int(end.code or 0)
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return command


NO_TORCH = """
import sys

class Nothing:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {"torch", "torchvision", "timm", "safetensors"}:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Nothing())
from hrnet.__main__ import main
main()
"""


@pytest.fixture
def run_without_torch(tmp_path: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Run the command line in an interpreter that finds no torch."""

    def command(*arguments: object) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-c", NO_TORCH, *map(str, arguments)],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
            encoding="utf-8",
        )

    return command


@pytest.fixture(scope="session")
def spot_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An exported model that finds the red, the green and the blue spot: it averages 4x4 pixels.

    Its scores are brightnesses in 0..1.
    """
    import onnx
    from onnx import TensorProto, helper

    spec = PoseSpec(
        network=NetworkSpec(variant="spots", task="pose", num_outputs=3),
        name="spots",
        input_size=(128, 96),
        skeleton=Skeleton(COLORS, edges=((0, 1), (1, 2))),
        mean=(0, 0, 0),
        std=(1, 1, 1),
    )
    pool = helper.make_node(
        "AveragePool", ["images"], ["heatmaps"], kernel_shape=[4, 4], strides=[4, 4]
    )
    images = helper.make_tensor_value_info("images", TensorProto.FLOAT, ["n", 3, 128, 96])
    heatmaps = helper.make_tensor_value_info("heatmaps", TensorProto.FLOAT, ["n", 3, 32, 24])
    graph = helper.make_graph([pool], "spots", [images], [heatmaps])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    helper.set_model_props(model, {"other": "entry", "hrnet": spec.to_json()})
    path = tmp_path_factory.mktemp("model") / "spots.onnx"
    onnx.save(model, path)
    return path


@pytest.fixture(scope="session")
def make_detector(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """Export a detector that finds the same boxes in every picture of 320x320.

    boxes: (N, 4) as left, top, right, bottom. scores: (N,). classes: (N,) indices of `names`.
    masks: (N, 28, 28). fields: of its description; with `fit` pictures may have any size.
    """
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    def make(
        boxes: list[list[float]],
        scores: list[float],
        *,
        classes: list[int] | None = None,
        names: tuple[str, ...] = ("person",),
        name: str = "fixed",
        masks: np.ndarray | None = None,
        **fields: object,
    ) -> Path:
        count = len(boxes)
        network = {"variant": "fixed", "task": "detection", "num_outputs": len(names)}
        spec = DetectionSpec(
            network=NetworkSpec(**network, head=None if masks is None else "mask"),
            name=name,
            input_size=(320, 320),
            class_names=names,
            max_detections=count,
            **fields,
        )
        found = {
            "boxes": np.array(boxes, np.float32).reshape(count, 4),
            "scores": np.array(scores, np.float32),
            "labels": np.array(classes or [0] * count, np.float32),
        }
        if masks is not None:
            found["masks"] = masks.astype(np.float32)
        # values + 0 * (mean of the image): the same for each image of a batch
        nodes = [
            helper.make_node("ReduceMean", ["images", "axes"], ["means"], keepdims=0),
            helper.make_node("Mul", ["means", "zero"], ["zeros"]),
        ]
        stored = [
            numpy_helper.from_array(np.array([1, 2, 3]), "axes"),
            numpy_helper.from_array(np.float32(0), "zero"),
        ]
        outputs = []
        for key, values in found.items():
            ones = np.array([-1, *[1] * values.ndim])
            stored += [
                numpy_helper.from_array(values[None], f"{key}_values"),
                numpy_helper.from_array(ones, f"{key}_shape"),
            ]
            nodes += [
                helper.make_node("Reshape", ["zeros", f"{key}_shape"], [f"{key}_zeros"]),
                helper.make_node("Add", [f"{key}_values", f"{key}_zeros"], [key]),
            ]
            shape = ["n", *values.shape]
            outputs.append(helper.make_tensor_value_info(key, TensorProto.FLOAT, shape))
        sides = ["h", "w"] if spec.any_size else [320, 320]
        images = helper.make_tensor_value_info("images", TensorProto.FLOAT, ["n", 3, *sides])
        graph = helper.make_graph(nodes, "fixed", [images], outputs, stored)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=8)
        helper.set_model_props(model, {"hrnet": spec.to_json()})
        path = tmp_path_factory.mktemp("detector") / f"{name}.onnx"
        onnx.save(model, path)
        return path

    return make


@pytest.fixture
def spots() -> Callable[..., Image.Image]:
    """Draw persons for `spot_model`: three spots for each, moved by (x, y)."""

    def draw(*moves: tuple[int, int], size: tuple[int, int] = (160, 240)) -> Image.Image:
        picture = np.zeros((*size, 3), dtype=np.uint8)
        for move in moves or ((0, 0),):
            for channel, (x, y) in enumerate((SPOTS + move).astype(int)):
                picture[y - 3 : y + 4, x - 3 : x + 4, channel] = 255
        return Image.fromarray(picture)

    return draw


@pytest.fixture(scope="session")
def spot_points() -> np.ndarray:
    """The keypoints (3, 2) of a person drawn by `spots` without a move."""
    return SPOTS


@pytest.fixture(scope="session")
def timm() -> ModuleType:
    """The module timm; declaring what a torchvision of another build lacks is enough for it."""
    try:
        return importlib.import_module("timm")
    except RuntimeError as error:
        assert "torchvision" in str(error)
    import torch

    LIBRARY.append(torch.library.Library("torchvision", "DEF"))
    for operator in ("nms", "qnms"):
        LIBRARY[0].define(f"{operator}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    return importlib.import_module("timm")


LIBRARY: list["torch.library.Library"] = []
"""Declarations end with the object that made them, so it is kept."""
