"""High-resolution networks (HRNet): keypoints from photos without torch, training with it.

    import hrnet
    poses = hrnet.load("default").predict("photo.jpg")

Every public name is loaded when it is first used, so that `import hrnet` is fast and needs neither
torch nor an inference engine.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hrnet.config import Experiment
    from hrnet.data.coco import read_keypoints
    from hrnet.engine.evaluate import evaluate
    from hrnet.engine.protocol import EvaluationResult
    from hrnet.engine.train import train
    from hrnet.errors import InputError
    from hrnet.models import create_model
    from hrnet.predict import PoseModel, load
    from hrnet.recipes import get_recipe
    from hrnet.skeleton import Skeleton
    from hrnet.spec import PoseSpec
    from hrnet.types import Poses
    from hrnet.visualize import draw_poses

    __version__: str

_HOMES = {
    "EvaluationResult": "hrnet.engine.protocol",
    "Experiment": "hrnet.config",
    "InputError": "hrnet.errors",
    "PoseModel": "hrnet.predict",
    "PoseSpec": "hrnet.spec",
    "Poses": "hrnet.types",
    "Skeleton": "hrnet.skeleton",
    "create_model": "hrnet.models",
    "draw_poses": "hrnet.visualize",
    "evaluate": "hrnet.engine.evaluate",
    "get_recipe": "hrnet.recipes",
    "load": "hrnet.predict",
    "read_keypoints": "hrnet.data.coco",
    "train": "hrnet.engine.train",
}
"""Public name -> the module that defines it."""

__all__ = [
    "EvaluationResult",
    "Experiment",
    "InputError",
    "PoseModel",
    "PoseSpec",
    "Poses",
    "Skeleton",
    "__version__",
    "create_model",
    "draw_poses",
    "evaluate",
    "get_recipe",
    "load",
    "read_keypoints",
    "train",
]


def __getattr__(name: str) -> object:
    if name == "__version__":
        from importlib.metadata import version

        return version("hrnet")
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'hrnet' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
