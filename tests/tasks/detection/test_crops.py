"""A picture on its way into a detector: sizes, scales, colours, and padding that is exactly 0."""

import numpy as np
import pytest

from hrnet.predict import Model
from hrnet.resize import resize_bilinear
from hrnet.spec import NetworkSpec
from hrnet.tasks import Outputs
from hrnet.tasks.detection.crops import fit_picture, fitted_size
from hrnet.tasks.detection.spec import DetectionSpec

MEAN, STD = (0.4, 0.5, 0.6), (0.2, 0.25, 0.5)


def spec_of(**fields) -> DetectionSpec:
    network = NetworkSpec(variant="fixed", task="detection", num_outputs=1)
    known = {"input_size": (96, 128), "mean": MEAN, "std": STD, "max_detections": 1}
    return DetectionSpec(name="fixed", network=network, class_names=("cat",), **{**known, **fields})


class Recorder:
    """An engine that keeps its inputs and finds one box, the same in every picture."""

    device = "cpu"

    def __init__(self, box=(8, 16, 40, 48)) -> None:
        self.images: list[np.ndarray] = []
        self.numbers: list[np.ndarray] = []
        self.box = box

    def __call__(self, images: np.ndarray, *numbers: np.ndarray) -> Outputs:
        self.images.append(images.copy())
        self.numbers += [one.copy() for one in numbers]
        count = len(images)
        boxes = np.tile(np.array(self.box, np.float32), (count, 1, 1))
        return boxes, np.full((count, 1), 0.9, np.float32), np.zeros((count, 1), np.float32)


@pytest.mark.parametrize(
    ("size", "content", "whole"),
    [
        ((480, 640), (800, 1067), (800, 1088)),  # the short side decides
        ((640, 480), (1067, 800), (1088, 800)),
        ((427, 640), (800, 1199), (800, 1216)),
        ((300, 900), (444, 1333), (448, 1344)),  # the long side decides
        ((1600, 1200), (1067, 800), (1088, 800)),
        ((1, 5000), (1, 1333), (32, 1344)),
    ],
)
def test_sides_are_those_of_the_published_detectors(size, content, whole):
    """800 and 1333 pixels, rounded to the nearest one, then up to multiples of 32."""
    assert fitted_size(size, spec_of(fit=(800, 1333))) == (content, whole)


def test_plain_detectors_have_a_scale_for_each_axis_and_legacy_ones_one_for_both():
    """427x640 becomes 800 x 1199.06 -> 1199."""
    image = np.zeros((427, 640, 3), np.uint8)
    matrix = fit_picture(image, spec_of(fit=(800, 1333)))[1]
    assert (matrix[0, 0], matrix[1, 1]) == pytest.approx((1199 / 640, 800 / 427), abs=1e-12)
    matrix = fit_picture(image, spec_of(fit=(800, 1333), conventions="legacy"))[1]
    assert (matrix[0, 0], matrix[1, 1]) == pytest.approx((800 / 427, 800 / 427), abs=1e-12)


def test_a_letter_box_fills_one_side():
    spec = spec_of()
    for size, content in (((50, 50), (96, 96)), ((48, 128), (48, 128)), ((300, 60), (96, 19))):
        image = np.full((*size, 3), 200, np.uint8)
        pixels, _, found = fit_picture(image, spec)
        assert (pixels.shape, found) == ((96, 128, 3), content)
        assert (pixels[: content[0], : content[1]] == 200).all()
        assert not pixels[content[0] :].any()
        assert not pixels[:, content[1] :].any()


@pytest.mark.parametrize("fit", [None, (64, 128)])
def test_padding_is_exactly_0_and_black_pixels_are_not(fit):
    engine = Recorder()
    Model(engine, spec_of(fit=fit)).predict(np.zeros((50, 60, 3), np.uint8))
    ((image,),) = engine.images
    content = (96, 115) if fit is None else (64, 77)
    assert image.shape[1:] == ((96, 128) if fit is None else (64, 96))
    inside = image[:, : content[0], : content[1]]
    assert inside == pytest.approx(
        np.broadcast_to(-np.array(MEAN)[:, None, None] / np.array(STD)[:, None, None], inside.shape)
    )
    assert not image[:, content[0] :].any()
    assert not image[:, :, content[1] :].any()


