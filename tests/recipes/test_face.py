"""The published trainings of facial landmarks."""

import pytest

from hrnet.metrics.landmarks import check_group
from hrnet.recipes import get_recipe
from hrnet.skeleton import published_skeleton
from hrnet.tasks.pose.config import PoseExperiment

FACES = {
    "300w": (1.0, 1e-4, "nme:kpt-36-kpt-45"),
    "wflw": (1.5, 1e-4, "nme:kpt-60-kpt-72"),
    "cofw": (1.5, 1e-4, "nme:kpt-8-kpt-9"),
    "aflw": (1.5, 2e-4, "nme:normaliser"),
}


@pytest.mark.parametrize("name", FACES)
def test_faces(name):
    experiment = get_recipe(f"pose/hrnet_w18_{name}_256x256")
    assert isinstance(experiment, PoseExperiment)
    sigma, lr, metric = FACES[name]
    model, train, augmentation = experiment.model, experiment.train, experiment.augmentation
    assert (model.codec, model.sigma, model.padding, model.metrics) == (
        "face",
        sigma,
        1.25,
        (metric,),
    )
    assert (model.options.head, model.options.align_corners) == ("v2", False)
    assert (train.epochs, train.milestones, train.batch_size) == (60, (30, 50), 16)
    assert (train.optimizer, train.lr, train.weight_decay, train.loss) == ("adam", lr, 0, "mse")
    assert (augmentation.scale, augmentation.rotation_deg, augmentation.flip) == (0.25, 30, 0.5)
    assert (augmentation.rotation_probability, augmentation.half_body) == (0.6, 0)
    check_group(metric, published_skeleton(name).names)
    assert experiment.data.annotations.parts[:2] == ("data", name)
