"""The light core: without torch every name and command is there, or says what it needs.

Their absence is simulated in a fresh interpreter by a finder that refuses to import them.
"""

import subprocess
import sys
from pathlib import Path

import pytest

import hrnet
from hrnet.tasks.pose.config import KeypointData, PoseExperiment, PoseModelConfig

BLOCK = """
import sys

MISSING = {"torch", "torchvision", "safetensors", "pycocotools", "onnx", "onnxscript"}

class Nothing:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in MISSING:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Nothing())
"""
NEED_MORE = {
    "Network",
    "create_model",
    "convert_file",
    "ConversionReport",
    "export",
    "fingerprint",
    "load_network",
    "load_weights",
    "save_checkpoint",
    "train",
}


def _light(code: str, folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", BLOCK + code],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        encoding="utf-8",
    )


def test_every_public_name_is_there_and_shown_by_help(tmp_path):
    done = _light("from hrnet import *\nimport hrnet\nhelp(hrnet)", tmp_path)
    assert done.returncode == 0, done.stderr
    assert all(name in done.stdout for name in hrnet.__all__ if name != "__version__")


def test_what_needs_torch_says_so_when_it_is_called(tmp_path):
    code = """
import hrnet
for name in hrnet.__all__:
    value = getattr(hrnet, name)
    if getattr(value, "__module__", "") == "hrnet.extras":
        try:
            value("x", out="y")
        except hrnet.InputError as error:
            print(name, error)
"""
    done = _light(code, tmp_path)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert {line.split()[0] for line in lines} == NEED_MORE
    assert all("which is not installed: pip install 'hrnet[train]'" in line for line in lines)


def _run_folder(folder: Path) -> Path:
    run = folder / "run"
    run.mkdir()
    data = KeypointData(annotations=Path("a.json"), images=Path(), val_annotations=Path("a.json"))
    experiment = PoseExperiment(name="x", model=PoseModelConfig(variant="hrnet_w32"), data=data)
    (run / "experiment.json").write_text(experiment.to_json())
    (run / "log.jsonl").write_text('{"kind": "epoch", "step": 1, "epoch": 1, "loss": 1}\n')
    return run


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["recipes"], "pose/hrnet_w32_coco_256x192"),
        (["recipes", "pose/hrnet_w32_coco_256x192"], "train.lr=0.001"),
        (["report", "run", "--no-figures"], "report written to"),
        (["train", "--help"], "RECIPE"),
        (["export", "--help"], "MODEL"),
    ],
)
def test_commands_that_need_no_torch(tmp_path, arguments, words):
    _run_folder(tmp_path)
    done = _light(
        f"sys.argv = ['hrnet', *{arguments!r}]\nfrom hrnet.cli import main\nmain()", tmp_path
    )
    assert (done.returncode, "Traceback" in done.stderr) == (0, False), done.stderr
    assert words in done.stdout


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["train", "pose/hrnet_w32_coco_256x192"], "training needs torch"),
        (["train", "--data", "a.json"], "training needs torch"),
        (["train", "--config", "run/experiment.json", "--out", "o"], "training needs torch"),
        (["train", "--resume", "run"], "training needs torch"),
        (["train"], "expected one of RECIPE"),
        (["report", "run"], "pip install 'hrnet[train]'"),
        (["export", "default", "--out", "d.onnx"], "exporting needs"),
        (["export", "run", "--out", "d.onnx"], "exporting needs"),
    ],
)
def test_commands_that_do_say_so_in_one_line(tmp_path, arguments, words):
    _run_folder(tmp_path)
    done = _light(
        f"sys.argv = ['hrnet', *{arguments!r}]\nfrom hrnet.cli import main\nmain()", tmp_path
    )
    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 1, done.stderr
    assert words in done.stderr
    assert done.stdout == ""
