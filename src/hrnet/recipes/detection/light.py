"""The light one-stage detector: the training of the person finder in the package."""

from pathlib import Path

from hrnet.config import ParameterGroup, RunConfig
from hrnet.recipes.detection.common import jittered
from hrnet.spec import NetworkOptions
from hrnet.tasks.detection.config import (
    BoxData,
    DetectionExperiment,
    DetectionModelConfig,
    DetectionTrain,
)


def small_hrnet_w16_light_persons() -> DetectionExperiment:
    """The person finder: the light head on small HRNet-W16, trained on from its own weights.

    Its model card has the data, which one script puts together, the metrics, and its start. Two
    CPU cores with AVX-512 bfloat16 train about 25 pictures a second.
    Command: hrnet train detection/small_hrnet_w16_light_persons --set data.annotations=...
    --out runs/finder
    """
    fit = (288, 384)
    return DetectionExperiment(
        name="small_hrnet_w16_light_persons",
        model=DetectionModelConfig(
            variant="small_hrnet_w16",
            options=NetworkOptions(head="light"),
            input_size=fit,
            fit=fit,
            antialias=True,
        ),
        data=BoxData(
            annotations=Path("data/persons/train.json"),
            images=Path("data/persons/images"),
            val_annotations=Path("data/persons/val.json"),
        ),
        augmentation=jittered(fit),
        train=DetectionTrain(
            loss="task_aligned",
            epochs=60,
            batch_size=16,
            optimizer="adamw",
            lr=1e-3,
            weight_decay=0.02,
            groups=(ParameterGroup(pattern="backbone.*", lr_scale=0.5),),
            schedule="cosine",
            warmup_steps=200,
            clip_norm=10,
            ema=0.998,
            precision="auto",
            init="person_finder",
            evaluate_every=5,
        ),
        run=RunConfig(workers=1),
    )
