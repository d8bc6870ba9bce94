"""Attention within windows, against the sums written out one window and one pair at a time."""

import math

import pytest
import torch

from hrnet.errors import InputError
from hrnet.models.attention import (
    BucketTable,
    WindowAttention,
    displacement_bias,
    distance_bucket,
    from_windows,
    to_windows,
    window_padding,
)

SIZES = [(7, 7), (14, 7), (3, 5), (9, 16), (1, 20)]
any_size = pytest.mark.parametrize("size", SIZES)


def drawn(*shape: int) -> torch.Tensor:
    draw = torch.Generator().manual_seed(sum(shape))
    return torch.randn(shape, generator=draw, dtype=torch.float64)


def filled(layer: torch.nn.Module) -> torch.nn.Module:
    """The layer in float64, with weights large enough for the softmax to be far from even."""
    draw = torch.Generator().manual_seed(0)
    for parameter in layer.double().parameters():
        parameter.data.normal_(0, 0.5, generator=draw)
    return layer


def attend_slowly(layer: WindowAttention, x: torch.Tensor, bias: torch.Tensor) -> torch.Tensor:
    """Attention over a map (H, W, C): one window, head and query at a time, zeros around the map.

    bias: (2 * window - 1, 2 * window - 1, heads), by how far the query is below and right of a key.
    """
    (height, width, channels), window, heads = x.shape, layer.window, layer.num_heads
    above = (math.ceil(height / window) * window - height) // 2
    left = (math.ceil(width / window) * window - width) // 2
    depth = channels // heads
    out = torch.zeros_like(x)
    for query_y in range(height):
        for query_x in range(width):
            top = (query_y + above) // window * window - above
            start = (query_x + left) // window * window - left
            keys = [(top + i, start + j) for i in range(window) for j in range(window)]
            outside = torch.zeros_like(x[0, 0])
            tokens = [x[y, z] if 0 <= y < height and 0 <= z < width else outside for y, z in keys]
            _, k, v = layer.qkv(torch.stack(tokens)).chunk(3, dim=1)
            q = layer.qkv(x[query_y, query_x]).chunk(3)[0]
            mixed = []
            for head in range(heads):
                part = slice(head * depth, (head + 1) * depth)
                logits = k[:, part] @ q[part] / math.sqrt(depth)
                for index, (y, z) in enumerate(keys):
                    down, right = query_y - y + window - 1, query_x - z + window - 1
                    logits[index] += bias[down, right, head]
                mixed.append(logits.softmax(0) @ v[:, part])
            out[query_y, query_x] = layer.out(torch.cat(mixed))
    return out


@pytest.mark.parametrize(("side", "padding"), [(7, (0, 0)), (8, (3, 3)), (9, (2, 3)), (1, (3, 3))])
def test_the_odd_zero_goes_behind(side, padding):
    assert window_padding(side, 7) == padding


@any_size
def test_windows_come_back_as_the_map(size):
    x = drawn(2, *size, 3)
    windows = to_windows(x, 7)
    assert windows.shape[1:] == (49, 3)
    assert torch.equal(from_windows(windows, 7, size), x)


def test_windows_are_neighbours_row_by_row():
    x = torch.arange(4 * 6).reshape(1, 4, 6, 1)
    windows = to_windows(x, 2)
    assert windows[0, :, 0].tolist() == [0, 1, 6, 7]
    assert windows[2, :, 0].tolist() == [4, 5, 10, 11]
    assert windows[3, :, 0].tolist() == [12, 13, 18, 19]


@torch.no_grad()
@pytest.mark.parametrize(("size", "window"), [((3, 5), 4), ((7, 7), 7), ((4, 6), 2), ((6, 3), 5)])
@pytest.mark.parametrize("use_table", [True, False])
def test_attention_is_the_sum_over_its_window(size, window, use_table):
    layer = filled(WindowAttention(6, 2, window=window, use_table=use_table))
    x = drawn(2, *size, 6)
    table = layer.relative_position_bias_table.unflatten(0, (2 * window - 1, -1))
    expected = [attend_slowly(layer, one, table if use_table else 0 * table) for one in x]
    torch.testing.assert_close(layer(x), torch.stack(expected), rtol=1e-10, atol=1e-12)


@torch.no_grad()
def test_shared_attention_is_the_sum_over_its_window():
    shared = filled(BucketTable(4))
    layer = filled(WindowAttention(6, 2, window=5, shared=shared))
    x = drawn(1, 7, 4, 6)
    bias = shared(5, 2).unflatten(0, (9, 9))
    expected = attend_slowly(layer, x[0], bias)
    torch.testing.assert_close(layer(x)[0], expected, rtol=1e-10, atol=1e-12)


@torch.no_grad()
def test_nothing_passes_between_windows():
    layer = filled(WindowAttention(6, 2, window=7))
    x = drawn(1, 14, 14, 6)
    changed = x.clone()
    changed[:, :7, 7:] += 1
    same = (layer(x) == layer(changed)).all(-1)[0]
    assert same[7:].all()
    assert same[:7, :7].all()
    assert not same[:7, 7:].any()


def test_a_pair_reads_the_row_of_its_displacement():
    window = 3
    bias = displacement_bias(torch.arange(2.0 * 25).reshape(25, 2), window)
    assert bias.shape == (2, 9, 9)
    for query in range(9):
        for key in range(9):
            down, right = query // 3 - key // 3, query % 3 - key % 3
            assert bias[1, query, key] == 2 * ((down + 2) * 5 + right + 2) + 1


def test_the_bias_gives_each_row_the_gradient_of_all_its_pairs():
    table = torch.zeros(25, 1, requires_grad=True)
    displacement_bias(table, 3).sum().backward()
    count = torch.tensor([1.0, 2, 3, 2, 1])
    assert torch.equal(table.grad[:, 0], torch.outer(count, count).flatten())


def test_buckets_are_those_of_the_t5_formula():
    """Worked by hand: 4 + int(4 * log(distance / 4) / log(16 / 4)) from 4 on."""
    by_hand = {0: 0, 1: 1, 2: 2, 3: 3, 4: 4, 5: 4, 6: 5, 7: 5, 8: 6, 11: 6, 12: 7, 14: 7, 99: 7}
    assert {distance: distance_bucket(distance) for distance in by_hand} == by_hand


def test_a_displacement_reads_both_of_its_buckets():
    """Rows of 15 for -7 to 7; the displacement (-6, 5) is in buckets -5 and 4."""
    table = BucketTable(3)
    table.table.data = torch.arange(15.0 * 15 * 3).reshape(15, 15, 3)
    spread = table(7, 2).unflatten(0, (13, 13))
    assert spread.shape == (13, 13, 2)
    for (down, right), (row, column) in {
        (0, 0): (7, 7),
        (-6, 5): (2, 11),
        (4, -1): (11, 6),
    }.items():
        assert torch.equal(spread[6 + down, 6 + right], table.table[row, column, :2])


def test_the_shared_table_fits_every_window():
    table = filled(BucketTable(2))
    small, large = (table(window, 2).unflatten(0, (2 * window - 1, -1)) for window in (7, 15))
    assert torch.equal(large[8:-8, 8:-8], small)


def test_heads_must_divide_the_width():
    with pytest.raises(InputError, match="a width that 4 heads divide, got 6; change widths or"):
        WindowAttention(6, 4, window=7)
