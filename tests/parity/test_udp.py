"""Warps, targets, weights, decoding and flips of UDP and DARK equal what the published code gave.

Every udp*.npz of the folder that HRNET_GOLDEN_TASKS names (else of one beside the project) is
compared, and `udp.npz` beside this file, which keeps a part of one, cut by `part_of`. Arrays are
named HxW/GROUP/WHAT, and flip/WHAT.
`python tests/parity/test_udp.py RECORDED_FILE` cuts it anew.

Left alone are UDP's combined type (a class map and two offset maps), which is not built here, and
how mmpose 0.x and the authors decode: they blur the maps in other ways.
"""

import os
import re
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from hrnet.codecs.heatmap import CodecKind, HeatmapCodec, flip_heatmaps
from hrnet.geometry import apply_affine, box_to_crop, crop_matrix, invert_affine
from hrnet.skeleton import COCO_PERSON

KEPT = Path(__file__).with_name("udp.npz")
GROUPS = {"warp", "target", "border", "decode", "combined"}
PX = 1e-3
"""Largest distance of a decoded point, in heatmap pixels or pixels of the picture."""

Arrays = dict[str, np.ndarray]

PARTS = {"warp": np.s_[::2], "target": np.s_[::4], "border": np.s_[::5]}
MAPS = {"256x192": np.s_[::3], "384x288": np.s_[2:7:2]}
"""The kept part of the arrays of a group, of `decode` by the input size."""


def part_of(arrays: Arrays) -> Arrays:
    kept = {}
    for key, array in arrays.items():
        size, _, name = key.partition("/")
        part = PARTS.get(name.partition("/")[0], MAPS.get(size))
        whole = name in ("decode/center_xy", "decode/size_wh")
        if size in MAPS and not name.startswith(("combined", "target/dark", "decode/mmpose0")):
            kept[key] = array if whole else array[part]
    return kept


BESIDE = Path(__file__).parents[3] / "shared" / "reference" / "golden_tasks"


def read(path: Path) -> Arrays:
    with np.load(path) as arrays:
        return {key: arrays[key] for key in arrays}


def recorded_files() -> list[Path]:
    folder = os.environ.get("HRNET_GOLDEN_TASKS") or BESIDE
    return sorted(Path(folder).glob("udp*.npz"))


