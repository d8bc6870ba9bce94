"""From boxes to crops, and from heatmaps back to the picture."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hrnet.errors import InputError
from hrnet.geometry import apply_affine, whole_image_box
from hrnet.predict import infer, normalise
from hrnet.skeleton import Skeleton
from hrnet.spec import NetworkSpec
from hrnet.tasks import Crop
from hrnet.tasks.pose.crops import check_boxes, crop_matrices
from hrnet.tasks.pose.spec import PoseSpec
from hrnet.tasks.pose.task import PoseTask

SIDES = Skeleton(("left_hand", "right_hand", "head"), flip_pairs=((0, 1),))
CODECS = ("classic", "dark", "udp", "exact")


def make_spec(codec: str = "classic") -> PoseSpec:
    return PoseSpec(
        network=NetworkSpec(variant="v", task="pose", num_outputs=len(SIDES.names)),
        name="n",
        input_size=(128, 96),
        codec=codec,
        skeleton=SIDES,
    )


@pytest.mark.parametrize("codec", CODECS)
@given(
    left=st.floats(-50, 300),
    top=st.floats(-50, 300),
    width=st.floats(5, 400),
    height=st.floats(5, 400),
    where=st.tuples(*[st.floats(0.15, 0.85)] * 6),
)
def test_locate_undoes_the_crop(
    codec: str, left: float, top: float, width: float, height: float, where: tuple[float, ...]
) -> None:
    """Points encoded in the crop come back to their place in the picture, within the codec."""
    spec = make_spec(codec)
    points = np.array([left, top]) + np.reshape(where, (1, 3, 2)) * (width, height)
    matrices = crop_matrices([[left, top, width, height]], spec)
    heatmaps, _ = spec.heatmap_codec.encode(apply_affine(points, matrices), np.ones((1, 3)))
    crop = Crop(None, np.zeros((128, 96, 3), np.uint8), matrices[0])
    (found,) = PoseTask(spec).postprocess((heatmaps,), [crop])
    scale = 1 / matrices[0, 0, 0]  # picture pixels in a crop pixel
    bound = {"classic": 2.1, "dark": 0.3, "udp": 0.3, "exact": 0.3}[codec]
    assert np.abs(found.keypoints - points).max() <= bound * scale
    assert (found.scores > 0.8).all()
    assert found.presence is None


def test_normalise_is_per_channel() -> None:
    spec = make_spec()
    crops = np.random.default_rng(0).integers(0, 256, (2, 4, 5, 3), dtype=np.uint8)
    before = crops.copy()
    images = normalise(crops, spec)
    assert images.shape == (2, 3, 4, 5)
    assert images.dtype == np.float32
    assert images.flags.c_contiguous
    expected = (crops / 255 - spec.mean) / spec.std
    np.testing.assert_allclose(images, expected.transpose(0, 3, 1, 2), rtol=1e-5, atol=1e-6)
    np.testing.assert_array_equal(crops, before)


@pytest.mark.parametrize("codec", CODECS)
def test_the_flip_test_averages_with_the_mirrored_answer(codec: str) -> None:
    """A network that is symmetric up to the codec's shift gains nothing and loses nothing."""
    spec = make_spec(codec)
    heatmaps = np.random.default_rng(0).random((2, 3, 32, 24), dtype=np.float32)
    mirrored = heatmaps[:, [1, 0, 2], :, ::-1]
    if codec not in ("udp", "exact"):  # one pixel beside the mirror image, which the shift undoes
        mirrored = np.pad(mirrored[..., :-1], ((0, 0), (0, 0), (0, 0), (1, 0)), mode="edge")
    answers = iter([heatmaps, mirrored])
    images = np.zeros((2, 3, 128, 96), dtype=np.float32)
    (result,) = infer(lambda _: (next(answers),), PoseTask(spec), images, flip_test=True)
    start = 0 if codec in ("udp", "exact") else 1  # the shift leaves the first column as it was
    np.testing.assert_allclose(result[..., start:], heatmaps[..., start:], atol=1e-6)


def test_the_flip_test_shows_the_network_the_mirror_image() -> None:
    seen = []

    def network(images: np.ndarray) -> tuple[np.ndarray]:
        seen.append(images)
        return (np.zeros((1, 3, 32, 24), dtype=np.float32),)

    images = np.random.default_rng(0).random((1, 3, 128, 96), dtype=np.float32)
    infer(network, PoseTask(make_spec()), images, flip_test=True)
    np.testing.assert_array_equal(seen[1], images[..., ::-1])


def test_whole_image_box_covers_the_picture() -> None:
    assert whole_image_box((20, 30)).tolist() == [0, 0, 30, 20]


def test_good_boxes_pass() -> None:
    assert check_boxes([1, 2, 3, 4], (20, 30)).shape == (1, 4)
    assert check_boxes([], (20, 30)).shape == (0, 4)
    assert check_boxes([[-10, -10, 100, 100], [29, 19, 5, 5]], (20, 30)).shape == (2, 4)


@pytest.mark.parametrize(
    ("boxes", "expected"),
    [
        ([[1, 1, 5, 5], [30, 0, 5, 5]], "box 2 .* lies outside the image of 30x20"),
        ([[0, 20, 5, 5]], "outside"),
        ([[-5, 0, 5, 5]], "outside"),
        ([[0, -9, 5, 5]], "outside"),
        ([[1, 1, 0, 5]], "no area"),
        ([[1, 1, 5, -5]], "no area"),
        ([[1, float("nan"), 5, 5]], "NaN"),
        ([[1, 1, float("inf"), 5]], "infinity"),
        ([[1, 1, 1e30, 5]], "far too large"),
        ([[1, 1, 5]], "shape"),
        ([[[1, 1, 5, 5]]], "shape"),
        ([["a", 1, 5, 5]], "4 numbers"),
        ([[1, 1, 5, 5], [1, 1]], "4 numbers"),
    ],
)
def test_bad_boxes_are_named(boxes: list, expected: str) -> None:
    with pytest.raises(InputError, match=expected):
        check_boxes(boxes, (20, 30))


def test_boxes_out_of_a_torch_detector() -> None:
    torch = pytest.importorskip("torch")
    boxes = torch.tensor([[5.0, 5, 30, 40]], requires_grad=True)
    assert check_boxes(boxes, (60, 60)).tolist() == [[5, 5, 30, 40]]
    assert check_boxes(boxes[0], (60, 60)).tolist() == [[5, 5, 30, 40]]
    with pytest.raises(InputError, match="detach"):
        check_boxes([boxes[0]], (60, 60))


def test_boxes_of_endless_integers() -> None:
    with pytest.raises(InputError, match="4 numbers"):
        check_boxes([[1, 2, 3, 10**400]], (60, 60))
