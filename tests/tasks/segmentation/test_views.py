"""The views of a picture: sizes, windows, and the pixels that each one decides."""

import numpy as np
import pytest

from hrnet.tasks.segmentation.spec import SegmentationSpec
from hrnet.tasks.segmentation.views import (
    base_size,
    cores,
    cut,
    fill_color,
    make_base,
    make_views,
    scaled_size,
)

from .stubs import spec_of


@pytest.mark.parametrize("size", [(1, 1), (31, 200), (64, 64), (65, 64), (97, 130), (500, 61)])
@pytest.mark.parametrize("stride", [None, (64, 64), (17, 40)])
def test_views_decide_each_pixel_exactly_once(size, stride):
    spec = spec_of(window=(64, 64), stride=stride)
    views = make_views(size, 1.0, spec)
    decided = np.zeros(size, int)
    for view, (rows, columns) in zip(views, cores(size, views), strict=True):
        decided[rows, columns] += 1
        # within the view
        assert view.top <= rows.start and rows.stop <= view.top + view.height
        assert view.left <= columns.start and columns.stop <= view.left + view.width
        assert view.height <= 64 and view.width <= 64
        assert all(side % 32 == 0 for side in view.input_size)
    assert (decided == 1).all()


def test_a_pixel_is_decided_far_from_the_edges_of_its_window():
    spec = spec_of(window=(64, 64), stride=(48, 48))
    views = make_views((208, 208), 1.0, spec)
    for view, (rows, _) in zip(views, cores((208, 208), views), strict=True):
        assert rows.start == 0 or rows.start - view.top >= 8
        assert rows.stop == 208 or view.top + view.height - rows.stop >= 8


def test_windows_stay_inside_or_stick_out():
    inside = make_views((70, 64), 1.0, spec_of(window=(64, 64), stride=(48, 48)))
    assert [(one.top, one.height) for one in inside] == [(0, 64), (6, 64)]
    padded = spec_of(conventions="hrnet", tiling="padded", window=(64, 64), pad_to=1)
    views = make_views((70, 64), 1.0, padded)
    assert [(one.top, one.height, one.input_size) for one in views] == [
        (0, 64, (64, 64)),
        (42, 28, (64, 64)),
    ]


def test_the_usual_strides():
    def tops(**fields):
        views = make_views((200, 10), 1.0, spec_of(window=(90, 90), **fields))
        return [one.top for one in views]

    assert tops() == [0, 67, 110]  # three quarters of the window
    assert tops(conventions="hrnet", tiling="padded") == [0, 60, 120]
    assert tops(conventions="hrformer") == [0, 90, 110]
    assert tops(stride=(50, 90)) == [0, 50, 100, 110]
    # The official code for Cityscapes has windows above a scale of 1 alone.
    assert tops(conventions="hrnet", long_side=200) == [0]
    views = make_views((200, 10), 1.25, spec_of(window=(90, 90), conventions="hrnet", long_side=9))
    assert len(views) == 3


def test_sizes_are_rounded_as_published():
    short = {"short_side": 520, "pad_to": 8}
    assert base_size((375, 500), spec_of(**short)) == (520, 693)
    assert base_size((375, 500), spec_of(conventions="hrformer", **short)) == (520, 693)
    assert base_size((333, 500), spec_of(conventions="hrformer", **short)) == (520, 780)
    assert base_size((375, 500), spec_of(exact=(473, 473))) == (473, 473)
    assert scaled_size((520, 696), 1.0, spec_of(long_side=520)) == (389, 520)
    assert scaled_size((101, 50), 0.75, spec_of()) == (76, 38)
    assert scaled_size((101, 50), 0.75, spec_of(conventions="hrformer")) == (75, 37)
    assert scaled_size((3, 1), 0.1, spec_of()) == (1, 1)


def test_fillings_have_the_mean_colour():
    spec = spec_of(mean=(0.2, 0.4, 0.6), conventions="hrnet", pad_to=8)
    base, content = make_base(np.zeros((10, 8, 3), np.uint8), spec)
    assert base.shape == (16, 8, 3) and content == (10, 8) and base.dtype == np.uint8
    assert (base[:10] == 0).all() and (base[10:] == (51, 102, 153)).all()
    # A network that is fed blue first has its mean in that order, too.
    blue_first = SegmentationSpec.model_validate(spec.model_dump() | {"channels": "bgr"})
    np.testing.assert_allclose(fill_color(blue_first), (153, 102, 51))


def test_what_a_window_lacks_is_black():
    spec = spec_of(conventions="hrnet", tiling="padded", window=(8, 8), pad_to=1)
    pixels = np.full((5, 8, 3), 7, np.uint8)
    (view,) = make_views((5, 8), 1.0, spec)
    found = cut(pixels, view)
    assert found.shape == (8, 8, 3) and (found[:5] == 7).all() and (found[5:] == 0).all()
