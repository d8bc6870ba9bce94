"""High-resolution networks (HRNet): keypoints from photos without torch, training with it.

    import hrnet
    poses = hrnet.load("default").predict("photo.jpg")

Every public name is loaded when it is first used, so that `import hrnet` is fast and needs neither
torch nor an inference engine. Names that need torch say so in one line where it is not installed.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hrnet.config import Experiment
    from hrnet.data.coco import read_keypoints
    from hrnet.errors import InputError
    from hrnet.evaluation import EvaluationResult, evaluate
    from hrnet.exporters.export import export
    from hrnet.models import Network, create_model
    from hrnet.predict import Model, load
    from hrnet.recipes import get_recipe
    from hrnet.reports import report
    from hrnet.skeleton import Skeleton
    from hrnet.spec import NetworkSpec
    from hrnet.tasks import read_experiment
    from hrnet.tasks.classification.result import Labels
    from hrnet.tasks.classification.spec import ClassificationSpec
    from hrnet.tasks.detection.result import Detections
    from hrnet.tasks.detection.spec import DetectionSpec
    from hrnet.tasks.pose.result import Poses, draw_poses
    from hrnet.tasks.pose.spec import PoseSpec
    from hrnet.tasks.segmentation.result import LabelMap
    from hrnet.tasks.segmentation.spec import SegmentationSpec
    from hrnet.training.train import train
    from hrnet.weights.checkpoint import save_checkpoint
    from hrnet.weights.convert import ConversionReport, convert_file, fingerprint
    from hrnet.weights.hub import from_hub
    from hrnet.weights.load import load_network, load_weights
    from hrnet.weights.push import push_to_hub

    __version__: str

_HOMES = {
    "ClassificationSpec": "hrnet.tasks.classification.spec",
    "ConversionReport": "hrnet.weights.convert",
    "DetectionSpec": "hrnet.tasks.detection.spec",
    "Detections": "hrnet.tasks.detection.result",
    "EvaluationResult": "hrnet.evaluation",
    "Experiment": "hrnet.config",
    "InputError": "hrnet.errors",
    "LabelMap": "hrnet.tasks.segmentation.result",
    "Labels": "hrnet.tasks.classification.result",
    "Network": "hrnet.models",
    "NetworkSpec": "hrnet.spec",
    "Model": "hrnet.predict",
    "PoseSpec": "hrnet.tasks.pose.spec",
    "Poses": "hrnet.tasks.pose.result",
    "SegmentationSpec": "hrnet.tasks.segmentation.spec",
    "Skeleton": "hrnet.skeleton",
    "convert_file": "hrnet.weights.convert",
    "create_model": "hrnet.models",
    "draw_poses": "hrnet.tasks.pose.result",
    "evaluate": "hrnet.evaluation",
    "export": "hrnet.exporters.export",
    "fingerprint": "hrnet.weights.convert",
    "from_hub": "hrnet.weights.hub",
    "get_recipe": "hrnet.recipes",
    "load": "hrnet.predict",
    "load_network": "hrnet.weights.load",
    "load_weights": "hrnet.weights.load",
    "push_to_hub": "hrnet.weights.push",
    "read_experiment": "hrnet.tasks",
    "read_keypoints": "hrnet.data.coco",
    "report": "hrnet.reports",
    "save_checkpoint": "hrnet.weights.checkpoint",
    "train": "hrnet.training.train",
}
"""Public name -> the module that defines it."""

__all__ = [
    "ClassificationSpec",
    "ConversionReport",
    "DetectionSpec",
    "Detections",
    "EvaluationResult",
    "Experiment",
    "InputError",
    "LabelMap",
    "Labels",
    "Model",
    "Network",
    "NetworkSpec",
    "PoseSpec",
    "Poses",
    "SegmentationSpec",
    "Skeleton",
    "__version__",
    "convert_file",
    "create_model",
    "draw_poses",
    "evaluate",
    "export",
    "fingerprint",
    "from_hub",
    "get_recipe",
    "load",
    "load_network",
    "load_weights",
    "push_to_hub",
    "read_experiment",
    "read_keypoints",
    "report",
    "save_checkpoint",
    "train",
]


def __getattr__(name: str) -> object:
    if name == "__version__":
        from importlib.metadata import version

        return version("hrnet")
    if name in _HOMES:
        try:
            return getattr(import_module(_HOMES[name]), name)
        except ModuleNotFoundError as error:
            from hrnet.extras import unavailable

            return unavailable(name, error)
    raise AttributeError(f"module 'hrnet' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
