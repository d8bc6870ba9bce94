"""Facial landmarks as published: crops, targets, decoding, errors and the network.

The second half takes every file face*.npz of the folder of recorded protocols, and compares each
array in it with ours.
"""

import json
import os
from pathlib import Path

import numpy as np
import pytest
import torch

from hrnet.codecs.face import (
    decode_faces,
    face_matrix,
    face_peaks,
    face_profiles,
    move_pixels,
)
from hrnet.geometry import invert_affine
from hrnet.metrics.landmarks import Landmarks, figures
from hrnet.models import create_model
from hrnet.skeleton import published_skeleton
from hrnet.spec import NetworkSpec
from hrnet.tasks import Crop
from hrnet.tasks.pose.face_crop import crop_face
from hrnet.tasks.pose.spec import PoseSpec
from hrnet.tasks.pose.task import PosePage, PoseTask
from hrnet.weights.schemes import from_upstream

from .recordings import cut, fill, images

CENTER, SCALE = (181.3, 203.7), 1.37
"""Of a recorded face."""
FORWARD = {(345.505, 100.463): (71, 8), (233.322, 306.564): (44, 56), (-8.833, 163.644): (-11, 23)}
BACKWARD = {
    (345.505, 100.463): (1520, 493),
    (233.322, 306.564): (1039, 1375),
    (-8.833, 163.644): (3, 764),
}
"""Recorded pixels of recorded points."""


@pytest.mark.parametrize(("way", "expected"), [("to", FORWARD), ("from", BACKWARD)])
def test_points_move_to_whole_pixels(way, expected):
    """Rounded towards zero, from 1 to 1; a plain map would give others."""
    matrix = face_matrix(CENTER, 200 * SCALE, (64, 64))
    matrix = matrix if way == "to" else invert_affine(matrix)
    found = move_pixels(np.array(list(expected), float), matrix)
    assert found.tolist() == [list(point) for point in expected.values()]


def test_a_target_of_sigma_1_5_has_ten_pixels_a_side():
    """Its peak is at the point; five pixels before it and four behind are drawn."""
    rows, columns, weights = face_profiles([[[20, 30]]], [[1]], (64, 64), 1.5)
    assert np.flatnonzero(columns[0, 0]).tolist() == list(range(15, 25))
    assert np.flatnonzero(rows[0, 0]).tolist() == list(range(25, 35))
    assert columns[0, 0].argmax() == 20
    assert columns[0, 0, 15] == pytest.approx(np.exp(-25 / 4.5), rel=1e-6)
    assert weights.tolist() == [[1]]
    assert face_profiles([[[20, 30]]], [[0]], (64, 64), 1.5)[0].max() == 0


def test_decoding_by_hand():
    heatmaps = np.zeros((1, 4, 64, 64), np.float32)
    heatmaps[0, 0, 10, 20] = 1  # flat around
    heatmaps[0, 1, 10, 20], heatmaps[0, 1, 10, 21], heatmaps[0, 1, 9, 20] = 1, 0.5, 0.3
    heatmaps[0, 2, 0, 63] = 1  # at the border
    heatmaps[0, 3] = -1
    points, scores = decode_faces(heatmaps)
    assert points[0].tolist() == [[21.5, 11.5], [21.75, 11.25], [64.5, 1.5], [0.5, 0.5]]
    assert scores[0].tolist() == [1, 1, 1, -1]


def test_crops_have_full_contrast():
    rng = np.random.default_rng(0)
    picture = rng.integers(80, 120, (120, 100, 3), dtype=np.uint8)
    crop = crop_face(picture, np.array([50.0, 60.0]), 64.0, (256, 256))
    assert (crop.min(), crop.max()) == (0, 255)
    small = crop_face(np.tile(picture, (6, 6, 1)), np.array([300.0, 300.0]), 600.0, (256, 256))
    assert small.shape == (256, 256, 3)
    outside = crop_face(picture, np.array([-500.0, 60.0]), 64.0, (256, 256))
    assert not outside.any()


# With the folder of recordings


@pytest.fixture(scope="module", params=["face"])
def faces(request) -> tuple[dict, dict]:
    """The arrays and the facts of each file of the pattern, joined."""
    folder = Path(os.environ.get("HRNET_GOLDEN_TASKS", "nowhere"))
    files = sorted(folder.glob(f"{request.param}*.npz"))
    if not files:
        pytest.skip("HRNET_GOLDEN_TASKS names no folder with recorded faces")
    arrays: dict[str, np.ndarray] = {}
    facts: dict[str, object] = {}
    for file in files:
        facts |= json.loads(file.with_suffix(".json").read_text())
        with np.load(file) as found:
            arrays |= {name: found[name] for name in found.files}
    return arrays, facts


def parts(arrays: dict, prefix: str) -> dict[str, dict[str, np.ndarray]]:
    """The arrays whose names begin so, by the name of their group."""
    groups: dict[str, dict[str, np.ndarray]] = {}
    for name, values in arrays.items():
        if name.startswith(prefix):
            group, _, rest = name.rpartition("/")
            groups.setdefault(group, {})[rest] = values
    assert groups
    return groups


COMPARED = ("decode_", "target_", "tp_", "flip_", "crop_", "net_w18_98/")


def test_every_array_is_compared(faces):
    assert not [name for name in faces[0] if not name.startswith(COMPARED)]


