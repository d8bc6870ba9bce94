"""Classification: preprocessing, top-k and the network's logits equal the published code's.

Every cls_protocol*.npz of the folder that HRNET_GOLDEN_TASKS names (else of one beside the project)
is compared, and `cls_protocol.npz` beside this file, which keeps a part of one, cut by `part_of`.
Arrays are named PICTURE/WHAT, and acc/WHAT; WHAT is the repository whose transforms gave the
input's values at `positions_chw`, or logits_NETWORK. A json of the same name holds top-k values.
`python tests/parity/test_classification.py RECORDED_FILE` cuts the kept part anew.
"""

import json
import os
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from hrnet.metrics.topk import top_k_accuracy, true_ranks
from hrnet.predict import normalise
from hrnet.spec import NetworkSpec
from hrnet.tasks.classification.crops import centre_crop
from hrnet.tasks.classification.imagenet import imagenet_names
from hrnet.tasks.classification.spec import ClassificationSpec

KEPT = Path(__file__).with_name("cls_protocol.npz")
BESIDE = Path(__file__).parents[3] / "shared" / "reference" / "golden_tasks"
SETTINGS = {"hrnet": (256, "bilinear"), "hrformer": (256, "bicubic")}
"""Short side and interpolation of the two repositories' tests, before a crop of 224."""

PICTURE = "small_tall"
"""The picture that is kept."""

Arrays = dict[str, np.ndarray]


def read(path: Path) -> Arrays:
    with np.load(path) as arrays:
        return {key: arrays[key] for key in arrays}


def part_of(arrays: Arrays) -> Arrays:
    kept = ("acc", "positions_chw", PICTURE)
    return {key: array for key, array in arrays.items() if key.split("/")[0] in kept}


def recorded_files() -> list[Path]:
    folder = os.environ.get("HRNET_GOLDEN_TASKS") or BESIDE
    return sorted(Path(folder).glob("cls_protocol*.npz"))


FILES = [KEPT, *recorded_files()]
PICTURES = [
    pytest.param((path, key.split("/")[0]), id=f"{number}-{key.split('/')[0]}")
    for number, path in enumerate(FILES)
    for key in read(path)
    if key.endswith("/image")
]
each_file = pytest.mark.parametrize("path", FILES, ids=lambda path: path.parent.name)


def spec_of(resize: int = 256, interpolation: str = "bilinear") -> ClassificationSpec:
    return ClassificationSpec(
        name="recorded",
        network=NetworkSpec(variant="hrnet_w18_small_v1", task="classification", num_outputs=1000),
        input_size=(224, 224),
        resize=resize,
        interpolation=interpolation,
        class_names=tuple(imagenet_names().values()),
    )


def as_rgb(image: np.ndarray) -> np.ndarray:
    """The picture as both repositories read it, whatever its mode."""
    return np.asarray(Image.fromarray(image).convert("RGB"))


def record_of(path: Path) -> dict:
    file = path.with_suffix(".json")
    return json.loads(file.read_text()) if file.exists() else {}


def test_the_kept_arrays_are_parts_of_a_recorded_file():
    whole = next((path for path in recorded_files() if path.name == KEPT.name), None)
    if whole is None:
        pytest.skip(f"HRNET_GOLDEN_TASKS names no folder with {KEPT.name}")
    kept, parts = read(KEPT), part_of(read(whole))
    assert parts.keys() == kept.keys()
    for key, part in parts.items():
        np.testing.assert_array_equal(kept[key], part, strict=True)


@each_file
def test_there_is_nothing_that_nothing_compares(path):
    names = {key.partition("/")[2] for key in read(path) if not key.startswith("acc/")}
    networks = {name for name in names if name.startswith("logits_")}
    assert names - networks <= {"", "image", *SETTINGS}


@pytest.mark.parametrize("repository", SETTINGS)
@pytest.mark.parametrize("picture", PICTURES)
def test_the_input_is_that_of_the_published_transforms(picture, repository):
    path, name = picture
    arrays = read(path)
    if f"{name}/{repository}" not in arrays:
        pytest.skip(f"nothing recorded of {repository}")
    spec = spec_of(*SETTINGS[repository])
    pixels, _ = centre_crop(as_rgb(arrays[f"{name}/image"]), spec)
    tensor = normalise(pixels[None], spec)[0]
    found = tensor[tuple(arrays["positions_chw"].T)]
    assert np.abs(found - arrays[f"{name}/{repository}"]).max() < 1e-5
    recorded = record_of(path).get(name, {}).get(repository)
    if recorded:  # over the whole tensor, not the positions alone
        np.testing.assert_allclose(tensor.mean(axis=(1, 2)), recorded["mean"], atol=1e-5)
        np.testing.assert_allclose(tensor.std(axis=(1, 2), ddof=1), recorded["std"], atol=1e-4)


@pytest.mark.parametrize("picture", PICTURES)
def test_the_network_gives_the_published_logits(picture):
    from . import runs

    path, name = picture
    arrays = read(path)
    keys = [key for key in arrays if key.startswith(f"{name}/logits_")]
    for key in keys:
        model = key.partition("logits_")[2]
        spec = spec_of(*SETTINGS["hrformer" if model.startswith("hrformer") else "hrnet"])
        pixels, _ = centre_crop(as_rgb(arrays[f"{name}/image"]), spec)
        network = runs.filled(model).eval()
        with torch.inference_mode():
            logits = network(torch.from_numpy(normalise(pixels[None], spec)))[0].numpy()
        error = np.abs(logits - arrays[key]).max() / np.abs(arrays[key]).max()
        assert error < runs.TOLERANCE
        recorded = record_of(path).get(name, {}).get("top5")
        if recorded and len(keys) == 1:
            assert np.argsort(-logits, kind="stable")[:5].tolist() == recorded


@each_file
def test_accuracies_are_the_published_ones(path):
    arrays, record = read(path), record_of(path)
    if "acc" not in record:
        pytest.skip("no accuracies recorded")
    ranks = true_ranks(arrays["acc/logits"], arrays["acc/target"])
    for name, percent in record["acc"].items():
        assert 100 * top_k_accuracy(ranks, int(name.removeprefix("top"))) == pytest.approx(percent)


if __name__ == "__main__":
    source = Path(sys.argv[1])
    np.savez_compressed(KEPT, **part_of(read(source)))
    record = record_of(source)
    kept = {name: record[name] for name in (PICTURE, "acc")}
    KEPT.with_suffix(".json").write_text(json.dumps(kept, indent=1) + "\n")
