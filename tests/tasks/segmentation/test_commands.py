"""The commands of README's section on segmentation, over pictures of cracks."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import hrnet

from .cracks import write_cracks

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def cracks(tmp_path_factory) -> Path:
    return write_cracks(tmp_path_factory.mktemp("data") / "cracks", 16, (64, 96))


@pytest.fixture(scope="module")
def trained(cracks, tmp_path_factory, module_run) -> Path:
    """A run that has seen the cracks often enough to find some."""
    out = tmp_path_factory.mktemp("runs") / "cracks"
    settings = (
        *("train.epochs=40", "train.batch_size=4", "train.lr=3e-3", "train.ema=0.9"),
        *("train.evaluate_every=40", "model.input_size=[64,96]", "run.workers=0"),
    )
    code, text, err = module_run(
        "train",
        *("--data", cracks, "--out", out),
        *(part for one in (*settings, "train.precision=float32") for part in ("--set", one)),
    )
    assert (code, err) == (0, ""), err
    assert "data: 14 images to train on, 2 to measure on (10% of the images" in text
    assert "classes: 2: concrete, crack" in text
    assert "small_hrnet_w16 with the head v2 at 64x96" in text
    return out


@pytest.fixture(scope="module")
def module_run():
    """Run a command in this process; returns exit code, stdout and stderr."""
    from typer.testing import CliRunner

    from hrnet.cli import app

    def run(*arguments: object) -> tuple[int, str, str]:
        found = CliRunner().invoke(app, [str(one) for one in arguments])
        error = "" if found.exception is None else f"{found.exception}"
        return found.exit_code, found.stdout, error

    return run


def test_data_check(run, cracks, tmp_path):
    code, out, err = run("data", "check", cracks, "--report", tmp_path / "check")
    assert (code, err) == (0, "")
    assert "16 images, 0.0% of the pixels are ignored" in out
    assert (tmp_path / "check" / "contact_sheet.jpg").exists()


def test_evaluate(run, trained, tmp_path):
    val = trained / "data" / "val.csv"
    code, out, err = run("evaluate", trained, "--data", val, "--json", tmp_path / "found.json")
    assert (code, err) == (0, "")
    assert "mean IoU over the classes" in out
    found = json.loads((tmp_path / "found.json").read_text())
    # Better than the majority answer, which finds no crack.
    assert found["IoU/crack"] > 0.2
    assert found["mIoU"] > 0.55
    confusion = np.array(found["confusion"])
    assert confusion.sum() == 2 * 64 * 96
    assert found["pixel accuracy"] == pytest.approx(np.trace(confusion) / confusion.sum())
    assert found["protocol"]["segmentation"]["conventions"] == "plain"


def test_predict(run, trained, cracks, tmp_path):
    picture = cracks / "images" / "000.jpg"
    out, table = tmp_path / "drawn", tmp_path / "areas.csv"
    code, text, err = run("predict", picture, "-m", trained, "--out", out, "--csv", table)
    assert (code, err) == (0, "")
    assert "000.jpg 96x64: concrete" in text
    assert {file.name for file in out.iterdir()} == {
        "000_mask.png",
        "000_segmentation.jpg",
        "areas.json",
    }
    result = hrnet.load(trained).predict(picture)
    with Image.open(out / "000_mask.png") as mask:
        np.testing.assert_array_equal(np.asarray(mask), result.classes)
    rows = list(csv.DictReader(table.read_text().splitlines()))
    assert [row["class"] for row in rows] == [one.name for one in result.areas()]
    assert rows[0]["file_name"].endswith("000.jpg")
    assert int(rows[0]["pixels"]) == result.areas()[0].pixels
    assert len(json.loads((out / "areas.json").read_text())) == len(rows)


def test_another_way_to_the_result(run, trained, cracks):
    picture = cracks / "images" / "000.jpg"
    code, _, err = run("predict", picture, "-m", trained, "--set", "scales=[0.75,1,1.25]")
    assert (code, err) == (0, "")
    for setting in ("scales=[0]", "window=5", "mean=[0,0,0]", "scales"):
        code, _, err = run("predict", picture, "-m", trained, "--set", setting)
        assert code == 2
        assert len(err.splitlines()) == 1
    code, _, err = run("predict", picture, "--set", "scales=[1]")
    assert code == 2
    assert "expected NAME=VALUE with NAME of metrics, subjects, got scales" in err


def test_export_ends_in_classes_for_inputs_of_any_size(run, trained, cracks, tmp_path):
    file = tmp_path / "cracks.onnx"
    code, _, err = run("export", trained, "--out", file)
    assert (code, err) == (0, "")
    exported, network = hrnet.load(file), hrnet.load(trained)
    wrong = pixels = 0
    for picture in sorted((cracks / "images").iterdir()):
        for flip in (False, True):
            ours = exported.predict(picture, flip_test=flip).classes
            wrong += int((ours != network.predict(picture, flip_test=flip).classes).sum())
            pixels += ours.size
    assert wrong < 1e-4 * pixels
    large = np.asarray(Image.open(cracks / "images" / "000.jpg").resize((333, 217)))
    one, other = exported.predict(large).classes, network.predict(large).classes
    assert (one != other).mean() < 1e-4
    code, _, err = run("evaluate", file, "--data", trained / "data" / "val.csv")
    assert (code, err) == (0, "")


def test_report(run, trained):
    code, _, err = run("report", trained)
    assert (code, err) == (0, "")
    page = (trained / "report.html").read_text()
    assert "crack" in page and "mIoU" in page


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("data", "check", "{cracks}", "--part", "val"), "for the part val"),
        (("data", "split", "{cracks}", "--out", "{out}", "--group", "x"), "--group and --category"),
        (("train", "--data", "{cracks}", "--masks", "{out}"), "expected a folder"),
        (("train", "--data", "{cracks}", "--category", "x"), "expected no category for masks"),
        (("evaluate", "default", "--data", "{cracks}", "--images", "{cracks}"), "COCO"),
        (("predict", "{cracks}/images/000.jpg", "--csv", "{cracks}"), "is a folder"),
    ],
)
def test_mistakes_are_one_line(run, cracks, tmp_path, arguments, words):
    filled = [one.format(cracks=cracks, out=tmp_path / "out") for one in arguments]
    code, _, err = run(*filled)
    assert code == 2
    assert len(err.splitlines()) == 1, err
    assert words in err, err
