"""Predicting asks for no address and writes nothing but what it was asked for."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

# Ends the process by SIGSYS as soon as any library of it opens a socket, from Python or not: a
# filter in the kernel on the system call `socket` (number by machine).
NO_SOCKETS = """
import ctypes, platform, struct, sys
call = {"x86_64": 41, "aarch64": 198}[platform.machine()]
code = [(0x20, 0, 0, 0), (0x15, 0, 1, call), (0x06, 0, 0, 0x80000000), (0x06, 0, 0, 0x7FFF0000)]
steps = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *step) for step in code))
class Program(ctypes.Structure):
    _fields_ = [("length", ctypes.c_ushort), ("steps", ctypes.c_void_p)]
program = Program(len(code), ctypes.addressof(steps))
libc = ctypes.CDLL(None, use_errno=True)
libc.prctl(38, 1, 0, 0, 0)
if libc.prctl(22, 2, ctypes.byref(program), 0, 0):
    sys.exit(99)
"""
PREDICT = """
import hrnet
hrnet.load({model!r}, engine={engine!r}).predict({image!r})
"""
COMMAND = """
import sys
from hrnet.cli import main
sys.argv = ["hrnet", "predict", {image!r}, "--out", "out"]
main()
"""


def _in_an_empty_home(
    code: str, folder: Path, **environment: str
) -> subprocess.CompletedProcess[str]:
    """Run Python code that may open no socket, with `folder` as home and as working folder."""
    if not sys.platform.startswith("linux"):
        pytest.skip("the filter on system calls is Linux's")
    kept = {
        name: value for name, value in os.environ.items() if not name.startswith(("XDG", "ORT"))
    }
    done = subprocess.run(
        [sys.executable, "-c", NO_SOCKETS + code],
        cwd=folder,
        env={**kept, "HOME": str(folder), "PYTHONDONTWRITEBYTECODE": "1", **environment},
        capture_output=True,
        text=True,
        check=False,
        encoding="utf-8",
    )
    if done.returncode == 99:
        pytest.skip("this system forbids filters on system calls")
    return done


def test_the_filter_sees_sockets(tmp_path: Path) -> None:
    done = _in_an_empty_home("import socket; socket.socket(); sys.exit(0)", tmp_path)
    assert done.returncode not in (0, 1)


@pytest.mark.parametrize("engine", ["onnxruntime", "openvino"])
def test_loading_and_predicting_leaves_no_trace(tmp_path, spot_model, astronaut, engine) -> None:
    if engine == "openvino":
        pytest.importorskip("openvino")
    code = PREDICT.format(model=str(spot_model), engine=engine, image=str(astronaut))
    done = _in_an_empty_home(code, tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert list(tmp_path.iterdir()) == []


def test_the_command_writes_what_was_named_and_nothing_else(tmp_path, astronaut) -> None:
    done = _in_an_empty_home(COMMAND.format(image=str(astronaut)), tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert [path.name for path in tmp_path.iterdir()] == ["out"]
    names = sorted(path.name for path in (tmp_path / "out").iterdir())
    assert names == ["astronaut_pose.jpg", "keypoints.json"]


def test_a_value_that_the_user_has_set_stays(tmp_path, spot_model) -> None:
    code = """
import os
import hrnet.runtime.onnxruntime_engine
print(os.environ["ORT_DISABLE_TELEMETRY"])
"""
    for value in ("0", "1", ""):
        done = _in_an_empty_home(code, tmp_path, ORT_DISABLE_TELEMETRY=value)
        assert done.stdout == f"{value}\n", done.stderr
    assert _in_an_empty_home(code, tmp_path).stdout == "1\n"


def test_a_sender_that_the_program_uses_itself_stays(tmp_path) -> None:
    code = """
import types
mine = sys.modules["openvino_telemetry"] = types.ModuleType("openvino_telemetry")
from hrnet.runtime.guard import no_telemetry
with no_telemetry():
    assert sys.modules["openvino_telemetry"] is mine
del sys.modules["openvino_telemetry"]
with no_telemetry():
    try:
        import openvino_telemetry
    except ModuleNotFoundError:
        print("hidden")
assert "openvino_telemetry" not in sys.modules
"""
    assert _in_an_empty_home(code, tmp_path).stdout == "hidden\n"
