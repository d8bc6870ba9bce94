"""All that the figures of an evaluation depend on, as values that are written beside them."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from os import PathLike
from pathlib import Path

import PIL
from PIL import features

from hrnet.data.coco import KeypointDataset
from hrnet.data.coco_evaluation import ScoredBoxes
from hrnet.files import sha256_of
from hrnet.geometry import Size
from hrnet.spec import PoseSpec

GROUND_TRUTH = "gt"
"""Value of `boxes` for the boxes of the annotations."""

KEYPOINT_THRESHOLD = 0.2
"""Keypoint scores above this count in a pose's score (IN_VIS_THRE of the official code)."""

NMS_THRESHOLD = 0.9
"""Of two poses of an image with a larger OKS the worse one goes (OKS_THRE)."""


@dataclass(frozen=True, slots=True)
class DataFacts:
    """The data that was evaluated on.

    images: pictures in the annotation file. persons: subjects that count. ignored: crowds and
    subjects without a labelled keypoint, which do not. areas_estimated: how many persons have no
    `area` in the file that can be and got `AREA_OF_BOX` of their box. sigmas: OKS falloffs, with
    where they come from. notes: what was left out or made up, one line each with its count.
    """

    annotations: str
    sha256: str
    images: int
    persons: int
    ignored: int
    areas_estimated: int
    sigmas: tuple[float, ...]
    sigmas_source: str
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class BoxFacts:
    """The boxes that were cropped: "gt" or a detections file, and their number.

    left_out: detections of categories that are not measured on.
    """

    source: str
    sha256: str | None
    count: int
    left_out: int


@dataclass(frozen=True, slots=True)
class ModelFacts:
    """The model and its engine; file and sha256 are None for one that was never in a file."""

    name: str
    variant: str
    file: str | None
    sha256: str | None
    engine: str


@dataclass(frozen=True, slots=True)
class PoseFacts:
    """The way from a box to a scored pose.

    input_size: (height, width) pixels. blur_kernel: None where the codec does not smooth.
    """

    input_size: Size
    padding: float
    codec: str
    sigma: float
    blur_kernel: int | None
    activation: str
    flip_test: bool
    flip_shift: bool
    rescoring: str
    nms: str


@dataclass(frozen=True, slots=True)
class Protocol:
    """Everything that the figures of an evaluation depend on."""

    model: ModelFacts
    data: DataFacts
    boxes: BoxFacts
    pose: PoseFacts
    metric: str
    decoder: str


@dataclass(frozen=True, slots=True)
class EvaluationResult:
    """The figures (0..1, or -1 where nothing can count) and how they came about.

    metrics: COCO's ten, and those of `metrics.pckh` where the annotations have head sizes.
    """

    metrics: dict[str, float]
    protocol: Protocol

    def to_json(self) -> str:
        """Write the figures by their names, `AP` first, and the protocol under `protocol`."""
        return json.dumps({**self.metrics, "protocol": asdict(self.protocol)}, indent=2) + "\n"

    def summary(self) -> str:
        """Say in a few lines what the figures were measured on and how."""
        data, boxes, pose = self.protocol.data, self.protocol.boxes, self.protocol.pose
        model, (height, width) = self.protocol.model, pose.input_size
        estimated = f", {data.areas_estimated} areas estimated" if data.areas_estimated else ""
        ignored = f", {data.ignored} crowds or without a label" if data.ignored else ""
        notes = "".join(f"\nnote: {note}" for note in data.notes)
        others = f", {boxes.left_out} of other categories left out" if boxes.left_out else ""
        return (
            f"model {model.name} ({model.variant}, {height}x{width}, {pose.codec}) "
            f"on {model.engine}\n"
            f"data {data.annotations}: {data.persons} persons in {data.images} images{estimated}"
            f"{ignored}, "
            f"OKS sigmas: {data.sigmas_source}\n"
            f"{boxes.count} boxes ({boxes.source}){others}, padding {pose.padding:g}, "
            f"flip test {'on' if pose.flip_test else 'off'}; {self.protocol.metric}{notes}"
        )


def model_facts(spec: PoseSpec, file: Path | None, engine: str) -> ModelFacts:
    """State which network ran in which engine."""
    return ModelFacts(
        name=spec.name,
        variant=spec.variant,
        file=file.name if file else None,
        sha256=sha256_of(file) if file else None,
        engine=engine,
    )


def data_facts(dataset: KeypointDataset) -> DataFacts:
    """State what is evaluated on, with the digest of the annotation file."""
    counted = [one for one in dataset.subjects if one.counts]
    return DataFacts(
        annotations=dataset.path.name,
        sha256=sha256_of(dataset.path),
        images=len(dataset.image_paths),
        persons=len(counted),
        ignored=len(dataset.subjects) - len(counted),
        areas_estimated=sum(not one.area_given for one in counted),
        sigmas=dataset.skeleton.sigmas,
        sigmas_source=dataset.sigmas_source,
        notes=dataset.notes,
    )


def box_facts(boxes: str | PathLike[str], wanted: Sequence[ScoredBoxes], left_out: int) -> BoxFacts:
    """State which boxes are cropped."""
    count = sum(len(page.scores) for page in wanted)
    if boxes == GROUND_TRUTH:
        return BoxFacts(GROUND_TRUTH, None, count, left_out)
    return BoxFacts(Path(boxes).name, sha256_of(Path(boxes)), count, left_out)


def pose_facts(spec: PoseSpec, flip_test: bool) -> PoseFacts:
    """State how a box becomes a scored pose."""
    return PoseFacts(
        input_size=spec.input_size,
        padding=spec.padding,
        codec=spec.codec,
        sigma=spec.sigma,
        blur_kernel=None if spec.codec == "classic" else spec.heatmap_codec.blur_kernel,
        activation=spec.activation,
        flip_test=flip_test,
        flip_shift=flip_test and not spec.heatmap_codec.unbiased,
        rescoring=f"box score x mean of keypoint scores > {KEYPOINT_THRESHOLD}",
        nms=f"OKS {NMS_THRESHOLD} by the area of the padded box",
    )


def decoder() -> str:
    """Name what decodes the JPEGs: decoders differ by grey levels, and figures with them."""
    turbo = features.version_feature("libjpeg_turbo")
    library = f"libjpeg-turbo {turbo}" if turbo else f"libjpeg {features.version('jpg')}"
    return f"Pillow {PIL.__version__}, {library}"
