"""Crops, targets, decoding, flips and losses equal what the published functions gave.

Their results were recorded outside this project in postprocess.npz; `postprocess.npz` beside this
file keeps a part of each array, cut by `part_of`. Both go through the same tests; the larger one
only where its folder is. `python tests/parity/test_postprocess.py RECORDED_FOLDER` cuts it anew.
The recordings of OKS are compared in tests/metrics.
"""

import sys
from pathlib import Path

import numpy as np
import pytest

from hrnet.codecs.heatmap import (
    HeatmapCodec,
    argmax_2d,
    flip_heatmaps,
    refine_dark,
    refine_dark_udp,
    refine_quarter,
)
from hrnet.geometry import (
    apply_affine,
    box_to_crop,
    crop_matrix,
    invert_affine,
    warp_affine,
)
from hrnet.skeleton import COCO_PERSON

KEPT = Path(__file__).with_name("postprocess.npz")
Arrays = dict[str, np.ndarray]

PARTS = {
    "decode": np.s_[:, 5:6],  # subject 0 has no positive value there
    "decode/center": np.s_[:],
    "decode/scale": np.s_[:],
    "dark": [0, 1, 8],  # on the border, inside, near the border
    "flip": np.s_[:, :, 3:5],
}
"""What is kept of an array, by its name or its group; other arrays are kept whole."""


def part_of(arrays: Arrays) -> Arrays:
    kept = {}
    for key, array in arrays.items():
        group = key.split("/")[0]
        if group != "oks":
            part = PARTS.get(key, PARTS.get(group))
            kept[key] = array if part is None else array[part]
    return kept


def read(path: Path) -> Arrays:
    with np.load(path) as arrays:
        return {key: arrays[key] for key in arrays}


def read_recorded(folder: Path) -> Arrays:
    path = folder / KEPT.name
    if not path.exists():
        pytest.skip(f"{folder} has no recordings of pre- and post-processing")
    return read(path)


@pytest.fixture(scope="module", params=["kept", "all"])
def recorded(request) -> Arrays:
    """The recorded arrays by name."""
    if request.param == "kept":
        return read(KEPT)
    return read_recorded(request.getfixturevalue("golden_dir"))


def test_kept_arrays_are_parts_of_the_recorded_ones(golden_dir):
    parts, kept = part_of(read_recorded(golden_dir)), read(KEPT)
    assert parts.keys() == kept.keys()
    for key, part in parts.items():
        np.testing.assert_array_equal(kept[key], part, strict=True)


def test_there_is_no_group_that_nothing_compares(recorded):
    tested = {"affine", "box2cs", "target", "decode", "flip", "warp", "loss", "dark", "oks"}
    assert {key.split("/")[0] for key in recorded} <= tested


def test_crop_matrix(recorded):
    """Upstream solves for the matrix from three points rounded to float32."""
    for parameters, forward, backward in zip(
        recorded["affine/params_cx_cy_sx_sy_rot_w_h"],
        recorded["affine/fwd"],
        recorded["affine/inv"],
        strict=True,
    ):
        x, y, width, height, rotation, out_width, out_height = parameters
        size = (height * 200, width * 200)
        ours = crop_matrix((x, y), size, (int(out_height), int(out_width)), rotation)
        np.testing.assert_allclose(ours, forward, rtol=0, atol=3e-5)
        np.testing.assert_allclose(invert_affine(ours), backward, rtol=0, atol=3e-5)


def test_box_to_crop(recorded):
    expected = recorded["box2cs/center_scale_aspect0.75"]
    center, size = box_to_crop(recorded["box2cs/boxes_xywh"], (256, 192))
    np.testing.assert_allclose(center, expected[:, :2], rtol=1e-6)
    np.testing.assert_allclose(size[:, ::-1] / 200, expected[:, 2:], rtol=1e-6)


