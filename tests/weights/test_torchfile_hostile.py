"""Files that attack the reader: nothing of them may run, and memory stays in bounds.

A file is the pickle of {"weight": a tensor, "x": the attack}, put together by hand in the zip of
torch.save. Either it is refused with one line, or the attack became a harmless placeholder and
the tensor is intact.
"""

import collections
import contextlib
import copyreg
import io
import pickle
import struct
import zipfile
from pathlib import Path

import pytest
import torch

from hrnet.errors import InputError
from hrnet.weights.files.torchfile import Placeholder, read_torch_file

WEIGHT = torch.arange(6.0).reshape(2, 3)
STORAGE = WEIGHT.numpy().tobytes()


def text(value):
    data = value.encode()
    return b"X" + struct.pack("<I", len(data)) + data


def name(module, attribute):
    return b"c" + f"{module}\n{attribute}\n".encode()


def call(function, *arguments):
    return function + b"(" + b"".join(arguments) + b"tR"


def storage(kind="FloatStorage", key="0", count=6, word="storage"):
    parts = text(word) + name("torch", kind) + text(key) + text("cpu") + number(count)
    return b"(" + parts + b"tQ"


def number(value):
    data = value.to_bytes(16, "little", signed=True)
    return b"\x8a" + bytes([len(data)]) + data


def numbers(values):
    return b"(" + b"".join(map(number, values)) + b"t"


def tensor(flat=None, offset=0, size=(2, 3), stride=(3, 1)):
    rebuild = name("torch._utils", "_rebuild_tensor_v2")
    shape = number(offset) + numbers(size) + numbers(stride)
    return call(rebuild, flat or storage(), shape, b"\x89", b"}")


IMPORT, GETATTR = name("importlib", "import_module"), name("builtins", "getattr")
PARTIAL, SYSTEM = name("functools", "partial"), name("os", "system")


def raw(data):
    return b"B" + struct.pack("<I", len(data)) + data


def payloads(folder):
    """Attacks that make the file `ran` in the folder when Python unpickles them."""
    ran = str(folder / "ran")
    shell, code = text(f"touch {ran}"), text(f"open({ran!r}, 'w').close()")
    inner = b"\x80\x02" + call(SYSTEM, shell) + b"."
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("inner/data.pkl", inner)
        archive.writestr("inner/version", "3\n")
    os_in_shutil = call(GETATTR, call(IMPORT, text("shutil")), text("os"))
    mapped = call(name("builtins", "map"), SYSTEM, b"]" + shell + b"a")
    return {
        "os.system": call(SYSTEM, shell),
        "posix.system": call(name("posix", "system"), shell),
        "eval": call(name("builtins", "eval"), code),
        "exec": call(name("builtins", "exec"), code),
        "calls in a call": call(call(GETATTR, call(IMPORT, text("os")), text("system")), shell),
        "dotted name": call(text("shutil") + text("os.system") + b"\x93", shell),
        "getattr chain": call(call(GETATTR, os_in_shutil, text("system")), shell),
        "partial": call(call(PARTIAL, name("subprocess", "getoutput"), shell)),
        "map": call(name("builtins", "list"), mapped),
        "methodcaller": call(
            call(name("operator", "methodcaller"), text("system"), shell), call(IMPORT, text("os"))
        ),
        "runpy": call(name("runpy", "run_path"), text(str(folder / "hubconf.py"))),
        "torch.hub": call(name("torch.hub", "_load_local"), text(str(folder)), text("model")),
        "pickle in a pickle": call(name("pickle", "loads"), raw(inner)),
        "torch.load": call(name("torch.storage", "_load_from_bytes"), raw(file.getvalue())),
        "state": call(
            call(PARTIAL, name("builtins", "print")) + b"(" + SYSTEM + b"(" + shell + b"t}}tb"
        ),
        "INST": b"(" + shell + b"ios\nsystem\n",
        "OBJ": b"(" + SYSTEM + shell + b"o",
    }


@pytest.fixture
def payload(request, tmp_path):
    (tmp_path / "hubconf.py").write_text(
        f"def model(): pass\nopen({str(tmp_path / 'ran')!r}, 'w').close()"
    )
    return payloads(tmp_path)[request.param]


every_payload = pytest.mark.parametrize("payload", list(payloads(Path())), indirect=True)


@every_payload
def test_the_payloads_are_real(payload, watch, tmp_path):
    """Without this the next test would prove nothing: Python's unpickler does run each."""
    with watch() as events, contextlib.suppress(Exception):
        pickle.loads(b"\x80\x04" + payload + b".")
    assert events and (tmp_path / "ran").exists()


