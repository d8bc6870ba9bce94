"""The reader of .pdparams files: equal to what was saved, nothing run, memory in bounds."""

import base64
import pickle
import struct
import tracemalloc
from collections import OrderedDict

import numpy as np
import pytest
import torch

from hrnet.errors import InputError
from hrnet.weights.files.paddlefile import read_paddle_file
from hrnet.weights.files.torchfile import Placeholder
from hrnet.weights.files.unwrap import unwrap

from .test_torchfile_hostile import call, every_payload, name, number, payload, payloads, text

__all__ = ["payload"]

WEIGHT = np.array([[1, 2], [3, 4], [5, -0.5]], np.float32)
BIAS = np.array([7, -128.5], np.float32)
NAMES = "StructuredToParameterName@@"

WRITTEN = {
    "protocol 2": """fC7DS04P`q0001HV=i}PX=iA3aRFm)b!~8YE?;ABa%C=Ub!>ELVRCX|c?w^0Wn*t{b98cbV{{5}
        0%LA<ZE$%CZe(F{a$$K2aRW;Lg>eL9Ut@1%Wn*&+Wo~0{WMv9*1y}(9003ff23Q6F003-ZbZKreaR-KR2vTtgh
        j9v0aSJF*0ZRi*0)}x6V{UbAaCr)3ba`-P3ULis0ssI2W;AgQiHL`B4^nXuC`$ua0RR91JaG|DPEJby|Ns9=|N
        sC0O8|6n5@LyH1y~#a00000!hk;j002M$06;(h0K$Mk006?EKmY&$!oP77Xa|OI6jE^&ba579SO)+A0A^z@Vrg
        M>aTjO;Xah?Cg>e{Y35RhRQgIq6O94v)g>f5b5Q%67SPK9E0002Ppg;h^fB?gTaU5s|hH)KIaUOJWA7WS=0000
        }baHiLbairNWK?fZVRB(@Wprh7PGN0jKtORIeQ_ZuXaQIZ0001NX>Mg<a$hhmcV94ZB4`&_3;+NCY-w&~VRBzE
        E@EFWaU*qgE&""",
    "protocol 3": """fCGJT04P`q0001HV=i}PX=iA3aRFm)b!~8YE?;ABa%C=Ub!>ELVRCX|c?w^0Wn*t{b98cbV{{5}
        0%LA<ZE$%CZe(F{a$$K2aRW;Lg>eK!0b+3lhj9i{aR(?%0ZRi*0)}x2V{UbAaCr)3ba`-P3ULWo0ssI2W;AgMi
        HL`B3sP|mC`$ua0RR91JaG+9PEJby|Ns9=|NsC0O8|6n4q}Nz7ytl(KL7v#KmY(hKmY)MKmY)sKmY&$zi|(AaS
        &oy2LJ#7W@9d5X<>755oiKv14{sfaS~_+hj9~9aTF*^0ZRgfaTRC`i9-kg0N_9XfB?gB7IbkJVptmh002{Ta&=
        >Lb#i57RBupWa$#*{bY*f*VQpnVKyes-aTzFR0ay$G003-hZe?L|Uob9rUodeRXc1Tp0001NX>Mg<a$hhmVqY+
        E8+COq""",
    "protocol 4": """fCQB%0RR910001elqie|W@9dQWoc(<bd-!1Zgp*Nc`jdLZ*pZWZFOvPX<>45VR@8{3}13(V{dMA
        baHiLbd-~nj0J9WZE$&%j0bLHVRCX|d6bisO8|wGLjhuxhm=y3C`$oL14{yilxPKv1!Q!2aAlN}l#BvqG?a;mh
        m=y3C`$v30X&pWPEJby|Ns9=|NsC0O8|6~Vu?c-004kL0000$002Nh004kM005vs0002LlysD0j0a|8E@Ek6bC
        hTVXa`FGg_LLshm=y3C`$oL0)>=l5s5<x007`X0Du6)lysD0j2lyQa&=>Lb#i57RBupWa$#*{bY*f*VQpnVK$L
        xyC};tU3~Xs`Wnpq(FfMmrFqCK(j0|jPZe?L|Uob9WUoez)buI""",
}
"""What paddle.save of Paddle 3.3.1 with numpy 2.4 wrote of a layer's state dict."""

