"""Files that attack the reader of torch's format, and the watch over what they make Python do."""

import contextlib
import sys
import zipfile

import pytest
import torch

from hrnet.errors import InputError
from hrnet.weights.files.torchfile import read_torch_file

WEIGHT = torch.arange(6.0).reshape(2, 3)
WATCHED: list[list[str]] = []
EXECUTION = ("os.", "subprocess.", "exec", "pickle.", "import", "socket.", "webbrowser.", "shutil.")


def _watch(event, args):
    """Python reports what it runs, imports or unpickles while a list is there to write to."""
    if WATCHED and event.startswith(EXECUTION):
        WATCHED[-1].append(f"{event} {args!r}")


sys.addaudithook(_watch)  # never goes away again, and does nothing between these tests


# torch._utils._rebuild_tensor_v2(storage 0, 0, (2, 3), (3, 1), False, {}); the function is kept as
# number 100 of the memo and its arguments as 101.
TENSOR = (
    b"ctorch._utils\n_rebuild_tensor_v2\nqd((U\x07storagectorch\nFloatStorage\nU\x010U\x03cpuK\x06tQ"
    b"K\x00K\x02K\x03\x86K\x03K\x01\x86\x89}tqeR"
)


@pytest.fixture
def put(tmp_path):
    """Write {"weight": a tensor, "x": the attack} as torch.save would."""

    def to_file(attack, *, entries=(), compression=zipfile.ZIP_STORED):
        path = tmp_path / "weights.pth"
        content = b"\x80\x04}(" + b"U\x06weight" + TENSOR + b"U\x01x" + attack + b"u."
        with zipfile.ZipFile(path, "w", compression) as archive:
            archive.writestr("archive/data.pkl", content)
            archive.writestr("archive/data/0", WEIGHT.numpy().tobytes())
            for entry, data in entries:
                archive.writestr(entry, data)
        return path

    return to_file


@pytest.fixture
def watch():
    """A list of what Python runs, imports and unpickles while it is watched."""

    @contextlib.contextmanager
    def watching():
        WATCHED.append([])
        try:
            yield WATCHED[-1]
        finally:
            WATCHED.pop()

    return watching


@pytest.fixture
def read(put, watch):
    """Read it under watch: what the attack became, with the tensor intact and nothing run."""
    honest = put(b"N")
    assert torch.equal(read_torch_file(honest)["weight"], WEIGHT)  # has imported what it needs

    def watched(attack, **options):
        path = put(attack, **options)
        with watch() as events:
            try:
                content = read_torch_file(path)
            finally:
                assert not events
        assert list(content) == ["weight", "x"] and torch.equal(content["weight"], WEIGHT)
        return content["x"]

    return watched


@pytest.fixture
def refused(read):
    """Read it under watch: the one line that refuses it."""

    def watched(attack, **options):
        with pytest.raises(InputError) as error:
            read(attack, **options)
        message = str(error.value)
        assert "\n" not in message and message.isprintable() and len(message) < 500
        return message

    return watched
