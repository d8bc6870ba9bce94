"""Evaluate and draw the network of a training on its validation data."""

import copy
from pathlib import Path
from typing import Final

import numpy as np
from PIL import Image

from hrnet.evaluation import predict_dataset
from hrnet.geometry import Image8
from hrnet.predict import Model
from hrnet.rasters import read_view
from hrnet.runtime.torch_engine import TorchEngine
from hrnet.spec import ModelSpec
from hrnet.tasks import Dataset, get_task
from hrnet.training.run import Run
from hrnet.weights.checkpoint import with_activation

_DRAWN: Final = 8
_DRAWN_SIDE_PX: Final = 320
_NAME_PART: Final = 100
"""Letters of a picture's name that the drawing keeps, since names have a longest length."""


def predictor(run: Run) -> Model:
    """Return the weights that will be saved, as the model that predicts with them."""
    network = copy.deepcopy(run.smoothed())  # the trained one stays in training mode
    predicting = with_activation(network, run.spec).eval()
    return Model(TorchEngine(predicting, device=str(run.world.device)), run.spec)


def validate(run: Run, validation: Dataset) -> tuple[dict[str, float], ModelSpec]:
    """Return the metrics of the weights that will be saved, without the flip test, and their spec.

    Each rank predicts on its share of the pictures, and each picture is predicted once. Rank 0
    gets the metrics and the spec with what is fitted to the data, the others an empty dict.
    """
    # Predict on every size-th picture, and gather the results of all ranks on rank 0.
    model, world = predictor(run), run.world
    own = predict_dataset(model, validation, validation.jobs[world.rank :: world.size])
    pairs = [pair for share in world.gather(own) for pair in share]
    if not world.is_main:
        return {}, run.spec.unfitted()
    # The order of the data set again, so that the number of ranks changes nothing.
    pairs.sort(key=lambda pair: pair[0].index)
    fitted = get_task(run.spec.task).fitted
    spec = run.spec.unfitted() if fitted is None else fitted(model.task, pairs, validation)
    return model.task.evaluate(pairs, validation), spec


def draw_validation(run: Run, validation: Dataset) -> dict[str, Image8]:
    """Draw the results in a few pictures of the validation data, by the names of the pictures."""
    # Pictures evenly spread over the data set, the same at each evaluation.
    model, jobs = predictor(run), validation.jobs
    drawn: dict[str, Image8] = {}
    for job in jobs[:: max(1, len(jobs) // _DRAWN)][:_DRAWN]:
        result = model.predict(job.image, job.boxes)
        picture = result.draw(read_view(job.image, run.spec))
        drawn[Path(str(job.image)).stem[:_NAME_PART]] = _small(picture)
    return drawn


def _small(picture: Image8) -> Image8:
    image = Image.fromarray(picture)
    image.thumbnail((_DRAWN_SIDE_PX, _DRAWN_SIDE_PX))
    return np.asarray(image)