@every_payload
def test_payloads_become_placeholders(payload, read, tmp_path):
    """No name is ever looked up, so a call of it gives a placeholder and the rest is readable."""
    assert isinstance(read(payload), Placeholder)
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("place", range(1, 6))
def test_payload_anywhere_in_the_older_format(place, tmp_path):
    """Each of its five pickles goes through the same machine; none may run anything."""
    attack = b"\x80\x02" + payloads(tmp_path)["os.system"] + b"."
    parts = [pickle.dumps(part, 2) for part in (0x1950A86A20F9469CFC6C, 1001, {}, {"a": 1}, [])]
    parts.insert(place, attack)
    path = tmp_path / "weights.pth"
    path.write_bytes(b"".join(parts))
    with contextlib.suppress(InputError):
        read_torch_file(path)
    assert not (tmp_path / "ran").exists()


def test_web_browser(read):
    """Harmless placeholder: never imported."""
    assert isinstance(read(call(name("webbrowser", "open"), text("http://x.test"))), Placeholder)


def test_state_for_a_function_of_torch(read):
    """BUILD could set attributes of torch's own functions; here the state is dropped."""
    function = name("torch._utils", "_rebuild_tensor_v2")
    state = b"N}" + text("owned") + b"Ns\x86b"
    assert pickle.loads(b"\x80\x04" + function + state + b".").owned is None
    del torch._utils._rebuild_tensor_v2.owned
    assert isinstance(read(function + state), Placeholder)
    assert not hasattr(torch._utils._rebuild_tensor_v2, "owned")


@pytest.mark.parametrize(
    "made", [call(name("collections", "OrderedDict")), tensor(), b"}", b"]"], ids=repr
)
def test_state_for_an_allowed_object(read, made):
    """StateDict that would replace a class or a method is dropped; the value stays plain data."""
    state = b"}" + text("__class__") + SYSTEM + b"s" + text("__setstate__") + SYSTEM + b"s"
    value = read(made + state + b"b")
    assert type(value) in (collections.OrderedDict, torch.Tensor, dict, list)
    assert "__setstate__" not in getattr(value, "__dict__", {})


def test_extension_registry(refused):
    """EXT codes name entries of a registry of the process; torch never writes them: refused."""
    copyreg.add_extension("os", "system", 240)
    try:
        assert "EXT1" in refused(call(b"\x82\xf0", text("true")))
    finally:
        copyreg.remove_extension("os", "system", 240)


@pytest.mark.parametrize(
    "attack",
    [
        storage(word="exec"),
        b"Parchive/data/0\n",
        text("0") + b"Q",
        b"(" + text("storage") + SYSTEM + text("0") + text("cpu") + number(6) + b"tQ",
        storage(kind="QInt8Storage"),
        storage(key="../data.pkl"),
        storage(key="1"),
        storage(count=7),
        storage(count=-1),
        storage(count=1 << 60),
        storage(kind="DoubleStorage"),
        storage(kind="IntStorage"),
    ],
    ids=repr,
)
def test_storages_that_are_not_there(refused, attack):
    """Only ("storage", type, key, ...) of bytes that the file has: refused otherwise."""
    refused(attack)


@pytest.mark.parametrize(
    "wrong",
    [
        {"offset": 1},
        {"offset": -1},
        {"offset": 1 << 62, "size": (1,), "stride": (1,)},
        {"stride": (4, 1)},
        {"stride": (1 << 47, 1)},
        {"stride": (-3, 1)},
        {"size": (3, 3)},
        {"size": (-2, 3)},
        {"size": (1 << 62, 1 << 62)},
        {"size": (0, 1 << 62)},
        {"size": (0,) + (1 << 40,) * 2, "stride": (1 << 40,) * 3},
        {"size": (2,)},
        {"size": (1,) * 70, "stride": (1,) * 70},
        {"flat": SYSTEM},
        {"flat": tensor(size=(1000,), stride=(0,)), "size": (100,), "stride": (1,)},
    ],
    ids=repr,
)
def test_tensors_outside_their_storage(refused, wrong):
    """Memory of the process would be read: refused, also where the tensor holds no number."""
    refused(tensor(**wrong))


def test_expanded_tensors_are_limited(refused):
    """A stride of 0 makes a terabyte of one number, which the first copy would take: refused."""
    assert "16 times" in refused(tensor(size=(1 << 40,), stride=(0,)))
