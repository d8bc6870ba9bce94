"""A run that was stopped in any way goes on to the weights it would have had anyway, bit by bit."""

import json
import multiprocessing
import os
import shutil
import signal
import subprocess
import sys
import time
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file

from hrnet.errors import InputError
from hrnet.files import exclusive
from hrnet.run_folder import STATE
from hrnet.tasks import read_experiment
from hrnet.training import train as module
from hrnet.training.state import save_state
from hrnet.training.train import train

from .discs import differ, experiment_of, rows_of, write_discs

TIMES = ("images_per_s", "data_wait", "memory_mb", "seconds")


@pytest.fixture(scope="module")
def data(tmp_path_factory) -> Path:
    """Annotations of 16 pictures: four steps an epoch."""
    return write_discs(tmp_path_factory.mktemp("data"), 16)


@pytest.fixture(autouse=True)
def one_thread():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def settings(data: Path, **changes):
    """Four epochs of four steps with all that has a state; saved after every step."""
    usual = {"epochs": 4, "batch_size": 4, "ema": 0.8, "evaluate_every": 2, "log_every": 3}
    return experiment_of(data, data, **(usual | {"checkpoint_minutes": 0} | changes))


@pytest.fixture(scope="module")
def undisturbed(data, tmp_path_factory) -> Path:
    torch.set_num_threads(1)
    out = tmp_path_factory.mktemp("undisturbed") / "run"
    train(settings(data), out)
    return out


def expect_same_run(one: Path, other: Path) -> None:
    for name in (STATE, "last.safetensors", "best.safetensors"):
        assert not differ(load_file(one / name), load_file(other / name)), name
    for mine, theirs in zip(rows_of(one), rows_of(other), strict=True):
        for name in mine.keys() | theirs.keys():
            assert name in TIMES or mine[name] == theirs[name], (name, mine, theirs)


class Killed(Exception):  # noqa: N818
    """Ends a training at once, as far as a test within the process can."""


def train_until(step: int, experiment, out: Path, monkeypatch, *, resume: bool) -> None:
    """Train, but fall over right before a step is counted."""
    update = module.update

    def falls_over(run, batch, **options):
        if run.position.step == step:
            raise Killed
        return update(run, batch, **options)

    with monkeypatch.context() as patch, pytest.raises(Killed):
        patch.setattr(module, "update", falls_over)
        train(experiment, out, resume=resume)


@pytest.mark.parametrize("optimizer", ["adamw", pytest.param("sgd", marks=pytest.mark.slow)])
@pytest.mark.parametrize("workers", [0, 1])
def test_it_goes_on_within_an_epoch(data, undisturbed, tmp_path, monkeypatch, workers, optimizer):
    whole = undisturbed
    if optimizer == "sgd":
        whole = tmp_path / "whole"
        train(settings(data, optimizer="sgd", momentum=0.9, lr=0.01), whole)
        experiment = settings(data, optimizer="sgd", momentum=0.9, lr=0.01, workers=workers)
    else:
        experiment = settings(data, workers=workers)
    out = tmp_path / "run"
    for number, step in enumerate((2, 7, 8)):
        train_until(step, experiment, out, monkeypatch, resume=number > 0)
    train(experiment, out, resume=True)
    expect_same_run(whole, out)


def test_a_training_that_falls_over_leaves_no_worker(data, tmp_path, monkeypatch):
    """Python would wait for it without end when it exits, since workers ignore SIGTERM."""

    def fall_over(run, batch, **options):
        raise Killed

    monkeypatch.setattr(module, "update", fall_over)
    before = multiprocessing.active_children()
    with pytest.raises(Killed) as kept:  # its traceback keeps the loader alive
        train(settings(data, workers=2), tmp_path / "run")
    assert multiprocessing.active_children() == before
    assert kept


