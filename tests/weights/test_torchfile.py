"""Honest files of torch.save in both formats, and files that are something else."""

import argparse
import collections
import datetime
import io
import pickle
import sys
import tarfile
import types
import zipfile

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from hrnet.errors import InputError
from hrnet.weights.files.torchfile import Placeholder, read_torch_file

BASE = torch.arange(24.0).reshape(4, 6)
FORMATS = pytest.mark.parametrize("zipped", [True, False], ids=["zip", "legacy"])


@pytest.fixture
def write(tmp_path):
    def to_file(content, *, zipped=True, protocol=2):
        path = tmp_path / "weights.pth"
        torch.save(content, path, _use_new_zipfile_serialization=zipped, pickle_protocol=protocol)
        return path

    return to_file


def refusal(path):
    with pytest.raises(InputError) as error:
        read_torch_file(path)
    message = str(error.value)
    assert message.startswith("expected a file of torch.save, but ") and "\n" not in message
    return message


def assert_same(ours, theirs):
    """Equal down to type, shape, stride and value; a Placeholder is equal to nothing."""
    if isinstance(theirs, torch.Tensor):
        assert type(ours) is torch.Tensor
        assert (ours.dtype, ours.shape, ours.stride()) == (
            theirs.dtype,
            theirs.shape,
            theirs.stride(),
        )
        assert ours.device.type == "cpu"
        assert torch.equal(ours.contiguous().view(-1), theirs.detach().contiguous().view(-1))
    elif isinstance(theirs, dict):
        assert isinstance(ours, dict) and list(ours) == list(theirs)
        for key, value in theirs.items():
            assert_same(ours[key], value)
    elif isinstance(theirs, list | tuple):
        assert len(ours) == len(theirs)
        for mine, other in zip(ours, theirs, strict=True):
            assert_same(mine, other)
    else:
        assert ours == theirs and type(ours) is type(theirs)


@FORMATS
@pytest.mark.parametrize(
    "tensor",
    [
        *(BASE.to(dtype) for dtype in (torch.float64, torch.float16, torch.bfloat16)),
        *(BASE.to(dtype) for dtype in (torch.int64, torch.int32, torch.int16, torch.int8)),
        *(BASE.to(dtype) for dtype in (torch.uint8, torch.complex64)),
        BASE > 3,
        torch.tensor(3.5),
        torch.empty(0),
        torch.empty(0, 3, dtype=torch.int64),
        BASE.t(),
        BASE[1:, ::2],
        torch.ones(1).expand(5, 4),
        torch.nn.Parameter(BASE),
        BASE.reshape(1, 2, 3, 4).contiguous(memory_format=torch.channels_last),
    ],
    ids=lambda tensor: f"{tensor.dtype}{tuple(tensor.shape)}{tensor.stride()}",
)
def test_tensors_are_equal(write, tensor, zipped):
    path = write({"tensor": tensor}, zipped=zipped)
    assert_same(read_torch_file(path), torch.load(path, weights_only=False))


@pytest.mark.parametrize("dtype", [torch.uint16, torch.float8_e4m3fn], ids=str)
def test_types_without_a_storage_of_their_own(write, dtype):
    tensor = read_torch_file(write({"tensor": BASE.to(dtype)}))["tensor"]
    assert isinstance(tensor, torch.Tensor) and tensor.dtype == dtype
    assert torch.equal(tensor.float(), BASE.to(dtype).float())


@FORMATS
@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
def test_training_checkpoint(write, zipped, protocol):
    network = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3), torch.nn.BatchNorm2d(4))
    optimizer = torch.optim.Adam(network.parameters())
    network(torch.rand(1, 3, 5, 5)).sum().backward()
    optimizer.step()
    content = {
        "epoch": 3,
        "model": "pose_hrnet",
        "state_dict": network.state_dict(),
        "best_state_dict": network.state_dict(),
        "perf": 0.744,
        "numbers": [2**70, -1, None, True, (), (1, "zwei")],
        "optimizer": optimizer.state_dict(),
    }
    path = write(content, zipped=zipped, protocol=protocol)
    ours = read_torch_file(path)
    assert_same(ours, torch.load(path, weights_only=False))
    assert type(ours["state_dict"]) is collections.OrderedDict


