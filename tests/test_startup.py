"""Imports at start: `import hrnet` and `hrnet --help` are light, `hrnet predict` needs no torch.

Only which modules are loaded is asserted here; benchmarks/startup.py measures the seconds.
"""

import json
import subprocess
import sys
from pathlib import Path

HEAVY = {"numpy", "PIL", "onnxruntime", "openvino", "pydantic", "pycocotools"}
TRAINING = {"torch", "torchvision", "safetensors", "onnx", "onnxscript", "pycocotools"}

RUN_COMMAND = """
import sys
from hrnet.cli import main
sys.argv = ["hrnet", *{arguments!r}]
code = 0
try:
    main()
except SystemExit as stop:
    code = stop.code or 0
assert code == 0, code
"""
REPORT = """
import json, sys
print()
print(json.dumps(sorted({name.partition(".")[0] for name in sys.modules})))
"""


def _loaded(code: str, folder: Path) -> set[str]:
    """Top-level modules loaded once `code` has run in a fresh interpreter."""
    done = subprocess.run(
        [sys.executable, "-c", code + REPORT],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        encoding="utf-8",
    )
    assert done.returncode == 0, done.stderr
    return set(json.loads(done.stdout.splitlines()[-1]))


def test_import_loads_nothing_heavy(tmp_path: Path) -> None:
    assert not _loaded("import hrnet", tmp_path) & (HEAVY | TRAINING)


def test_version_loads_nothing_heavy(tmp_path: Path) -> None:
    code = "import hrnet; assert hrnet.__version__.count('.') == 2"
    assert not _loaded(code, tmp_path) & (HEAVY | TRAINING)


def test_help_loads_nothing_heavy(tmp_path: Path) -> None:
    code = RUN_COMMAND.format(arguments=["--help"])
    assert not _loaded(code, tmp_path) & (HEAVY | TRAINING)


def test_predicting_loads_no_part_for_labelled_data(tmp_path: Path, astronaut: Path) -> None:
    code = f"""
import sys, hrnet
hrnet.load("default").predict({str(astronaut)!r})
parts = {{"hrnet.config", "hrnet.data.coco", "hrnet.metrics.coco", "hrnet.tasks.pose.config"}}
assert not parts & sys.modules.keys(), parts & sys.modules.keys()
"""
    _loaded(code, tmp_path)


def test_predict_works_without_torch(tmp_path: Path, astronaut: Path) -> None:
    code = RUN_COMMAND.format(arguments=["predict", str(astronaut), "--out", "out"])
    assert not _loaded(code, tmp_path) & TRAINING
    suffixes = {path.suffix for path in (tmp_path / "out").iterdir()}
    assert ".json" in suffixes
    assert suffixes & {".jpg", ".png"}