def test_channels_go_in_as_the_model_has_them():
    """Mean and standard deviation are listed in the order of the input's channels."""
    red = np.zeros((96, 128, 3), np.uint8)
    red[..., 0] = 255
    for channels, place in (("rgb", 0), ("bgr", 2)):
        engine = Recorder()
        Model(engine, spec_of(channels=channels)).predict(red)
        values = np.array([1 if channel == place else 0 for channel in range(3)])
        expected = (values - MEAN) / STD
        assert engine.images[0][0, :, 5, 5] == pytest.approx(expected, rel=1e-6)


def test_a_batch_holds_one_size_and_results_keep_their_order():
    engine = Recorder()
    sizes = [(50, 60), (50, 60), (60, 50), (50, 60), (90, 60)]
    found = Model(engine, spec_of(fit=(64, 128))).predict(
        [np.zeros((*size, 3), np.uint8) for size in sizes]
    )
    assert [one.image_size for one in found] == sizes
    assert [one.shape for one in engine.images] == [
        (2, 3, 64, 96),
        (1, 3, 96, 64),
        (1, 3, 64, 96),
        (1, 3, 96, 64),
    ]


def test_boxes_come_back_in_pixels_of_the_picture():
    """Of 32x64 pixels enlarged by 2: plain boxes end at edges, legacy ones at the last pixel."""
    image = np.zeros((32, 64, 3), np.uint8)
    plain = Model(Recorder(), spec_of(fit=(64, 128))).predict(image)
    assert plain.boxes.tolist() == [[4, 8, 20, 24]]
    engine = Recorder()
    legacy = Model(engine, spec_of(fit=(64, 128), conventions="legacy")).predict(image)
    assert legacy.boxes.tolist() == [[4, 8, 21, 25]]
    assert engine.numbers[0].tolist() == [2]
    # What leaves the picture is cut off.
    beyond = Model(Recorder((-9, 10, 900, 70)), spec_of(fit=(64, 128))).predict(image)
    assert beyond.boxes.tolist() == [[0, 5, 64, 32]]


@pytest.mark.parametrize("conventions", ["plain", "legacy"])
@pytest.mark.parametrize("box", [(128, 10, 140, 30), (130, 10, 140, 30), (10, 64, 30, 70)])
def test_boxes_beyond_the_picture_are_none(box, conventions):
    """Of 32x64 pixels enlarged by 2; a box without an area is nothing to look into."""
    spec = spec_of(fit=(64, 128), conventions=conventions)
    found = Model(Recorder(box), spec).predict(np.zeros((32, 64, 3), np.uint8))
    assert len(found) == 0
    assert len(found.regions("cat", "fixed").boxes_xywh) == 0


def test_bilinear_resizing_by_hand():
    """Of a row of 2 at -1/4, 1/4, 3/4 and 5/4; of 8 at 1.5 and 5.5, the others do not count."""
    row = np.array([[0, 100]], np.uint8)[..., None].repeat(3, axis=2)
    assert resize_bilinear(row, (1, 4))[0, :, 0].tolist() == [0, 25, 75, 100]
    column = row.transpose(1, 0, 2)
    assert resize_bilinear(column, (4, 1))[:, 0, 1].tolist() == [0, 25, 75, 100]
    lines = np.array([[0, 0, 200, 0, 0, 100, 0, 0]], np.uint8)[..., None].repeat(3, axis=2)
    assert resize_bilinear(lines, (1, 2))[0, :, 2].tolist() == [100, 50]
    noise = np.random.default_rng(0).integers(0, 256, (9, 7, 3), dtype=np.uint8)
    np.testing.assert_array_equal(resize_bilinear(noise, (9, 7)), noise)