@pytest.mark.parametrize(("size", "sigma"), [((256, 192), 2), ((384, 288), 3)])
def test_classic_targets(recorded, size, sigma):
    codec = HeatmapCodec("classic", size, (size[0] // 4, size[1] // 4), sigma)
    points, visible = recorded["target/joints"][None, :, :2], recorded["target/vis"][None, :, 0]
    heatmaps, weights = codec.encode(points, visible)
    key = f"target/{size[0]}x{size[1]}_s{sigma}"
    expected_weights = recorded[f"{key}/weight"][:, 0]
    np.testing.assert_array_equal(weights[0], expected_weights)
    np.testing.assert_allclose(heatmaps[0], recorded[f"{key}/heatmap"], rtol=0, atol=1e-7)


def test_decoding(recorded):
    heatmaps = recorded["decode/heatmaps"]
    points, scores = argmax_2d(heatmaps)
    np.testing.assert_array_equal(points, recorded["decode/max_preds"])
    np.testing.assert_array_equal(scores, recorded["decode/maxvals"][..., 0])

    size = recorded["decode/scale"][:, ::-1] * 200
    to_image = invert_affine(crop_matrix(recorded["decode/center"], size, (64, 48)))
    for refined, key in (
        (points, "decode/argmax_image_coords"),
        (refine_quarter(points, heatmaps), "decode/quarter_offset_image_coords"),
    ):
        np.testing.assert_allclose(apply_affine(refined, to_image), recorded[key], atol=1e-4)


def test_decoding_by_the_codec_and_the_crop_agrees(recorded):
    """Through crop pixels instead of heatmap pixels, as the prediction goes."""
    points, _ = HeatmapCodec("classic", (256, 192), (64, 48), 2).decode(recorded["decode/heatmaps"])
    size = recorded["decode/scale"][:, ::-1] * 200
    to_image = invert_affine(crop_matrix(recorded["decode/center"], size, (256, 192)))
    expected = recorded["decode/quarter_offset_image_coords"]
    np.testing.assert_allclose(apply_affine(points, to_image), expected, atol=1e-4)


@pytest.mark.parametrize(("shift", "key"), [(False, "flip/back"), (True, "flip/back_shifted")])
def test_flipping_back(recorded, shift, key):
    back = flip_heatmaps(recorded["flip/in"], COCO_PERSON.flip_order, shift=shift)
    np.testing.assert_array_equal(back, recorded[key])


def test_warping(recorded):
    crop = warp_affine(recorded["warp/img"], recorded["warp/trans"], (32, 24))
    difference = np.abs(crop.astype(int) - recorded["warp/out"].astype(int))
    assert difference.max() <= 1


def test_losses(recorded):
    torch = pytest.importorskip("torch")
    from hrnet.tasks.pose.network import mse, ohkm

    prediction, target = (torch.from_numpy(recorded[f"loss/{k}"]) for k in ("output", "target"))
    weight = torch.from_numpy(recorded["loss/weight"][..., 0])
    targets = {"heatmaps": target, "weights": weight}
    expected = float(recorded["loss/joints_mse"]), float(recorded["loss/ohkm_top2"])
    assert mse(prediction, targets).item() == pytest.approx(expected[0], rel=1e-6)
    assert ohkm(prediction, targets, top=2).item() == pytest.approx(expected[1], rel=1e-6)


@pytest.mark.parametrize("kernel", [11, 17])
@pytest.mark.parametrize("refine", [refine_dark, refine_dark_udp])
def test_refining_with_dark(recorded, refine, kernel):
    heatmaps = recorded["dark/heatmaps"][None]
    points, _ = argmax_2d(heatmaps)
    np.testing.assert_array_equal(points[0], recorded["dark/argmax"])
    expected = recorded[f"dark/mmpose1_refine_keypoints_{refine.__name__[7:]}_k{kernel}"]
    np.testing.assert_allclose(refine(points, heatmaps, kernel)[0], expected, rtol=0, atol=2e-5)


def test_refining_by_a_quarter_pixel(recorded):
    heatmaps = recorded["dark/heatmaps"][None]
    refined = refine_quarter(argmax_2d(heatmaps)[0], heatmaps)
    np.testing.assert_array_equal(refined[0], recorded["dark/mmpose1_refine_keypoints_quarter"])


@pytest.mark.parametrize(("sigma", "kernel"), [(2, 11), (3, 17)])
def test_the_codec_smooths_with_the_published_kernel(sigma, kernel):
    assert HeatmapCodec("dark", (256, 192), (64, 48), sigma).blur_kernel == kernel


if __name__ == "__main__":
    np.savez_compressed(KEPT, **part_of(read(Path(sys.argv[1]) / "postprocess.npz")))
