"""Evaluate and draw the network of a training on its validation data."""

from pathlib import Path
from typing import Final

import numpy as np
from PIL import Image

from hrnet.evaluation import predict_dataset
from hrnet.geometry import Image8
from hrnet.images import read_image
from hrnet.predict import Model
from hrnet.runtime.torch_engine import TorchEngine
from hrnet.spec import ModelSpec
from hrnet.tasks import Dataset
from hrnet.training.distributed import World
from hrnet.training.run import Run
from hrnet.weights.checkpoint import with_activation

_DRAWN: Final = 8
_DRAWN_SIDE_PX: Final = 320
_NAME_PART: Final = 100
"""Letters of a picture's name that the drawing keeps, since names have a longest length."""


def predictor(run: Run, spec: ModelSpec, world: World) -> Model:
    """Return the weights that will be saved, as the model that predicts with them."""
    network = with_activation(run.predictor(), spec).eval()
    return Model(TorchEngine(network, device=str(world.device)), spec)


def validate(run: Run, spec: ModelSpec, validation: Dataset, world: World) -> dict[str, float]:
    """Return the metrics of the weights that will be saved, without the flip test.

    Each rank predicts on its share of the pictures, and each picture is predicted once. Rank 0
    gets the metrics, the others an empty dict.
    """
    model = predictor(run, spec, world)
    own = predict_dataset(model, validation, validation.jobs[world.rank :: world.size])
    pairs = [pair for share in world.gather(own) for pair in share]
    if not world.is_main:
        return {}
    pairs.sort(key=lambda pair: pair[0].index)
    return model.task.evaluate(pairs, validation)


def draw_validation(
    run: Run, spec: ModelSpec, validation: Dataset, world: World
) -> dict[str, Image8]:
    """Draw what the network finds in a few pictures of the validation data, by their names."""
    jobs = validation.jobs
    model = predictor(run, spec, world)
    drawn: dict[str, Image8] = {}
    for job in jobs[:: max(1, len(jobs) // _DRAWN)][:_DRAWN]:
        picture = read_image(job.image)
        result = model.predict(picture, job.boxes)
        drawn[Path(str(job.image)).stem[:_NAME_PART]] = _small(result.draw(picture))
    return drawn


def _small(picture: Image8) -> Image8:
    image = Image.fromarray(picture)
    image.thumbnail((_DRAWN_SIDE_PX, _DRAWN_SIDE_PX))
    return np.asarray(image)
