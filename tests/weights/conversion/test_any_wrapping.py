"""Whatever is wrapped around a network, it is found, or one line says why not."""

import torch
from hypothesis import given
from hypothesis import strategies as st

from hrnet.errors import InputError
from hrnet.weights.files.unwrap import OTHER, unwrap

MARK = "stage2.0.branches.0.0.conv1.weight"
STATE = {
    "conv1.weight": torch.ones(2),
    "bn1.num_batches_tracked": torch.tensor(3),
    MARK: torch.ones(3),
    "final_layer.weight": torch.ones(4),
}

WRAPPERS = "state_dict model net module weights student ema shadow network".split()
PREFIXES = ("module.", "model.", "_orig_mod.", "net.a.")
BOOKKEEPING = {
    "n_averaged": torch.tensor(5),
    "epoch": 3,
    "optimizer": {"state": {0: {"exp_avg": torch.ones(2)}}, "param_groups": [{"lr": 0.1}]},
    "criterion.weight": torch.ones(19),
    "loss_fn.sigmas": torch.ones(17),
    "val_ap.total": torch.tensor(3),
    "meta": {},
    "config": None,
}

steps = st.lists(
    st.one_of(
        st.tuples(st.just("key"), st.sampled_from(WRAPPERS)),
        st.tuples(st.just("prefix"), st.sampled_from(PREFIXES)),
        st.tuples(st.just("beside"), st.sampled_from(sorted(BOOKKEEPING))),
    ),
    max_size=8,
)


def wrap(content, kind, name):
    """Put one more layer around a content; prefixes go before the names of a flat dictionary."""
    if kind == "key":
        return {name: content}
    if kind == "prefix":
        return {f"{name}{key}": value for key, value in content.items()}
    return {name: BOOKKEEPING[name], **content}


@given(steps)
def test_every_usual_wrapping_is_taken_off(steps):
    content, beside = dict(STATE), set()
    for step in steps:
        content = wrap(content, *step)
        if step[0] == "beside":
            beside.add(step[1])
    taken = unwrap(content, "file")
    assert taken.state.keys() == STATE.keys()
    assert all(taken.state[name] is value for name, value in STATE.items())
    assert bool(beside) == bool(taken.dropped)


@given(steps, steps)
def test_of_two_sets_one_is_taken_and_the_other_is_named(first, second):
    contents = []
    for steps in (first, second):
        content = {name: value.clone() for name, value in STATE.items()}
        for step in steps:
            content = wrap(content, *step)
        contents.append(content)
    taken = unwrap({"one": contents[0], "two": contents[1]}, "file")
    assert taken.state.keys() == STATE.keys()
    others = [part for part in taken.dropped if part.reason.startswith(OTHER)]
    assert {part.what.partition(".")[0] for part in others} in ({"one"}, {"two"})
    assert all(part.reason.endswith(" was taken") for part in others)


leaves = st.one_of(
    *(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=3)),
    st.builds(torch.ones, st.sampled_from([(), (0,), (2,), (2, 2)])),
    st.just(torch.ones(2, dtype=torch.complex64)),
)
keys = st.one_of(
    st.text(max_size=6), st.sampled_from([MARK, f"a.{MARK}", "", ".", "module", "loss"])
)
contents = st.recursive(
    leaves,
    lambda inner: st.one_of(
        st.lists(inner, max_size=2),
        st.dictionaries(keys, inner, max_size=4),
        st.dictionaries(st.integers(0, 3), inner, max_size=2),
    ),
)


@given(st.dictionaries(keys, contents, max_size=6), st.booleans())
def test_any_dictionary_is_taken_or_one_line(content, circular):
    if circular:
        content["itself"] = content
    try:
        taken = unwrap(content, "file")
    except InputError as error:
        assert len(str(error).splitlines()) == 1
    else:
        assert all(isinstance(value, torch.Tensor) for value in taken.state.values())
        assert all(part.count > 0 for part in taken.dropped)


def test_dictionaries_that_multiply_are_one_line():
    content = {"weight": torch.ones(1)}
    for _ in range(30):
        content = dict.fromkeys("abcdefgh", content)
    try:
        unwrap(content, "file")
    except InputError as error:
        assert "has more than 100,000 entries" in str(error)
    else:
        raise AssertionError("taken")