PAIRS = {
    "protocol 2": """fC7DS04P`q0001HV=i}PX=iA3aRFmrUt)D>Y;<XEUtbDzb#QED3ULBh3;+NCY-w&~VRBzEE_Yura
        RXy+b!~8YE?;ABa%C=Ub!>ELVRCX|c?w^0Wn*t{b98cbV{{5}1Y>S>ZE$%CZe(F{a$$K2aRo~Ng>eRBUt@1%Wn
        *&+Wo~0{WMv9*2Ur0B003ff2v`OH003-ZbZKreaS4WT3Q}<khj9#2aSbR-0ZRi*0)}x8V{UbAaCr)3ba`-P3UL
        ou0ssI2W;AgSiHL`B5mIpyC`$ua0RR91JaH3FPEJby|Ns9=|NsC0O8|6n6k>^J2Ur{c00000!hk;j002M$06;(
        h0K$Mk006?EKmY&$!oP79XbFaK7E*B+ba5DBhH)8%aT-!_8(0MZ003ohZ)0e297_XrE&""",
    "protocol 4": """fCQE2000000001elqie|W@9dQWoc(<bd-z;Vs&Y3bZKsLl#B&*b#QEDl#`T<3~Xs`Wnpq(FfMmrF
        qDiIZgp*Nc`jdLZ*pZWZFOvPX<>45VR@8{3}13(V{dMAbaHiLbd-~nj0J9WZE$&%j0bLHVRCX|d6bisO8|wGLj
        huxhm=y3C`$oL14{yilxPWz1!Q!2aAlN}l#BvqG?a;mhm=y3C`$v30X&pWPEJby|Ns9=|NsC0O8|6~Vu?c-004
        kL0000$002Nh004kM005vs0002LlysD0hLnYrQk0AZWpHm}Xp~C>buI""",
}
"""The same of a dictionary that is no state dict: its values are pairs of a name and an array."""


@pytest.fixture
def put(tmp_path):
    """Write a file of these bytes."""

    def to_file(data):
        path = tmp_path / "weights.pdparams"
        path.write_bytes(data)
        return path

    return to_file


@pytest.fixture
def refused(put, watch):
    """Read bytes under watch: the one line that refuses them."""

    def watched(data):
        path = put(data)
        with watch() as events, pytest.raises(InputError) as error:
            read_paddle_file(path)
        message = str(error.value)
        assert not events
        assert message.startswith("expected a .pdparams file of Paddle, but ")
        assert message.isprintable() and len(message) < 500
        return message

    return watched


def recorded(lines):
    return base64.b85decode("".join(lines.split()))


@pytest.mark.parametrize("protocol", WRITTEN)
def test_what_paddle_wrote(protocol, put):
    content = read_paddle_file(put(recorded(WRITTEN[protocol])))
    assert list(content) == ["fc.weight", "fc.bias", NAMES]
    weight, bias, names = content.values()
    assert torch.equal(weight, torch.from_numpy(WEIGHT))
    assert torch.equal(bias, torch.from_numpy(BIAS))
    assert set(names.values()) == {"linear_0.w_0", "linear_0.b_0"}


@pytest.mark.parametrize("protocol", PAIRS)
def test_of_a_pair_the_array_is_taken(protocol, put):
    weight, epoch = read_paddle_file(put(recorded(PAIRS[protocol]))).values()
    assert epoch == 3
    assert torch.equal(weight, torch.from_numpy(WEIGHT))