def spec_of(count: int, skeleton: str) -> PoseSpec:
    network = {"variant": "hrnet_w18", "task": "pose", "num_outputs": count, "head": "v2"}
    return PoseSpec(
        name="face",
        network=NetworkSpec(**network),
        input_size=(256, 256),
        codec="face",
        sigma=1.5,
        skeleton=published_skeleton(skeleton),
    )


def test_decoding_is_the_published_one(faces):
    arrays, facts = faces
    for name, one in parts(arrays, "decode_").items():
        heatmaps = one["heatmaps_f16"].astype(np.float32)
        peaks, _ = face_peaks(heatmaps)
        assert np.array_equal(peaks, one["argmax_1based"])
        # The whole way of a prediction: a box, its crop, the heatmaps, the picture.
        task = PoseTask(spec_of(facts[name]["landmarks"], name.removeprefix("decode_")))
        for row, scale in enumerate(one["scale"].tolist()):
            side = 200 * scale / task.spec.padding
            box = [*(one["center"][row].astype(float) - side / 2), side, side]
            page = PosePage(np.zeros((600, 600, 3), np.uint8), [box], task.spec)
            crops = [Crop(page, crop.pixels, crop.matrix) for crop in page.crops()]
            for part in task.postprocess((heatmaps[row : row + 1],), crops):
                page.add(part)
            assert np.array_equal(page.result().keypoints[0], one["preds"][row])


def test_errors_are_the_published_ones(faces):
    arrays, facts = faces
    for name, one in parts(arrays, "decode_").items():
        names = [f"p{k}" for k in range(facts[name]["landmarks"])]
        first, last = {"decode_300w": (36, 45), "decode_wflw": (60, 72)}[name]
        known = np.ones(one["gt"].shape[:2], bool)
        marks = Landmarks(
            names=names,
            found=one["preds"].astype(float),
            true=one["gt"].astype(float),
            known=known,
            counted=known,
            boxes=np.repeat(one["box_size"][:, None], 2, axis=1),
            mm_per_pixel=np.full((len(known), 2), np.nan),
            normalisers=one["box_size"],
        )
        found = figures(marks, f"nme:p{first}-p{last}")
        assert found["NME"] == pytest.approx(one["nme"].mean(), rel=1e-6)
        assert found["NME"] == pytest.approx(facts[name]["nme_mean"], rel=1e-6)
        assert [found["FR 0.08"], found["FR 0.10"]] == [facts[name]["fr008"], facts[name]["fr010"]]


def test_targets_are_the_published_ones(faces):
    arrays, facts = faces
    for name, one in parts(arrays, "target_").items():
        size = one["target"].shape[-2:]
        weights = np.ones((1, len(one["pts"])))
        rows, columns, _ = face_profiles(one["pts"][None], weights, size, facts[name]["sigma"])
        drawn = rows[0, :, :, None] * columns[0, :, None, :]
        np.testing.assert_allclose(drawn, one["target"], atol=1e-6)


def test_points_are_moved_as_published(faces):
    arrays, facts = faces
    for name, one in parts(arrays, "tp_").items():
        made = facts[name]
        matrix = face_matrix(made["center"], 200 * made["scale"], made["size"], made["rot"])
        matrix = invert_affine(matrix) if made["invert"] else matrix
        assert np.array_equal(move_pixels(one["pts"], matrix), one["out"])


def test_crops_are_the_published_ones(faces):
    arrays, facts = faces
    for name, one in parts(arrays, "crop_").items():
        made, size = facts[name], (256, 256)
        center = np.array(made["center"])
        crop = crop_face(one["image_rgb"], center, 200 * made["scale"], size, made["rot"])
        assert list(crop.shape) == made["shape"]
        assert (crop.min(), crop.max()) == (made["min"], made["max"])
        gap = crop[::4, ::4].astype(float) - one["crop_sub4"]
        assert np.abs(gap).mean() <= 1
        np.testing.assert_allclose(crop.mean(axis=(0, 1)), one["crop_mean"], atol=0.5)


def test_mirror_pairs_are_the_published_ones(faces):
    for name, one in parts(faces[0], "flip_").items():
        skeleton = published_skeleton(name.removeprefix("flip_").lower())
        assert list(skeleton.flip_order) == one["perm"].tolist()
        # x becomes width - x, and the points are exchanged.
        moved = one["in"][list(skeleton.flip_order)]
        width = (one["out"][:, 0] + moved[:, 0]).mean()
        np.testing.assert_allclose(one["out"][:, 0], width - moved[:, 0], atol=1e-6)
        np.testing.assert_allclose(one["out"][:, 1], moved[:, 1], atol=1e-6)


def test_the_network_is_the_published_one(faces):
    arrays, facts = faces
    options = {"head": "v2", "upsampling": "bilinear", "align_corners": False}
    network = create_model("hrnet_w18", num_outputs=98, options=options).eval()
    record = facts["net_w18_98"]
    shapes = {key: tuple(shape) for key, shape in record["state_dict"].items()}
    assert len(shapes) == record["n_state_keys"]
    assert sum(value.numel() for value in network.parameters()) == record["params"]
    weights = {key: fill(key, shape) for key, shape in shapes.items()}
    network.load_state_dict(from_upstream(weights, network.spec, "official"))
    for tag, one in parts(arrays, "net_w18_98/").items():
        with torch.no_grad():
            output = network(torch.from_numpy(images(tag.partition("/")[2]))).numpy()
        largest = np.abs(output).max()
        for form, values in one.items():
            ours = cut(output, form.removeprefix("out_"))
            np.testing.assert_allclose(ours, values, atol=1e-5 * largest)