def test_what_a_run_starts_from_is_measured_once(data, undisturbed, tmp_path, monkeypatch, capsys):
    out = tmp_path / "run"
    experiment = settings(data, epochs=1, init=str(undisturbed / "last.safetensors"))

    def saves_and_falls_over(run, batch, **options):
        save_state(out / STATE, run)  # as where a worker dies before the first update
        raise Killed

    with monkeypatch.context() as patch, pytest.raises(Killed):
        patch.setattr(module, "update", saves_and_falls_over)
        train(experiment, out)
    assert "no evaluated epoch" not in capsys.readouterr().out
    train(experiment, out, resume=True)
    assert [row["kind"] for row in rows_of(out)].count("start") == 1
    assert "before training" not in capsys.readouterr().out


@pytest.mark.slow
def test_what_was_drawn_at_random_is_drawn_again(tmp_path, data, monkeypatch):
    """A network that drops paths at random, half precision, and parts of a batch."""
    changes = {"epochs": 2, "precision": "bf16", "accumulate": 2, "clip_norm": 1.0}
    experiment = settings(data, **changes)
    model = experiment.model.model_copy(update={"variant": "hrformer_small"})
    experiment = experiment.model_copy(update={"model": model})
    whole, out = tmp_path / "whole", tmp_path / "run"
    train(experiment, whole)
    train_until(5, experiment, out, monkeypatch, resume=False)
    torch.rand(11)
    train(experiment, out, resume=True)
    expect_same_run(whole, out)


def test_nothing_left_to_do_is_said(undisturbed, data, capsys):
    before = {path.name: path.stat().st_mtime_ns for path in undisturbed.glob("*.safetensors")}
    assert train(settings(data), undisturbed, resume=True) == undisturbed / "best.safetensors"
    assert "nothing left to do" in capsys.readouterr().out
    after = {path.name: path.stat().st_mtime_ns for path in undisturbed.glob("*.safetensors")}
    assert after == before


def test_more_epochs_can_be_asked_for(data, tmp_path):
    out = tmp_path / "run"
    train(settings(data, epochs=1), out)
    train(settings(data, epochs=2), out, resume=True)
    assert [row["epoch"] for row in rows_of(out) if row["kind"] == "epoch"] == [1, 2]
    assert read_experiment(out / "experiment.json").train.epochs == 2


def test_the_state_of_another_network_is_refused(undisturbed, data, tmp_path):
    experiment = settings(data)
    other = experiment.model.model_copy(update={"variant": "naive_litehrnet_18"})
    state = (undisturbed / STATE).read_bytes()
    (tmp_path / STATE).write_bytes(state)
    with pytest.raises(InputError, match="does not fit the network"):
        train(experiment.model_copy(update={"model": other}), tmp_path, resume=True)
    with pytest.raises(InputError, match=r"another train\.ema"):
        train(settings(data, ema=0), tmp_path, resume=True)
    assert (tmp_path / STATE).read_bytes() == state


def test_a_refused_resume_leaves_the_settings(undisturbed, data, tmp_path, run):
    out = tmp_path / "run"
    shutil.copytree(undisturbed, out)
    before = (out / "experiment.json").read_text()
    code, _, error = run(
        "train", "--resume", out, "--set", "train.ema=0", "--set", "train.epochs=9"
    )
    assert (code, len(error.splitlines())) == (2, 1)
    assert (out / "experiment.json").read_text() == before


def test_weights_to_start_from_are_not_needed_again(data, tmp_path, monkeypatch):
    start, out = tmp_path / "start", tmp_path / "run"
    train(settings(data, epochs=1), start)
    experiment = settings(data, init=str(start))
    train_until(3, experiment, out, monkeypatch, resume=False)
    shutil.rmtree(start)
    assert train(experiment, out, resume=True) == out / "best.safetensors"


def test_two_trainings_at_once_in_a_folder_are_refused(data, tmp_path):
    out = tmp_path / "run"
    out.mkdir()
    with exclusive(out / ".lock"), pytest.raises(InputError, match="in use by another training"):
        train(settings(data), out)
    assert [path.name for path in out.iterdir()] == [".lock"]