@pytest.mark.parametrize("protocol", [2, 3, 4])
@pytest.mark.parametrize("module", [b"numpy.core.multiarray", b"numpy._core.multiarray"])
def test_both_names_of_a_module_of_numpy(protocol, module, put):
    """numpy 1 and 2; text of protocol 4 has its length in front."""
    data = pickle.dumps({"a.weight": WEIGHT}, protocol)
    own = np._core.multiarray.__name__.encode()
    if protocol < 4:
        data = data.replace(own, module)
    else:
        data = data.replace(bytes([len(own)]) + own, bytes([len(module)]) + module)
        data = data[:3] + struct.pack("<Q", len(data) - 11) + data[11:]
    assert module in data
    (weight,) = read_paddle_file(put(data)).values()
    assert torch.equal(weight, torch.from_numpy(WEIGHT))


@pytest.mark.parametrize("protocol", [2, 4])
@pytest.mark.parametrize(
    "array",
    [
        np.asfortranarray(np.arange(24.0).reshape(2, 3, 4)),
        np.arange(24, dtype=np.float32).reshape(2, 3, 4)[:, ::2],
        np.float16([[1.5, -2]]),
        np.zeros((0, 3), np.float32),
        np.array(3, np.int64),
        np.array([0, 255, 128], np.uint8),
        np.array([True, False]),
    ],
    ids=lambda array: f"{array.dtype}{array.shape}",
)
def test_arrays_of_any_order_and_type(array, protocol, put):
    (value,) = read_paddle_file(put(pickle.dumps({"a.b": array}, protocol))).values()
    assert value.shape == array.shape
    np.testing.assert_array_equal(value.numpy(), array, strict=True)


def test_shared_arrays_nesting_and_foreign_values(put):
    content = {
        "model": OrderedDict({"a.b": BIAS, "a.c": BIAS}),
        "names": np.array(["a", "b"]),
        "objects": np.array([{}, None], dtype=object),
        "type": np.dtype("f4"),
        "epoch": 3,
        "list": [BIAS, ("x", BIAS)],
    }
    found = read_paddle_file(put(pickle.dumps(content, 4)))
    assert all(torch.equal(value, torch.from_numpy(BIAS)) for value in found["model"].values())
    assert all(isinstance(found[key], Placeholder) for key in ("names", "objects", "type"))
    assert found["epoch"] == 3
    assert all(torch.equal(value, torch.from_numpy(BIAS)) for value in found["list"])


@every_payload
def test_nothing_of_a_file_is_run(payload, put, watch, tmp_path):
    """The attacks of the other reader's tests, which are real: each becomes a placeholder."""
    data = b"\x80\x04}(" + text("x") + payload + b"u."
    path = put(data)
    read_paddle_file(path)  # has imported what it needs
    with watch() as events:
        content = read_paddle_file(path)
    assert isinstance(content["x"], Placeholder)
    assert not events and not (tmp_path / "ran").exists()


def test_the_state_of_an_array_runs_nothing(refused, tmp_path):
    """The bytes of an array may not be made by a call."""
    attack = payloads(tmp_path)["os.system"]
    assert "without shape, type and bytes" in refused(array(data=attack))
    assert not (tmp_path / "ran").exists()


FLOAT = call(name("numpy", "dtype"), text("f4"), b"\x89", b"\x88")
EMPTY = call(
    name("numpy.core.multiarray", "_reconstruct"),
    name("numpy", "ndarray"),
    b"(" + number(0) + b"t",
    b"U\x01b",
)


def raw(data):
    return b"B" + struct.pack("<I", len(data)) + data


def order(sign):
    return b"(" + number(3) + text(sign) + b"NNN" + number(-1) * 2 + number(0) + b"tb"


LITTLE, DATA = FLOAT + order("<"), raw(bytes(24))


def array(shape=(2, 3), dtype=LITTLE, data=DATA):
    """A file with one array, by the opcodes."""
    sides = b"(" + b"".join(map(number, shape)) + b"t"
    state = b"(" + number(1) + sides + dtype + b"\x89" + data + b"tb"
    return b"\x80\x04}(" + text("a.b") + EMPTY + state + b"u."


