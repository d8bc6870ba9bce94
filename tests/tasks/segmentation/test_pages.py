"""Pictures through a network whose answer is known, by windows, scales and mirrored."""

import numpy as np
import pytest

from hrnet.errors import InputError
from hrnet.predict import Model
from hrnet.tasks.segmentation.pages import SumPage, TilePage, open_page

from .stubs import NAMES, Brightness, blocks, model_of, spec_of


def truth_of(picture: np.ndarray) -> np.ndarray:
    return (picture[..., 0] > 127).astype(np.uint8)


def differing(found: np.ndarray, truth: np.ndarray) -> float:
    """The share of wrong pixels more than 10 pixels from an edge between squares."""
    edges = np.zeros(truth.shape, bool)
    edges[:, 1:] |= truth[:, 1:] != truth[:, :-1]
    edges[1:] |= truth[1:] != truth[:-1]
    near = edges.copy()
    for shift in range(-10, 11):
        near |= np.roll(edges, shift, axis=0) | np.roll(edges, shift, axis=1)
    return float((found != truth)[~near].mean())


@pytest.mark.parametrize("size", [(1, 1), (33, 70), (64, 64), (200, 300), (130, 31)])
@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"window": (64, 96)},
        {"window": (64, 64), "stride": (64, 64)},
        {"scales": (0.5, 1.0, 1.5)},
        {"scales": (1.0, 1.25), "window": (64, 64)},
        {"short_side": 96},
        {"long_side": 256},
        {"exact": (96, 128)},
        {"conventions": "hrnet", "pad_to": 8, "short_side": 128, "long_side": 160},
        {"conventions": "hrnet", "tiling": "padded", "window": (64, 64), "pad_to": 8},
        {"conventions": "hrformer", "pad_to": 8, "scales": (0.75, 1.0)},
        {"conventions": "mmsegmentation", "window": (64, 64), "stride": (40, 40), "pad_to": 1},
    ],
    ids=str,
)
def test_classes_come_back_to_the_pixels_they_were_seen_at(size, fields):
    picture = blocks(*size, side=64)
    found = model_of(spec_of(**fields)).predict(picture)
    assert found.image_size == size
    assert found.classes.dtype == np.uint8
    if min(size) > 33:  # else a resize mixes all of it
        assert differing(found.classes, truth_of(picture)) < 1e-4


def test_batches_change_nothing():
    spec = spec_of(window=(64, 64))
    picture = blocks(200, 150)
    model = model_of(spec)
    alone, together = (
        next(iter(model.stream([job(picture)], batch_size=size))).classes for size in (1, 7)
    )
    np.testing.assert_array_equal(alone, together)


def job(picture):
    from hrnet.tasks import Job

    return Job(picture)


def test_small_pictures_and_single_views_need_no_sums():
    picture = blocks(64, 64)
    assert isinstance(open_page(picture, spec_of()), TilePage)
    assert isinstance(open_page(picture, spec_of(window=(32, 32))), TilePage)
    assert isinstance(open_page(picture, spec_of(conventions="hrnet", pad_to=8)), TilePage)
    assert isinstance(open_page(picture, spec_of(scales=(1.0, 2.0))), SumPage)
    assert isinstance(open_page(picture, spec_of(conventions="hrnet", long_side=128)), SumPage)
    windows = spec_of(conventions="hrformer", window=(32, 32), pad_to=1)
    assert isinstance(open_page(picture, windows), SumPage)


def test_both_pages_find_the_same():
    spec, picture = spec_of(), blocks(96, 64)
    model, classes = model_of(spec), []
    for page in (TilePage, SumPage):
        model.task.preprocess = lambda image, boxes, page=page: (
            open_page(image, spec) if page is TilePage else SumPage(image, spec)
        )
        classes.append(model.predict(picture).classes)
    np.testing.assert_array_equal(*classes)


def test_sums_that_would_not_fit_are_refused():
    names = tuple(f"class {index}" for index in range(1000))
    spec = spec_of(names, scales=(1.0, 2.0))
    with pytest.raises(InputError, match="expected sums of at most 8 GB"):
        open_page(np.zeros((1024, 1024, 3), np.uint8), spec)
    assert open_page(np.zeros((1024, 1024, 3), np.uint8), spec_of(names))


class Sides:
    """Logits that are larger for `left` in the left half of the input, for `right` in the other."""

    device = "cpu"

    def __call__(self, images):
        number, _, height, width = images.shape
        logits = np.zeros((number, len(NAMES), height // 4, width // 4), np.float32)
        logits[:, 2, :, : width // 8] = 1
        logits[:, 3, :, width // 8 :] = 1
        return (logits,)


def test_the_flip_test_mirrors_back_and_swaps_left_and_right():
    picture = np.zeros((64, 64, 3), np.uint8)
    once = model_of(spec_of(mirror_pairs=((2, 3),)), Sides()).predict(picture)
    both = model_of(spec_of(mirror_pairs=((2, 3),)), Sides()).predict(picture, flip_test=True)
    assert (once.classes[:, :28] == 2).all() and (once.classes[:, 36:] == 3).all()
    # In a mirrored picture "left" is on the right side, and means right.
    np.testing.assert_array_equal(both.classes, once.classes)
    unpaired = model_of(spec_of(), Sides()).predict(picture, flip_test=True)
    assert (unpaired.classes == 2).all()  # equal sums: the first of both


class WithClasses(Brightness):
    """A network that returns classes beside its logits, and wrong ones on purpose."""

    wrong = 2

    def __call__(self, images):
        (logits,) = super().__call__(images)
        classes = np.full((len(images), *images.shape[2:]), self.wrong, np.float32)
        return logits, classes


def test_classes_of_the_network_are_taken_where_nothing_is_averaged():
    picture = blocks(64, 64)
    model = model_of(spec_of(), WithClasses())
    assert (model.predict(picture).classes == 2).all()
    assert (model.predict(picture, flip_test=True).classes < 2).all()
    assert (model_of(spec_of(scales=(1.0, 2.0)), WithClasses()).predict(picture).classes < 2).all()


def test_outputs_that_are_not_as_described_are_refused():
    class Wrong(WithClasses):
        wrong = 4

    picture = blocks(64, 64)
    with pytest.raises(InputError, match="classes beyond 0 to 3"):
        model_of(spec_of(), Wrong()).predict(picture)
    with pytest.raises(InputError, match=r"has shape \(1, 3, 16, 16\), not \(1, 4, 16, 16\)"):
        model_of(spec_of(), Brightness(3)).predict(picture)
    with pytest.raises(InputError, match="expected no boxes"):
        model_of(spec_of()).predict(picture, boxes=[[0, 0, 9, 9]])


def test_the_input_has_exactly_the_mean_where_the_picture_ends():
    class Seen(Brightness):
        def __call__(self, images):
            self.images = images
            return super().__call__(images)

    engine = Seen()
    spec = spec_of(mean=(0.3, 0.4, 0.5), std=(0.1, 0.2, 0.3))
    Model(engine, spec).predict(np.full((40, 70, 3), 255, np.uint8))
    assert engine.images.shape == (1, 3, 64, 96)
    assert (engine.images[:, :, 40:] == 0).all() and (engine.images[:, :, :, 70:] == 0).all()
    assert (engine.images[:, :, :40, :70] > 0).all()