@FORMATS
@pytest.mark.parametrize("make", [torch.Tensor, torch.nn.Parameter])
def test_tensors_with_attributes_lose_them(write, zipped, make):
    tensor = make(BASE.clone())
    tensor.note = "something"
    ours = read_torch_file(write({"tensor": tensor}, zipped=zipped))
    assert_same(ours, {"tensor": BASE})
    assert not hasattr(ours["tensor"], "note")


@FORMATS
def test_shared_memory_is_shared(write, zipped):
    ours = read_torch_file(write({"all": BASE, "row": BASE[2]}, zipped=zipped))
    whole, row = ours["all"], ours["row"]
    assert isinstance(whole, torch.Tensor) and isinstance(row, torch.Tensor)
    whole[2] = -1
    assert torch.equal(row, torch.full((6,), -1.0))


def _foreign(module, name, base=object):
    """A class of a module that is not installed, as far as pickle can tell."""
    kind = type(name, (base,), {"__module__": module, "__qualname__": name})
    parts = module.split(".")
    modules = {
        ".".join(parts[: n + 1]): types.ModuleType(".".join(parts[: n + 1]))
        for n in range(len(parts))
    }
    setattr(modules[module], name, kind)
    return kind, modules


def _history(kind):
    history = kind()
    history._log_history, history._count_history = np.arange(3.0), np.ones(3, np.int64)
    history._statistics_methods = {"mean": len}
    return history


def _with_items(kind):
    config = kind(MODEL=kind(NAME="pose_hrnet"))
    config.frozen = True
    return config


@FORMATS
@pytest.mark.parametrize("protocol", [2, 4])
@pytest.mark.parametrize(
    ("module", "name", "base", "make"),
    [
        ("mmengine_.logging.history_buffer", "HistoryBuffer", object, _history),
        ("yacs_.config", "CfgNode", dict, _with_items),
        ("mmengine_.config", "ConfigDict", collections.OrderedDict, _with_items),
        ("project_.utils", "Meters", list, lambda kind: kind([1, torch.ones(2)])),
    ],
    ids=["history", "cfgnode", "configdict", "list"],
)
def test_foreign_classes_become_placeholders(
    write, monkeypatch, module, name, base, make, zipped, protocol
):
    kind, modules = _foreign(module, name, base)
    content = {"meta": {"foreign": make(kind)}, "weight": BASE, "after": [BASE, "text"]}
    with monkeypatch.context() as while_writing:
        for key, value in modules.items():
            while_writing.setitem(sys.modules, key, value)
        path = write(content, zipped=zipped, protocol=protocol)
    ours = read_torch_file(path)
    meta = ours.pop("meta")
    assert isinstance(meta, dict) and isinstance(meta["foreign"], Placeholder)
    assert meta["foreign"].name == f"{module}.{name}"
    assert_same(ours, {"weight": BASE, "after": [BASE, "text"]})
    assert module not in sys.modules