def test_the_honest_array_is_read(put):
    assert read_paddle_file(put(array()))["a.b"].shape == (2, 3)


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"shape": (2, 4)}, "8 numbers in 24 bytes"),
        ({"shape": (1 << 40, 1 << 40)}, "impossible size"),
        ({"shape": (0, 1 << 40, 1 << 40)}, "impossible size"),
        ({"shape": (1 << 60,)}, "no list of whole numbers"),
        ({"shape": (-2, -3)}, "no list of whole numbers"),
        ({"shape": (1,) * 70}, "no list of whole numbers"),
        ({"dtype": FLOAT + order(">")}, "another order"),
        ({"dtype": FLOAT + b"Nb"}, "another order"),
        ({"dtype": text("f4")}, "without shape"),
        ({"data": b"N"}, "without shape"),
        ({"data": number(24)}, "without shape"),
        ({"data": raw(b"")}, "6 numbers in 0 bytes"),
        ({"data": call(name("_codecs", "encode"), text("ab"), text("utf-16"))}, "latin-1"),
        ({"data": call(name("_codecs", "encode"), text("\u20ac"), text("latin1"))}, "latin-1"),
    ],
    ids=lambda value: "",
)
def test_arrays_that_cannot_be(wrong, words, refused):
    assert words in refused(array(**wrong))


def test_an_array_whose_state_never_comes_is_no_array(put):
    content = read_paddle_file(put(b"\x80\x04}(" + text("a.b") + EMPTY + b"u."))
    assert isinstance(content["a.b"], Placeholder)
    with pytest.raises(InputError, match="holds no weights"):
        unwrap(content, "file")


def test_memory_stays_in_bounds_where_bytes_are_named_again_and_again(refused):
    """A megabyte, kept in the memo, as a thousand arrays: a gigabyte of 16 MB at most."""
    data = b"\x80\x04}(" + text("first") + raw(bytes(1 << 20)) + b"q\x01" + text("t") + FLOAT
    data += order("<") + b"q\x02"
    state = b"(" + number(1) + b"(" + number(1 << 18) + b"t" + b"h\x02\x89h\x01tb"
    data += b"".join(text(f"a.{i}") + EMPTY + state for i in range(1000)) + b"u."
    tracemalloc.start()
    assert "16 times the size" in refused(data)
    assert tracemalloc.get_traced_memory()[1] < 50 << 20
    tracemalloc.stop()


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9, 0.999])
@pytest.mark.parametrize("protocol", [2, 4])
def test_a_file_that_was_cut_off(share, protocol, refused):
    data = pickle.dumps({f"a.{i}": WEIGHT for i in range(20)}, protocol)
    refused(data[: int(len(data) * share)])


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "is empty"),
        (b"PK\x03\x04rest", "is a zip, as torch.save writes it; give its name the ending .pth"),
        (b"<!DOCTYPE html>", "is a web page"),
        (b"some text", "is a text file"),
        (b"\x00\x01\x02", "is of another kind"),
        (pickle.dumps([BIAS], 4), "holds a list and no dictionary"),
        (pickle.dumps({3: BIAS}, 4), "keys are not all names"),
        (pickle.dumps({"UnpackBigParamInfor@@": {}}, 2), "in pieces; save it with paddle.save"),
        (b"\x80\x04B\xff\xff\xff\xff.", "cannot be read"),
        (b"\x80\x04\x8e" + b"\xff" * 8 + b".", "cannot be read"),
        (b"\x80\x04" + text("a") + b"Q.", "something stored beside the pickle"),
    ],
    ids=lambda value: "",
)
def test_other_files_are_one_line(data, words, refused):
    assert words in refused(data)


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(InputError, match="there is none at"):
        read_paddle_file(tmp_path / "no.pdparams")
