"""Run folders whose files may say anything: reported and continued, or refused."""

import json
import shutil

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from hrnet.config import RunConfig
from hrnet.tasks.pose.config import KeypointData, PoseExperiment, PoseModelConfig, PoseTrain
from hrnet.training.train import train

from . import odd
from .conftest import SIZE, coco, few, hostile
from .test_models import with_header


@pytest.fixture(scope="module")
def run_folder(tmp_path_factory):
    """The folder of a run of one epoch."""
    folder = tmp_path_factory.mktemp("hostile")
    file = folder / "a.json"
    file.write_text(json.dumps(coco()))
    for number in range(4):
        Image.new("RGB", SIZE).save(folder / f"{number}.png")
    experiment = PoseExperiment(
        name="x",
        model=PoseModelConfig(variant="small_hrnet_w16", input_size=(32, 32)),
        data=KeypointData(annotations=file, images=folder),
        train=PoseTrain(epochs=1, batch_size=4),
        run=RunConfig(device="cpu", workers=0, tensorboard=False),
    )
    train(experiment, folder / "run")
    return folder / "run"


@pytest.fixture
def trained(run_folder, tmp_path):
    """A copy of that folder, to be spoiled."""
    shutil.copytree(run_folder, tmp_path / "run")
    return tmp_path / "run"


ROW = {"kind": "epoch", "epoch": 1, "step": 4, "loss": 0.5, "lr": 1e-3, "AP": 0.2, "seconds": 2.5}


@hostile
@given(rows=odd.spoiled_json([ROW | {"kind": kind} for kind in ("start", "step", "epoch")] * 2))
def test_reports_of_any_log(ask, trained, rows):
    (trained / "log.jsonl").write_text("".join(odd.dumps(row) + "\n" for row in rows))
    ask("report", trained, "--no-figures")


@hostile
@given(data=st.data(), name=st.sampled_from(("environment.json", "experiment.json")))
def test_reports_of_any_settings(ask, trained, data, name):
    good = (trained / name).read_text()
    (trained / name).write_text(odd.dumps(data.draw(odd.spoiled_json(json.loads(good)))))
    ask("report", trained, "--no-figures")
    (trained / name).write_text(good)


@few
@given(data=st.data(), key=st.sampled_from(("position", "scaler", "format")))
def test_any_state_to_go_on_from(ask, trained, data, key):
    state = trained / "state.safetensors"
    good = state.read_bytes()

    def change(header):
        held = header["__metadata__"]
        content = json.loads(held[key]) if key != "format" else [held[key]]
        held[key] = odd.dumps(data.draw(odd.spoiled_json([content]))[:1])[1:-1]
        return header

    copy = trained.with_name("copy")
    shutil.rmtree(copy, ignore_errors=True)
    shutil.copytree(trained, copy)
    (copy / state.name).write_bytes(with_header(good, change))
    ask("train", "--resume", copy)