@pytest.mark.parametrize(
    ("value", "name"),
    [
        (argparse.Namespace(lr=0.1), "argparse.Namespace"),
        (np.float64(0.5), "numpy._core.multiarray.scalar"),
        (np.arange(3), "numpy._core.multiarray._reconstruct"),
        (np.dtype("float32"), "numpy.dtype"),
        (datetime.date(2019, 2, 25), "datetime.date"),
        (collections.Counter("ab"), "collections.Counter"),
        ({1, 2}, "__builtin__.set"),
        (len, "__builtin__.len"),
        (torch.float32, "torch.float32"),
        (torch.device("cuda"), "torch.device"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_values_that_are_no_plain_data(write, value, name):
    ours = read_torch_file(write({"value": value, "weight": BASE}))
    assert isinstance(ours["value"], Placeholder)
    assert ours["value"].name.replace("numpy.core", "numpy._core") == name
    assert_same(ours["weight"], BASE)


def test_dictionaries_lose_their_attributes_and_factories(write):
    """load_state_dict reads _metadata where it is; here nothing of the file but its values is."""
    state = torch.nn.Linear(2, 2).state_dict()
    assert hasattr(state, "_metadata")
    content = {"state": state, "log": collections.defaultdict(list, a=[1]), "size": BASE.shape}
    ours = read_torch_file(write(content))
    assert not hasattr(ours["state"], "_metadata")
    assert ours["log"] == {"a": [1]} and type(ours["log"]) is dict
    assert ours["size"] == (4, 6)


def test_ordered_dictionary_as_python_2_wrote_it(tmp_path):
    """Python 2 wrote the items as arguments: REDUCE(OrderedDict, ([[key, value], ...],))."""
    buffer = io.BytesIO()
    for part in (0x1950A86A20F9469CFC6C, 1001, {"little_endian": True}):
        pickle.dump(part, buffer, protocol=2)
    buffer.write(b"\x80\x02ccollections\nOrderedDict\n(](](U\x01bK\x01e](U\x01aK\x02eetR.")
    pickle.dump([], buffer, protocol=2)
    path = tmp_path / "old.pth"
    path.write_bytes(buffer.getvalue())
    assert list(read_torch_file(path).items()) == [("b", 1), ("a", 2)]


def test_pickled_module_is_refused(write, monkeypatch):
    kind, modules = _foreign("models_.pose", "PoseNet", torch.nn.Linear)
    with monkeypatch.context() as while_writing:
        for key, value in modules.items():
            while_writing.setitem(sys.modules, key, value)
        path = write(kind(2, 2))
    assert "'models_.pose.PoseNet'" in refusal(path)
    assert "save its state_dict()" in refusal(path)


@FORMATS
@pytest.mark.parametrize(
    ("content", "words"),
    [
        ([BASE], "a list and no dictionary"),
        (BASE, "a Tensor and no dictionary"),
        ({1: BASE}, "keys are not all names"),
        ({"a\x1b[2J": BASE}, "a key that is no short text"),
        ({"x": BASE.to(torch.complex64).conj()}, "negated or conjugated"),
    ],
)
def test_content_that_holds_no_named_tensors(write, content, words, zipped):
    assert words in refusal(write(content, zipped=zipped))


@FORMATS
@pytest.mark.parametrize("part", [0.2, 0.5, 0.9, 0.99])
def test_truncated(write, zipped, part):
    path = write({"a": BASE, "b": torch.ones(5000)}, zipped=zipped)
    data = path.read_bytes()
    path.write_bytes(data[: int(part * len(data))])
    assert "download or save it again" in refusal(path)


def test_damaged_bytes_are_noticed(write):
    path = write({"a": torch.ones(5000)})
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    assert "Bad CRC-32" in refusal(path)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "is empty"),
        (b"\n<!DOCTYPE html><html>Sign in</html>", "is a web page"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0", "git lfs pull"),
        (b"just some words", "is a text file"),
        (bytes(range(1, 200)), "is of another kind"),
        (pickle.dumps({"a": 1}), "is a pickle that torch.save did not write"),
    ],
    ids=["empty", "html", "lfs", "text", "binary", "pickle"],
)
def test_other_files(tmp_path, data, words):
    path = tmp_path / "model.pth"
    path.write_bytes(data)
    assert words in refusal(path)


def test_missing_file_and_folder(tmp_path):
    assert "there is none" in refusal(tmp_path / "nothing.pth")
    assert "there is none" in refusal(tmp_path)


def test_safetensors_by_mistake(tmp_path):
    save_file({"a": BASE}, tmp_path / "model.pth")
    assert "is a safetensors file" in refusal(tmp_path / "model.pth")


def test_tar_archive(tmp_path):
    path = tmp_path / "model.pth.tar"
    with tarfile.open(path, "w") as archive:
        archive.addfile(tarfile.TarInfo("sys_info"), io.BytesIO())
    assert "is a tar archive" in refusal(path)


def test_torchscript_archive(tmp_path):
    path = tmp_path / "program.pt"
    with zipfile.ZipFile(path, "w") as archive:
        for name in ("data.pkl", "constants.pkl", "code/__torch__.py"):
            archive.writestr(f"program/{name}", b"")
    assert "is a TorchScript program" in refusal(path)


def test_other_zip(tmp_path):
    path = tmp_path / "model.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("model.pth", b"PK")
    assert "is a zip without the one pickle of torch" in refusal(path)