def test_a_file_that_is_no_state_is_refused(undisturbed, data, tmp_path):
    (tmp_path / STATE).write_bytes((undisturbed / "last.safetensors").read_bytes())
    with pytest.raises(InputError, match="not the state of a training"):
        train(settings(data), tmp_path, resume=True)


def start_process(
    data: Path, out: Path, *, start_new_session: bool = False, **changes
) -> subprocess.Popen:
    """A training in a process of its own, as the command line starts it or goes on with it."""
    file = out.parent / "settings.json"
    file.write_text(settings(data, workers=1, **changes).to_json())
    resume = (out / "experiment.json").exists()
    how = ["--resume", str(out)] if resume else ["--config", str(file), "--out", str(out)]
    return subprocess.Popen(
        [sys.executable, "-m", "hrnet", "train", *how],
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=start_new_session,
    )


def wait_for_state(out: Path, process: subprocess.Popen, *, after: float = 0) -> None:
    """Wait until a training has saved its state, later than at a time."""
    state = out / STATE
    while process.poll() is None:
        if state.exists() and state.stat().st_mtime > after:
            return
        time.sleep(0.01)


@pytest.mark.slow
@pytest.mark.skipif(os.name != "posix", reason="other systems kill in other ways")
def test_killed_again_and_again(data, tmp_path):
    """Kill -9 at random moments: while it starts, trains, or writes; HRNET_KILLS says how often."""
    kills, rng = int(os.environ.get("HRNET_KILLS", "2")), np.random.default_rng(0)
    epochs, out, steps = max(4, 3 * kills), tmp_path / "run", []
    train(settings(data, epochs=epochs), tmp_path / "whole")
    for number in range(kills):
        began = time.time()
        process = start_process(data, out, epochs=epochs)
        if number % 4 != 3:
            wait_for_state(out, process, after=began)
        time.sleep(rng.uniform(0, 0.4))
        process.kill()
        process.communicate()
        steps.append(position_of(out))
    process = start_process(data, out, epochs=epochs)
    output, _ = process.communicate()
    assert process.returncode == 0, output
    assert steps == sorted(steps)
    assert 0 < steps[0] < 4 * epochs
    print("killed with a state of step", steps)  # noqa: T201
    assert not list(out.rglob(".*.tmp"))
    expect_same_run(tmp_path / "whole", out)


def test_what_a_killed_process_leaves_is_removed(data, tmp_path, monkeypatch, undisturbed):
    """In the run folder, among its pictures and in the parts of its data; a finished run too."""
    out = tmp_path / "run"
    train_until(9, settings(data), out, monkeypatch, resume=False)
    (out / "data").mkdir()
    leftovers = [".state.safetensors.1.0.tmp", "pictures/.1.jpg.1.0.tmp", "data/.val.json.1.0.tmp"]
    for _ in range(2):
        for name in leftovers:
            (out / name).write_bytes(b"half")
        train(settings(data), out, resume=True)
        assert not list(out.rglob(".*.tmp"))
    expect_same_run(undisturbed, out)


def position_of(out: Path) -> int:
    with safe_open(out / STATE, "np") as file:
        return json.loads(file.metadata()["position"])["step"]


@pytest.mark.skipif(os.name != "posix", reason="other systems have no SIGTERM")
def test_sigterm_saves_and_ends_well(data, undisturbed, tmp_path):
    out = tmp_path / "run"
    process = start_process(data, out)
    wait_for_state(out, process)
    process.send_signal(signal.SIGTERM)
    output, _ = process.communicate()
    assert process.returncode == 0, output
    assert output.index("SIGTERM: stopping after this step") < output.index("stopped at step")
    assert f"--resume {out}" in output.replace("\n", "")
    train(read_experiment(out / "experiment.json"), out, resume=True)
    expect_same_run(undisturbed, out)


