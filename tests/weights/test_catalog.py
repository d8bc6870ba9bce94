"""Models are found by name, by file and by the folder of a run."""

import re
from pathlib import Path

import numpy as np
import pytest

import hrnet
from hrnet.errors import InputError
from hrnet.files import sha256_of
from hrnet.weights import catalog
from hrnet.weights.catalog import CATALOG, find_checkpoint, find_model
from hrnet.weights.published.rows import BY_INTENTION, PublishedWeight, find_row, rows

EXAMPLES = Path(__file__).parents[2] / "examples"


def test_a_near_name_is_offered() -> None:
    with pytest.raises(InputError, match="did you mean default"):
        find_model("defalt")
    with pytest.raises(InputError, match="did you mean hrnet_w32-coco-256x192 "):
        find_model("hrnet_w32-coco-256x129")
    with pytest.raises(InputError, match=r"did you mean litehrnet_18-coco.*hrnet weights list"):
        find_model("litehrnet_18")


def test_an_unknown_name_lists_the_known() -> None:
    with pytest.raises(InputError, match="known names: default"):
        find_model("something/else.onnx")


def test_a_file_is_found(tmp_path: Path) -> None:
    (tmp_path / "a.onnx").touch()
    assert find_model(tmp_path / "a.onnx") == tmp_path / "a.onnx"


def test_a_run_gives_its_best_then_its_last(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="run folder"):
        find_model(tmp_path)
    for name in ("last.safetensors", "best.safetensors"):
        (tmp_path / name).touch()
        assert find_model(tmp_path).name == name


def test_every_entry_has_a_licence() -> None:
    cards = [file.with_name("MODEL_CARD.md").read_text("utf-8") for file in CATALOG.values()]
    assert all("The weights: Apache License 2.0" in card for card in cards)


def test_the_packaged_files_are_those_of_the_card() -> None:
    """The card's figures are of these files and no others, which came in by mistake once."""
    names = {file.with_suffix(".safetensors") for file in CATALOG.values()}
    card = next(iter(names)).with_name("MODEL_CARD.md").read_text("utf-8")
    stated = dict(re.findall(r"`(\w+\.safetensors)`, sha256 `([0-9a-f]{64})`", card))
    assert stated == {file.name: sha256_of(file) for file in names}


@pytest.mark.parametrize("name", ["default", "person_finder"])
def test_a_packaged_onnx_file_is_of_its_checkpoint(name: str) -> None:
    picture = EXAMPLES / "several.jpg"
    options = {} if name == "person_finder" else {"detector": None}
    exported, trained = (
        hrnet.load(file, **options).predict(picture)
        for file in (find_model(name), find_checkpoint(name))
    )
    assert isinstance(exported.boxes, np.ndarray)
    assert len(exported.boxes) == len(trained.boxes) > 0
    np.testing.assert_allclose(exported.boxes, trained.boxes, atol=1)
    np.testing.assert_allclose(exported.scores, trained.scores, atol=0.01)


def test_a_published_name_is_converted_once_fetched(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file of that name in the folder does not stand in the way; ./ before it names the file."""
    asked = []

    def converted(row: PublishedWeight, convert: object, *, version: int) -> Path:
        asked.append((row.name, callable(convert), version > 0))
        return tmp_path / "ours.safetensors"

    monkeypatch.setattr(catalog, "converted", converted)
    monkeypatch.chdir(tmp_path)
    Path("hrnet_w18-imagenet").touch()
    assert find_model("hrnet_w18-imagenet") == tmp_path / "ours.safetensors"
    assert asked == [("hrnet_w18-imagenet", True, True)]
    assert find_model("./hrnet_w18-imagenet") == Path("hrnet_w18-imagenet")
    assert len(asked) == 1


def test_names_by_intention() -> None:
    """`accurate` has the best COCO score with found boxes among certain networks that download."""
    assert CATALOG["fast"] == CATALOG["default"]
    assert find_row("small").file_name == "tinypose_256x192.pdparams"
    scores = {
        row.name: float(row.metric.removeprefix("AP "))
        for row in rows()
        if row.dataset == "coco" and row.network.task == "pose" and row.url and not row.note
        if re.fullmatch(r"AP 0\.\d+", row.metric)
    }
    assert scores[find_row("accurate").name] == max(scores.values())
    for name in BY_INTENTION:
        assert find_row(name).url and find_row(name).licence
    with pytest.raises(InputError, match="did you mean accurate"):
        find_model("acurate")
