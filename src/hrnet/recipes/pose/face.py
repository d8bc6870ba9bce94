"""HRNetV2-W18 for facial landmarks, as published (Sun et al. 2019).

Source: experiments/{300w,aflw,cofw,wflw} and the README of
https://github.com/HRNet/HRNet-Facial-Landmark-Detection. Adam, a tenth at epochs 30 and 50 of 60,
batches of 16, without weight decay; scale U(0.75, 1.25), rotation U(-30, 30) degrees in 60% of the
cases, mirroring in half of them. The loss here is half of theirs, which Adam does not see.

All start from the authors' ImageNet weights; `--set train.init=null` starts from new ones. The data
are those of the authors' README, imported by

    hrnet data import data/300w/face_landmarks_300w_train.csv --images data/300w/images \\
        --out data/300w/annotations/train.json
    hrnet data import data/300w/face_landmarks_300w_valid.csv --images data/300w/images \\
        --out data/300w/annotations/test.json
    hrnet data import data/cofw/COFW_train_color.mat --out data/cofw/annotations/train.json

and so on: annotations with a `crop_box` of the published centre and 200 pixels of the published
scale. COFW's pictures lie in its files, and are written beside the annotations.
"""

from pathlib import Path

from hrnet.spec import NetworkOptions
from hrnet.tasks.pose.config import (
    KeypointData,
    PoseAugmentation,
    PoseExperiment,
    PoseModelConfig,
    PoseTrain,
)

_AUGMENTATION = PoseAugmentation(scale=0.25, rotation_deg=30, flip=0.5, half_body=0)


def _face(
    dataset: str,
    *,
    sigma: float,
    normaliser: str,
    lr: float = 1e-4,
    images: tuple[str, str] = ("images", "images"),
) -> PoseExperiment:
    """Make a recipe. images: folders of those to train on and to measure on, in the data's."""
    folder = Path("data") / dataset
    return PoseExperiment(
        name=f"hrnet_w18_{dataset}_256x256",
        model=PoseModelConfig(
            variant="hrnet_w18",
            input_size=(256, 256),
            options=NetworkOptions(head="v2", upsampling="bilinear", align_corners=False),
            codec="face",
            sigma=sigma,
            metrics=(f"nme:{normaliser}",),
        ),
        data=KeypointData(
            annotations=folder / "annotations/train.json",
            images=folder / images[0],
            val_annotations=folder / "annotations/test.json",
            val_images=folder / images[1],
        ),
        augmentation=_AUGMENTATION,
        train=PoseTrain(
            epochs=60,
            batch_size=16,
            optimizer="adam",
            lr=lr,
            milestones=(30, 50),
            init="hrnet_w18-imagenet",
            init_head=False,
            evaluate_every=1,
        ),
    )


def hrnet_w18_300w_256x256() -> PoseExperiment:
    """HRNetV2-W18 on 300W, 68 landmarks (Sun et al. 2019).

    Published: NME 2.91 common, 5.11 challenge, 3.34 full, 3.85 test, in percent of the distance of
    the outer eye corners.
    Command: hrnet train pose/hrnet_w18_300w_256x256 --out runs/300w
    """
    return _face("300w", sigma=1, normaliser="kpt-36-kpt-45")


def hrnet_w18_wflw_256x256() -> PoseExperiment:
    """HRNetV2-W18 on WFLW, 98 landmarks (Sun et al. 2019).

    Published: NME 4.60 of the test set, in percent of the distance of the outer eye corners; 7.86
    pose, 4.78 expression, 4.57 illumination, 4.26 make-up, 5.42 occlusion, 5.36 blur.
    Command: hrnet train pose/hrnet_w18_wflw_256x256 --out runs/wflw
    """
    return _face("wflw", sigma=1.5, normaliser="kpt-60-kpt-72")


def hrnet_w18_cofw_256x256() -> PoseExperiment:
    """HRNetV2-W18 on COFW, 29 landmarks (Sun et al. 2019).

    Published: NME 3.45 in percent of the distance of the pupils, failure rate 0.20 at 0.10.
    Command: hrnet train pose/hrnet_w18_cofw_256x256 --out runs/cofw
    """
    images = ("annotations/train_images", "annotations/test_images")
    return _face("cofw", sigma=1.5, normaliser="kpt-8-kpt-9", images=images)


def hrnet_w18_aflw_256x256() -> PoseExperiment:
    """HRNetV2-W18 on AFLW, 19 landmarks (Sun et al. 2019).

    Published: NME 1.57 full, 1.46 frontal, in percent of the size of the face's box.
    Command: hrnet train pose/hrnet_w18_aflw_256x256 --out runs/aflw
    """
    return _face("aflw", sigma=1.5, normaliser="normaliser", lr=2e-4)
