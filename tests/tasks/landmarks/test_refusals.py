"""Settings that do not go together are refused before a training, and what data lack is noted."""

import json

import pytest

from hrnet.recipes.finetune import own_experiment
from hrnet.skeleton import Skeleton
from hrnet.spec import NetworkSpec
from hrnet.tasks.pose.spec import PoseSpec

from . import xrays


def spec(*, in_channels=None, **changes) -> PoseSpec:
    network = NetworkSpec(
        variant="small_hrnet_w16", task="pose", num_outputs=2, in_channels=in_channels
    )
    given = {"name": "a", "network": network, "skeleton": Skeleton(("a", "b"))}
    return PoseSpec(**given, input_size=(64, 64), **changes)


@pytest.mark.parametrize(
    "metrics", [("nme:box", "nme:side"), ("px", "pck:box", "pck:a-b"), ("px",) * 2]
)
def test_figures_of_one_name_are_asked_for_once(metrics):
    """The later ones took the place of the earlier, and chose the checkpoint."""
    assert spec(metrics=metrics[:1]).metrics == metrics[:1]
    with pytest.raises(ValueError, match="expected each kind of figures once"):
        spec(metrics=metrics)


def test_the_face_codec_reads_rgb():
    assert spec(codec="face").codec == "face"
    grey = {"in_channels": 1, "mean": (0.5,), "std": (0.2,)}
    assert spec(**grey).network.in_channels == 1
    with pytest.raises(ValueError, match="face reads RGB of 8 bits; set"):
        spec(codec="face", **grey)


def lines_of(tmp_path, change) -> list[str]:
    """Return what a training on ten drawn spines says, their file changed."""
    file = xrays.write(tmp_path / "drawn", 10, size=(128, 96))
    content = json.loads(file.read_text())
    change(content)
    file.write_text(json.dumps(content))
    settings = ("model.variant=small_hrnet_w16", "train.init=null")
    images = tmp_path / "drawn" / "images"
    _, lines = own_experiment(file, images, val=None, out=tmp_path / "run", settings=settings)
    return [line for line in lines if line.startswith("note:")]


def test_pictures_without_a_spacing_are_counted(tmp_path):
    def forget(content):
        for image in content["images"][:2]:
            del image["mm_per_pixel"]

    (note,) = lines_of(tmp_path, forget)
    assert "2 of 10 subjects have no mm_per_pixel, so there are no figures in mm" in note


def test_too_few_points_for_ellipses_are_said(tmp_path):
    def hide(content):
        for one in content["annotations"]:
            one["keypoints"][5::3] = [0] * (len(one["keypoints"]) // 3 - 1)

    (note,) = lines_of(tmp_path, hide)
    assert "have 1 labelled keypoints, and ellipses need 20" in note
    assert lines_of(tmp_path / "whole", lambda content: None) == []


def test_an_import_into_a_folder_is_one_line(tmp_path, run, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.csv").write_text("scorer,A\n")
    code, _, err = run("data", "import", "a.csv", "--out", ".")
    assert code == 2
    assert "expected an output file, but . is a folder" in err
