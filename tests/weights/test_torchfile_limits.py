"""Files that would take all memory or all time of the reader: refused, or read within bounds."""

import contextlib
import copy
import random
import struct
import tracemalloc
import zipfile

import pytest
import torch

from hrnet.errors import InputError
from hrnet.weights.files import unpickle
from hrnet.weights.files.torchfile import Placeholder, read_torch_file

TENSOR = b"hdheR"  # once more what the honest part of the file made; see conftest.py


def text(value):
    data = value.encode()
    return b"X" + struct.pack("<I", len(data)) + data


@contextlib.contextmanager
def little_memory():
    tracemalloc.start()
    try:
        yield
        assert tracemalloc.get_traced_memory()[1] < 100 << 20
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("put_code", [b"r\xff\xff\xff\xff", b"p99999999999999\n"], ids=repr)
def test_huge_memo_index(read, put_code):
    """C's unpickler makes an array up to the index; here it is a key of a dict: harmless."""
    with little_memory():
        assert read(b"N" + put_code) is None


@pytest.mark.parametrize(
    "head",
    [
        b"X\xff\xff\xff\xff",
        b"B\xff\xff\xff\xff",
        b"\x8d" + struct.pack("<Q", 1 << 60),
        b"\x8e" + struct.pack("<Q", (1 << 63) - 1),
        b"\x96" + struct.pack("<Q", 1 << 40),
        b"\x8b\xff\xff\xff\x7f",
        b"I" + b"9" * 100_000 + b"\n",
    ],
    ids=lambda head: repr(head[:9]),
)
def test_huge_lengths(refused, head):
    """A length is believed only as far as the file goes: refused."""
    with little_memory():
        refused(head + b"abc")


def test_many_long_names(refused):
    """Module and name are joined, so one long text could be copied again and again: refused."""
    again = b"h\x00" * 2 + b"\x93"
    with little_memory():
        refused(text("a" * 1_000_000) + b"q\x00" + again * 1000)


def test_billion_laughs(refused):
    """Lists of ten times the list before: cheap here, endless for who walks through: refused."""
    levels = b"".join(b"0(" + b"h%c" % n * 10 + b"lq%c" % (n + 1) for n in range(10))
    assert "values" in refused(b"]q\x00" + levels)


def test_list_in_itself(refused):
    """Refused, as whoever walks through would never come to an end."""
    assert "inside each other" in refused(b"]q\x00h\x00a")


@pytest.mark.parametrize(
    "attack", [b")" + b"\x85" * 50_000, b"]" * 50_000 + b"a" * 49_999], ids=["tuples", "lists"]
)
def test_deep_nesting(refused, attack):
    """Recursion over it would end the process: refused."""
    assert "inside each other" in refused(attack)


@pytest.mark.parametrize(
    "key",
    [
        b")" + b"\x85" * 50_000,  # hash() recurses in C without a limit
        b"(" + b"N" * 1000 + b"t",
        b"\x8a\x0d" + bytes(12) + b"\x01",
        text("a" * 5000),
        text("\x1b[2J"),
        b"X\x03\x00\x00\x00\xed\xa0\x80",  # half a surrogate pair, which no terminal can print
        b"]",
    ],
    ids=lambda key: repr(key[:9]),
)
def test_keys_of_dictionaries(refused, key):
    """Keys that are slow to hash, or that would spoil a message with the name: refused."""
    assert "key" in refused(b"}" + key + b"Ns")


