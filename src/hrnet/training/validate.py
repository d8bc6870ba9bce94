"""Measure and draw the network of a training on its validation data."""

from typing import Final

import numpy as np
from PIL import Image

from hrnet.data.coco import KeypointDataset
from hrnet.data.coco_evaluation import annotated_boxes
from hrnet.drawing import draw_poses
from hrnet.evaluation import evaluate_poses, head_figures, look
from hrnet.geometry import Image8
from hrnet.images import read_image
from hrnet.predict import PoseModel
from hrnet.runtime.torch_engine import TorchEngine
from hrnet.spec import PoseSpec
from hrnet.training.distributed import World
from hrnet.training.run import Run
from hrnet.weights.checkpoint import with_activation

_DRAWN: Final = 8
_DRAWN_SIDE_PX: Final = 320
_NAME_PART: Final = 100
"""Letters of a picture's name that the drawing keeps, since names have a longest length."""


def predictor(run: Run, spec: PoseSpec, world: World) -> PoseModel:
    """The weights that will be saved, as the model that predicts with them."""
    network = with_activation(run.predictor(), spec).eval()
    return PoseModel(TorchEngine(network, device=str(world.device)), spec)


def validate(
    run: Run, spec: PoseSpec, validation: KeypointDataset, world: World
) -> dict[str, float]:
    """The figures of the weights that will be saved: annotated boxes, no flip test.

    Each process looks at its share of the pictures, and each picture is looked at once. The first
    process gets the figures, the others an empty dict.
    """
    wanted = annotated_boxes(validation)[world.rank :: world.size]
    own = list(look(predictor(run, spec, world), validation, wanted))
    found = [poses for share in world.gather(own) for poses in share]
    if not world.is_main:
        return {}
    found.sort(key=lambda poses: poses.image_id)
    return evaluate_poses(validation, found) | head_figures(validation, found)


def draw_validation(
    run: Run, spec: PoseSpec, validation: KeypointDataset, world: World
) -> dict[str, Image8]:
    """Draw what the network finds in a few pictures of the validation data, by their names."""
    pages = annotated_boxes(validation)
    model = predictor(run, spec, world)
    drawn: dict[str, Image8] = {}
    for page in pages[:: max(1, len(pages) // _DRAWN)][:_DRAWN]:
        path = validation.image_paths[page.image_id]
        picture = read_image(path)
        poses = model.predict(picture, page.boxes_xywh)
        drawn[path.stem[:_NAME_PART]] = _small(draw_poses(picture, poses))
    return drawn


def _small(picture: Image8) -> Image8:
    image = Image.fromarray(picture)
    image.thumbnail((_DRAWN_SIDE_PX, _DRAWN_SIDE_PX))
    return np.asarray(image)
