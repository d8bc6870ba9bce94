"""HRFormer's names: queries, keys and values join and split, and the index comes back."""

import pytest
import torch

from hrnet.errors import InputError
from hrnet.weights.schemes.hrformer import (
    join_mmpose,
    join_official,
    relative_position_index,
    resize_bias_table,
    split_mmpose,
    split_official,
    table_window,
)

LAYER = "backbone.stage2.0.branches.1.0.attn.attn"


def official() -> dict[str, torch.Tensor]:
    """One layer of 4 channels and 2 heads, and a tensor that has nothing to do with it."""
    draw = torch.Generator().manual_seed(0)

    def drawn(*shape: int) -> torch.Tensor:
        return torch.randn(shape, generator=draw)

    layers = {f"{LAYER}.{part}_proj": (4, 4) for part in ("k", "v", "q", "out")}
    return {
        "backbone.conv1.weight": drawn(2, 3, 3, 3),
        f"{LAYER}.relative_position_bias_table": drawn(169, 2),
        f"{LAYER}.relative_position_index": relative_position_index(7),
        **{f"{name}.weight": drawn(*shape) for name, shape in layers.items()},
        **{f"{name}.bias": drawn(4) for name in layers},
        "backbone.stage2.0.branches.1.0.mlp.fc1.weight": drawn(16, 4, 1, 1),
    }


def same(ours: dict[str, torch.Tensor], expected: dict[str, torch.Tensor]) -> bool:
    return ours.keys() == expected.keys() and all(torch.equal(ours[k], expected[k]) for k in ours)


def test_queries_keys_and_values_are_joined_in_this_order():
    state = official()
    joined = join_official(state)
    weights = [state[f"{LAYER}.{part}_proj.weight"] for part in "qkv"]
    assert torch.equal(joined[f"{LAYER}.qkv.weight"], torch.cat(weights))
    assert joined[f"{LAYER}.qkv.bias"].shape == (12,)
    assert joined[f"{LAYER}.out_proj.weight"] is state[f"{LAYER}.out_proj.weight"]
    assert len(joined) == len(state) - 4 - 1  # two of three pairs, and the index


def test_official_files_come_back_whole():
    assert same(split_official(join_official(official())), official())


def test_mmpose_files_come_back_whole():
    joined = join_official(official())
    theirs = split_mmpose(joined)
    assert f"{LAYER}.proj.weight" in theirs
    assert f"{LAYER}.relative_position_index" in theirs
    assert "backbone.stage2.0.branches.1.0.ffn.fc1.weight" in theirs
    assert same(join_mmpose(theirs), joined)


def test_half_an_attention_is_refused():
    state = official()
    del state[f"{LAYER}.k_proj.bias"]
    with pytest.raises(InputError, match=r"together, got no '.*k_proj.bias'; the file is not"):
        join_official(state)


def test_the_index_is_swins():
    """Window 2 by hand: rows of 3, a query below and right of its key further on."""
    expected = [[4, 3, 1, 0], [5, 4, 2, 1], [7, 6, 4, 3], [8, 7, 5, 4]]
    assert relative_position_index(2).tolist() == expected


@pytest.mark.parametrize("window", [1, 7, 13])
def test_a_table_tells_its_window(window):
    assert table_window(torch.empty((2 * window - 1) ** 2, 3)) == window


@pytest.mark.parametrize("rows", [4, 168])
def test_a_table_of_no_window_is_refused(rows):
    with pytest.raises(InputError, match=rf"\(2 \* window - 1\)\*\*2 rows, got {rows}; the file"):
        table_window(torch.empty(rows, 2))


def test_resizing_keeps_each_head_and_each_direction():
    """A table that rises downwards by 1 and to the right by 10 still does, less steeply."""
    places = torch.arange(13, dtype=torch.float64)
    down, right = torch.meshgrid(places, places, indexing="ij")
    table = torch.stack([down, 10 * right], dim=-1).flatten(0, 1)
    resized = resize_bias_table(table, 13).unflatten(0, (25, 25))
    middle = resized[2:-2, 2:-2]
    for head, rising, other, step in ((0, 0, 1, 13 / 25), (1, 1, 0, 10 * 13 / 25)):
        steps = middle[..., head].diff(dim=rising)
        torch.testing.assert_close(steps, torch.full_like(steps, step))
        level = middle[..., head].diff(dim=other)
        torch.testing.assert_close(level, torch.zeros_like(level))
    assert resized[12, 12].tolist() == pytest.approx([6, 60])


def test_resizing_to_the_same_window_changes_nothing():
    table = torch.randn(169, 4)
    assert torch.equal(resize_bias_table(table, 7), table)