@pytest.mark.parametrize("attack", [b"}0", TENSOR + b"0"], ids=["dictionaries", "tensors"])
def test_too_many_steps(refused, monkeypatch, attack):
    """Each byte of a pickle may make an object of hundreds of bytes: refused beyond a number."""
    assert unpickle.MAX_STEPS <= 1 << 21  # a gigabyte at the very worst
    monkeypatch.setattr(unpickle, "MAX_STEPS", 10_000)
    assert "steps" in refused(attack * (20_000 // len(attack)) + b"N")


def test_texts_that_are_no_text(refused):
    """Invalid UTF-8 and names that are not ASCII: refused in a line that is safe to print."""
    refused(b"X\x02\x00\x00\x00\xff\xfe")
    refused(b"c\xff\x1b[2J\nsystem\n")


def test_global_that_is_a_path(read):
    """A placeholder with that name; nothing is searched on the disk."""
    value = read(b"c../evil\n../../x\n)R")
    assert isinstance(value, Placeholder) and value.name == "../evil.../../x"


def test_compressed_member(put):
    """A hundred megabytes of zeros in a small zip; torch never compresses: refused."""
    entry = ("archive/data/1", bytes(100 << 20))
    path = put(b"N", entries=[entry], compression=zipfile.ZIP_DEFLATED)
    assert path.stat().st_size < 1 << 20
    with little_memory(), pytest.raises(InputError, match="compressed"):
        read_torch_file(path)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"file_size": 1 << 40, "compress_size": 1 << 40}, "claims more"),
        ({"file_size": 250}, "incomplete"),
        ({"header_offset": 1 << 30}, "cannot be read"),
        ({"compress_type": zipfile.ZIP_BZIP2}, "compressed"),
        ({"flag_bits": 1}, "cannot be read: .*encrypted"),
    ],
    ids=repr,
)
def test_lying_list_of_contents(put, change, words):
    """Sizes and places that are not there, contents in a form that torch never writes: refused."""
    path = put(b"N", entries=[("archive/more", bytes(300))])
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("archive/last", b"")  # so that the list is written again
        for key, value in change.items():
            setattr(archive.getinfo("archive/data.pkl"), key, value)
    with little_memory(), pytest.raises(InputError, match=words):
        read_torch_file(path)


@pytest.mark.parametrize(
    ("names", "words"), [(["a"] * 2, "two entries"), (range(1, 101), "claims more|verlap")]
)
def test_entries_on_top_of_each_other(put, names, words):
    """A hundred times the same megabyte, by one name or by many: refused."""
    path = put(b"N")
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("archive/more", bytes(1 << 20))
        for entry_name in names:
            entry = copy.copy(archive.getinfo("archive/more"))
            entry.filename = f"archive/data/{entry_name}"
            archive.filelist.append(entry)
    with little_memory(), pytest.raises(InputError, match=words):
        read_torch_file(path)


def test_huge_list_of_contents(tmp_path):
    """Each entry takes ten times its bytes in memory: a list beyond all need is refused."""
    path, size = tmp_path / "weights.pth", 200 << 20
    end = struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, 9, 9, size - 30, 8, 0)
    with path.open("wb") as file:
        file.write(b"PK\x03\x04")
        file.seek(size - 22)  # a hole, which takes no room on most disks
        file.write(end)
    with little_memory(), pytest.raises(InputError, match="more than"):
        read_torch_file(path)


def test_entries_with_paths(read, tmp_path):
    """Entries are looked up by name and never unpacked: harmless."""
    outside = tmp_path.parent / "evil"
    assert read(b"N", entries=[("../evil", b"x"), (str(outside), b"x")]) is None
    assert not outside.exists()


def test_other_byte_order(refused):
    """The numbers would be wrong: refused."""
    assert "order" in refused(b"N", entries=[("archive/byteorder", b"big")])


@pytest.mark.parametrize("zipped", [True, False])
def test_random_damage_is_always_one_line(tmp_path, zipped):
    """Whatever bytes change, it is a dictionary or an InputError, never another error."""
    path, chance = tmp_path / "weights.pth", random.Random(1)
    content = {"state": torch.nn.Linear(2, 2).state_dict(), "meta": {"lr": 0.1, "steps": [1, 2]}}
    torch.save(content, path, _use_new_zipfile_serialization=zipped)
    honest, outcomes = path.read_bytes(), set()
    for _ in range(300):
        data = bytearray(honest)
        for _ in range(chance.randint(1, 4)):
            data[chance.randrange(len(data))] = chance.randrange(256)
        path.write_bytes(data)
        try:
            outcomes.add(type(read_torch_file(path)))
        except InputError as error:
            assert "\n" not in str(error)
            outcomes.add(InputError)
    assert outcomes == {dict, InputError}