@dataclass(frozen=True)
class Recording:
    """The arrays of one input size."""

    size: tuple[int, int]
    arrays: Arrays

    def __getitem__(self, name: str) -> np.ndarray:
        if name not in self.arrays:
            pytest.skip(f"nothing recorded as {name}")
        return self.arrays[name]

    def codec(self, kind: CodecKind, kernel: int = 0) -> HeatmapCodec:
        """The codec of the recordings: sigma 2, and 3 at 384x288."""
        height, width = self.size
        sigma = 3.0 if self.size == (384, 288) else 2.0
        return HeatmapCodec(kind, self.size, (height // 4, width // 4), sigma, kernel)


def of_size(path: Path, size: str) -> Recording:
    height, width = map(int, size.split("x"))
    parts = {key.partition("/"): array for key, array in read(path).items()}
    return Recording(
        (height, width), {name: array for (of, _, name), array in parts.items() if of == size}
    )


def sizes_of(path: Path) -> list[str]:
    with np.load(path) as arrays:
        found = {key.partition("/")[0] for key in arrays}
    return sorted(size for size in found if re.fullmatch(r"\d+x\d+", size))


SIZES = [
    pytest.param((path, size), id=f"{'kept' if path == KEPT else path.stem}-{size}")
    for path in [KEPT, *recorded_files()]
    for size in sizes_of(path)
]


@pytest.fixture(params=SIZES)
def recorded(request) -> Recording:
    return of_size(*request.param)


def test_the_kept_arrays_are_parts_of_a_recorded_file():
    whole = next((path for path in recorded_files() if path.name == KEPT.name), None)
    if whole is None:
        pytest.skip(f"HRNET_GOLDEN_TASKS names no folder with {KEPT.name}")
    kept, parts = read(KEPT), part_of(read(whole))
    assert parts.keys() == kept.keys()
    for key, part in parts.items():
        np.testing.assert_array_equal(kept[key], part, strict=True)


def test_there_is_no_group_that_nothing_compares(recorded):
    assert {name.partition("/")[0] for name in recorded.arrays} <= GROUPS


def assert_near(found: np.ndarray, expected: np.ndarray, tolerance: float) -> None:
    """Within the tolerance, absolute below 1 and relative above."""
    assert (np.abs(found - expected) <= tolerance * np.maximum(1, np.abs(expected))).all()


def test_boxes_become_crops(recorded):
    """The first half has neither a random scale nor another aspect."""
    half = len(recorded["warp/boxes_xywh"]) // 2
    center, size = box_to_crop(recorded["warp/boxes_xywh"][:half], recorded.size)
    assert_near(center, recorded["warp/center_xy"][:half], 1e-6)
    assert_near(size[:, ::-1], recorded["warp/size_wh"][:half], 1e-6)


def test_the_unbiased_crop_scales_each_axis_after_turning(recorded):
    """UDP's published map turns clockwise for a positive angle, ours counter-clockwise."""
    crop = recorded["warp/center_xy"], recorded["warp/size_wh"][:, ::-1]
    matrix = crop_matrix(*crop, recorded.size, -recorded["warp/rotation_deg"], unbiased=True)
    points = apply_affine(recorded["warp/points_image"], matrix)
    np.testing.assert_allclose(points, recorded["warp/authors_points_crop"], rtol=0, atol=1e-9)
    assert_near(matrix, recorded["warp/mmpose1_udp_matrix"], 1e-6)
    assert_near(invert_affine(matrix), recorded["warp/authors_udp_inverse_matrix"], 1e-6)


def test_the_other_crop_has_one_scale(recorded):
    crop = recorded["warp/center_xy"], recorded["warp/size_wh"][:, ::-1]
    matrix = crop_matrix(*crop, recorded.size, recorded["warp/rotation_deg"])
    assert_near(matrix, recorded["warp/mmpose1_classic_matrix"], 3e-5)


def test_udp_targets_are_cut_and_their_weights_follow_the_nearest_pixel(recorded):
    points, visible = recorded["target/points_crop"], recorded["target/visible"]
    heatmaps, weights = recorded.codec("udp").encode(points[None], visible[None])
    expected = recorded["target/udp_heatmaps"]
    np.testing.assert_allclose(heatmaps[0], expected, rtol=0, atol=2e-6)
    np.testing.assert_array_equal(weights[0], recorded["target/udp_weights"])


def test_dark_targets_are_whole(recorded):
    rows = recorded["target/dark_index"]
    points, visible = recorded["target/points_crop"][rows], recorded["target/visible"][rows]
    heatmaps, weights = recorded.codec("dark").encode(points[None], visible[None])
    np.testing.assert_array_equal(weights[0], recorded["target/dark_weights"])
    expected = recorded["target/dark_heatmaps"]
    np.testing.assert_allclose(heatmaps[0], expected, rtol=0, atol=1e-6)


@pytest.mark.parametrize("kind", ["udp", "dark"])
def test_weights_at_the_border(recorded, kind):
    points = recorded["border/points_crop"][None]
    heatmaps, weights = recorded.codec(kind).encode(points, np.ones(points.shape[:2]))
    np.testing.assert_array_equal(weights[0], recorded[f"border/{kind}_weights"])
    if kind == "udp":
        sums = heatmaps[0].sum(axis=(1, 2), dtype=np.float64)
        np.testing.assert_allclose(sums, recorded["border/udp_target_sums"], rtol=1e-6, atol=1e-5)


@pytest.mark.parametrize("kernel", [11, 17])
@pytest.mark.parametrize("kind", ["udp", "dark"])
def test_decoding(recorded, kind, kernel):
    expected = recorded[f"decode/mmpose1_{kind}_k{kernel}_heatmap_px"]
    codec = recorded.codec(kind, kernel)
    points, scores = codec.decode(recorded["decode/heatmaps"][None].astype(np.float32))
    np.testing.assert_array_equal(scores[0], recorded["decode/scores"])
    np.testing.assert_allclose(points[0] / codec.stride, expected, rtol=0, atol=PX)


@pytest.mark.parametrize("kind", ["udp", "dark"])
def test_decoded_points_come_back_to_the_picture(recorded, kind):
    codec = recorded.codec(kind, 11)
    points, _ = codec.decode(recorded["decode/heatmaps"][None].astype(np.float32))
    center, size = recorded["decode/center_xy"], recorded["decode/size_wh"][::-1]
    matrix = crop_matrix(center, size, recorded.size, unbiased=codec.unbiased)
    found = apply_affine(points[0], invert_affine(matrix))
    expected = recorded[f"decode/mmpose1_{kind}_k11_image_px"]
    np.testing.assert_allclose(found, expected, rtol=0, atol=PX)


def test_a_heatmap_pixel_of_udp_is_that_many_of_the_crop(recorded):
    """Between pixel centres; the authors' own decoding, whatever its blur, has the same ratio."""
    crop_px = recorded["decode/authors_heatmap_px"] * recorded.codec("udp").stride
    np.testing.assert_allclose(crop_px, recorded["decode/authors_input_px"], rtol=0, atol=4e-4)


@pytest.mark.parametrize("path", recorded_files() or [KEPT], ids=lambda path: path.stem)
def test_flips(path):
    arrays = read(path)
    if "flip/mirrored" not in arrays:
        pytest.skip("nothing recorded of flips")
    order = arrays["flip/order"].tolist()
    assert order == list(COCO_PERSON.flip_order)
    for shift, name in ((False, "noshift"), (True, "shift")):
        back = flip_heatmaps(arrays["flip/mirrored"], order, shift=shift)
        np.testing.assert_array_equal(back, arrays[f"flip/returned_{name}"])
    average = (arrays["flip/plain"] + arrays["flip/returned_noshift"]) * np.float32(0.5)
    np.testing.assert_array_equal(average, arrays["flip/average_noshift"])


if __name__ == "__main__":
    np.savez_compressed(KEPT, **part_of(read(Path(sys.argv[1]))))