def test_the_step_that_a_run_stops_at_has_its_row(data, undisturbed, tmp_path, monkeypatch):
    out, update = tmp_path / "run", module.update

    def stops(run, batch, **options):
        return update(run, batch, **(options | {"stop": run.position.step == 2}))

    with monkeypatch.context() as patch:
        patch.setattr(module, "update", stops)
        train(settings(data), out)
    assert rows_of(out)[-1]["step"] == 3  # a multiple of log_every
    train(settings(data), out, resume=True)
    expect_same_run(undisturbed, out)


@pytest.mark.slow
@pytest.mark.skipif(os.name != "posix", reason="other systems have no process groups")
def test_sigterm_to_the_whole_group_spares_the_workers(data, undisturbed, tmp_path):
    out = tmp_path / "run"
    process = start_process(data, out, start_new_session=True)
    wait_for_state(out, process)
    os.killpg(process.pid, signal.SIGTERM)
    output, _ = process.communicate()
    assert process.returncode == 0, output
    assert "stopped at step" in output
    train(read_experiment(out / "experiment.json"), out, resume=True)
    expect_same_run(undisturbed, out)


def test_a_dead_worker_ends_in_one_line_and_a_state(data, undisturbed, tmp_path, monkeypatch):
    out, update = tmp_path / "run", module.update

    before = multiprocessing.active_children()

    def murders(run, batch, **options):
        done = update(run, batch, **options)
        if run.position.step == 1:
            for worker in set(multiprocessing.active_children()) - set(before):
                worker.kill()
                worker.join()
        return done

    experiment = settings(data, workers=1, checkpoint_minutes=60)
    with monkeypatch.context() as patch:
        patch.setattr(module, "update", murders)
        with pytest.raises(InputError, match="a process that prepares samples died") as caught:
            train(experiment, out)
    assert len(str(caught.value).splitlines()) == 1
    train(experiment, out, resume=True)
    expect_same_run(undisturbed, out)


def test_a_full_disk_leaves_the_last_state(data, undisturbed, tmp_path, monkeypatch):
    out = tmp_path / "run"
    real = os.fsync

    def full(descriptor):
        if len(rows_of(out) if (out / "log.jsonl").exists() else []) >= 2:
            raise OSError(28, "No space left on device")
        return real(descriptor)

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        with pytest.raises(InputError, match="No space left on device") as caught:
            train(settings(data), out)
    assert str(out / STATE) in str(caught.value)
    train(settings(data), out, resume=True)
    expect_same_run(undisturbed, out)


def test_a_half_written_line_of_the_log_is_dropped(data, undisturbed, tmp_path, monkeypatch):
    out = tmp_path / "run"
    train_until(6, settings(data), out, monkeypatch, resume=False)
    with (out / "log.jsonl").open("a") as file:
        file.write('{"kind": "step", "st')
    train(settings(data), out, resume=True)
    expect_same_run(undisturbed, out)


def test_a_folder_without_a_run_is_no_run_to_resume(run, tmp_path):
    code, _, error = run("train", "--resume", tmp_path / "nothing")
    assert code == 2
    assert "experiment.json" in error
    assert len(error.splitlines()) == 1


def test_a_new_run_in_its_place_is_refused(run, undisturbed, tmp_path, data):
    file = tmp_path / "settings.json"
    file.write_text(settings(data).to_json())
    code, _, error = run("train", "--config", file, "--out", undisturbed)
    assert code == 2
    assert f"--resume {undisturbed}" in error


def test_the_environment_is_written_down(undisturbed, data):
    found = json.loads((undisturbed / "environment.json").read_text())
    assert found["packages"]["torch"] == version("torch")
    assert found["data"]["training"]["samples"] == 16
    assert len(found["data"]["training"]["sha256"]) == 64
    assert found["processes"] == 1
