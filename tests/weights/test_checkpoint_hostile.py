"""Safetensors files with a header that lies: always one line, and nothing is read outside them."""

import json
import struct

import pytest

from hrnet.errors import InputError
from hrnet.skeleton import Skeleton
from hrnet.spec import NetworkSpec
from hrnet.tasks.pose.spec import PoseSpec
from hrnet.weights.checkpoint import read_checkpoint

SPEC = PoseSpec(
    network=NetworkSpec(variant="small_hrnet_w16", task="pose", num_outputs=1),
    name="one",
    input_size=(64, 32),
    codec="udp",
    sigma=1.5,
    skeleton=Skeleton(("a",), edges=(), flip_pairs=(), sigmas=(0.1,)),
)
OURS = {"format": "hrnet", "spec": SPEC.to_json()}
HUGE = 1 << 63


def entry(shape=(2,), offsets=(0, 8), dtype="F32"):
    return {"dtype": dtype, "shape": shape, "data_offsets": offsets}


@pytest.fixture
def put(tmp_path):
    def to_file(header, *, data=bytes(8), length=None):
        path = tmp_path / "model.safetensors"
        if not isinstance(header, bytes):
            header = json.dumps({"__metadata__": OURS, **header}).encode()
        stated = len(header) if length is None else length
        path.write_bytes(struct.pack("<Q", stated) + header + data)
        return path

    return to_file


def refusal(path):
    with pytest.raises(InputError) as error:
        read_checkpoint(path)
    assert str(error.value).isprintable()
    return str(error.value)


def test_honest_header_is_read(put):
    """So that each refusal below is for its own reason."""
    state, spec = read_checkpoint(put({"a": entry()}))
    assert state["a"].tolist() == [0, 0] and spec == SPEC


@pytest.mark.parametrize("length", [0, 1, 10**6, 10**8 + 1, 1 << 60, HUGE])
def test_length_of_the_header(put, length):
    assert "not a readable safetensors file" in refusal(put({"a": entry()}, length=length))


@pytest.mark.parametrize(
    "tensors",
    [
        {"a": entry(offsets=(0, 16), shape=(4,))},
        {"a": entry(offsets=(8, 0))},
        {"a": entry(offsets=(-8, 0))},
        {"a": entry(offsets=(0, HUGE))},
        {"a": entry(shape=(1,), offsets=(4, 8))},
        {"a": entry(), "b": entry()},
        {"a": entry(shape=(1,), offsets=(0, 4)), "b": entry(offsets=(0, 8))},
        {"a": entry(shape=(3,))},
        {"a": entry(shape=(-1,))},
        {"a": entry(shape=(1 << 32, 1 << 32))},
        {"a": entry(shape=(0, HUGE), offsets=(0, 0)), "b": entry()},
        {"a": entry(shape=(HUGE, HUGE, 0), offsets=(0, 0)), "b": entry()},
        {"a": entry(dtype="F64")},
        {"a": entry(dtype="F33")},
        {"a": entry(dtype="F6_E2M3", shape=(8,), offsets=(0, 6))},
        {"a": 1},
    ],
    ids=repr,
)
def test_tensors_that_are_not_there(put, tensors):
    assert "not a readable safetensors file" in refusal(put(tensors))


@pytest.mark.parametrize(
    "header",
    [
        b"",
        b"null",
        b"[]",
        b"\xff\xfe",
        b"[" * 100_000,
        b'{"a":' * 100_000,
        b'{"__metadata__":{"format":"hrnet"},"__metadata__":{"format":"hrnet"}}',
        b'{"__metadata__":{"format":["hrnet"]}}',
    ],
    ids=lambda header: repr(header[:30]),
)
def test_header_that_is_no_description_of_tensors(put, header):
    assert "not a readable safetensors file" in refusal(put(header, data=b""))


def test_tensor_named_twice(put):
    """The later one counts, as in any JSON; both must lie where the file says."""
    twice = json.dumps({"__metadata__": OURS, "a": entry(), "b": entry()}).encode()
    state, _ = read_checkpoint(put(twice.replace(b'"b"', b'"a"')))
    assert list(state) == ["a"] and state["a"].shape == (2,)
    other = json.dumps({"__metadata__": OURS, "a": entry(), "b": entry(shape=(9,))}).encode()
    assert "not a readable" in refusal(put(other.replace(b'"b"', b'"a"')))


@pytest.mark.parametrize(
    "spec",
    ["", "[" * 100_000, '{"a":' * 100_000, "9" * 10_000, '{"variant": "x\\ud800"}', "[]", "null"],
    ids=lambda spec: repr(spec[:9]),
)
def test_description_of_another_kind(put, spec):
    header = {"__metadata__": {"format": "hrnet", "spec": spec}, "a": entry()}
    assert "description" in refusal(put(json.dumps(header).encode()))
