"""Run lengths equal those of pycocotools, and small facts hold without it."""

import numpy as np
import pytest

from hrnet.data.run_lengths import is_mask_of, pixels_of, run_lengths


def test_run_lengths_by_hand():
    """Down the columns: 1 outside, 2 inside, 3 outside; each letter is 48 more than its number."""
    mask = np.array([[0, 0], [1, 0], [1, 0]], bool)
    assert run_lengths(mask) == {"size": [3, 2], "counts": "123"}
    assert run_lengths(np.zeros((2, 3), bool)) == {"size": [2, 3], "counts": "6"}
    assert run_lengths(np.ones((2, 3), bool)) == {"size": [2, 3], "counts": "06"}


@pytest.mark.parametrize("size", [(1, 1), (7, 5), (64, 48), (480, 640)])
@pytest.mark.parametrize("cell", [1, 4, 50])
def test_run_lengths_equal_those_of_pycocotools(size, cell):
    coco_mask = pytest.importorskip("pycocotools.mask")
    rng = np.random.default_rng(cell)
    for share in (0, 0.1, 0.5, 1):
        cells = rng.random((-(-size[0] // cell), -(-size[1] // cell))) < share
        mask = np.kron(cells, np.ones((cell, cell), bool))[: size[0], : size[1]]
        theirs = coco_mask.encode(np.asfortranarray(mask.astype(np.uint8)))
        ours = run_lengths(mask)
        assert ours == {"size": theirs["size"], "counts": theirs["counts"].decode()}
        np.testing.assert_array_equal(coco_mask.decode(ours), mask)
        np.testing.assert_array_equal(pixels_of(ours, size), mask)
        np.testing.assert_array_equal(pixels_of(theirs, size), mask)
        assert is_mask_of(ours, size)
        assert not is_mask_of(ours, (size[0], size[1] + 1))
        assert not is_mask_of({**ours, "counts": ours["counts"] + "1"}, size)
