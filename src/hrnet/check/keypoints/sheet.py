"""Draw labelled subjects on a contact sheet, so that people see which side is left.

Colours are those of predictions: orange for the subject's left, blue for its right, white for the
middle and for everything where no mirror pairs are known. Hidden keypoints are paler.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from hrnet.check.sheet import add_caption, font, save_sheet
from hrnet.data.coco import KeypointDataset, PoseSample
from hrnet.drawing import MIDDLE
from hrnet.errors import InputError
from hrnet.geometry import Floats, Image8, Size, apply_affine, box_to_crop, crop_matrix, warp_affine
from hrnet.rasters import read_view
from hrnet.skeleton import Skeleton
from hrnet.tasks.pose.drawing import LEFT, RIGHT
from hrnet.tasks.pose.result import Poses, draw_poses

MAX_TILES = 48
MAX_TWINS = 6
COLUMNS = 8
TILE_PX = 240
TWIN_PX = 420
PADDING = 1.4
"""A tile shows the box and some of what is around it, so that points outside the box are seen."""

_BOX = (170, 220, 120)
_HIDDEN_SCORE, _VISIBLE_SCORE = 0.32, 1.0
"""Scores for `draw_poses`: a labelled but hidden keypoint is drawn at about half its colour."""

_LEGEND = (("left", LEFT), ("right", RIGHT), ("middle or no pair", MIDDLE), ("box", _BOX))


@dataclass(frozen=True, slots=True, eq=False)
class _Tile:
    """One subject in its crop: points (K, 2) and box (4,) xyxy in the crop's pixels."""

    pixels: Image8
    points: Floats
    scores: NDArray[np.float64]
    box: Floats
    caption: str


def draw_sheets(dataset: KeypointDataset, folder: Path, seed: int = 0) -> list[Path]:
    """Write contact_sheet.jpg and mirrored.jpg into a folder; returns the files that were written.

    The sheet holds a sample of up to 48 subjects that the seed fixes. The other picture holds a few
    of them beside their mirrored twin, where left and right change names as in training; it is
    left out where nothing mirrors. Nothing is written where no picture can be read.
    """
    # Tiles of one shape, since the sheet is a grid.
    chosen, skeleton = _sample(dataset.samples, seed), dataset.skeleton
    size = _tile_size(chosen, TILE_PX)
    tiles = [tile for sample in chosen if (tile := _tile(sample, size)) is not None]
    if not tiles:
        return []
    sheet, twins = folder / "contact_sheet.jpg", folder / "mirrored.jpg"
    title = f"{dataset.path.name}: {len(tiles)} of {len(dataset.samples)} subjects"
    drawn = [_drawn(tile, skeleton) for tile in tiles]
    save_sheet(drawn, sheet, columns=COLUMNS, title=title, legend=_LEGEND)
    if not skeleton.flip_pairs:
        return [sheet]
    title = f"{dataset.path.name}: subjects and their mirrored twins: colours keep to their limbs"
    save_sheet(_twins(chosen, skeleton), twins, columns=4, title=title, legend=_LEGEND)
    return [sheet, twins]


def _sample(usable: Sequence[PoseSample], seed: int) -> list[PoseSample]:
    """Subjects that training takes, in the file's order."""
    order = np.random.default_rng(seed).permutation(len(usable))[:MAX_TILES]
    return [usable[index] for index in sorted(order.tolist())]


def _tile_size(samples: Sequence[PoseSample], side: int) -> Size:
    """Height and width of all tiles: upright, square or lying, as most of the boxes are."""
    shapes = [one.box_xywh[2] / one.box_xywh[3] for one in samples]
    aspect = float(np.median(shapes)) if shapes else 1.0
    width = 0.75 if aspect < 0.85 else 4 / 3 if aspect > 1.2 else 1.0
    return side, round(side * width)


def _tile(sample: PoseSample, size: Size) -> _Tile | None:
    """A subject's crop; None where its picture cannot be read, which has its own finding."""
    try:
        picture = read_view(sample.image_path)
    except InputError:
        return None
    # Points and box go into the crop by the same matrix as the pixels.
    matrix = crop_matrix(*box_to_crop(sample.box_xywh, size, PADDING), size)
    left, top, width, height = sample.box_xywh.tolist()
    corners = apply_affine([[left, top], [left + width, top + height]], matrix)
    visibility = sample.visibility
    scores = np.select([visibility >= 2, visibility > 0], [_VISIBLE_SCORE, _HIDDEN_SCORE], 0.0)
    return _Tile(
        pixels=warp_affine(picture, matrix, size),
        points=apply_affine(sample.keypoints, matrix),
        scores=scores,
        box=corners.ravel(),
        caption=f"{sample.annotation_id}  {sample.image_path.name}",
    )


def _mirrored(tile: _Tile, skeleton: Skeleton) -> _Tile:
    """The twin as training makes it: pixels mirrored, keypoints in their partners' places."""
    # x -> width - 1 - x, and each keypoint in the place of its partner.
    last = tile.pixels.shape[1] - 1
    order = list(skeleton.flip_order)
    points = tile.points[order] * (-1, 1) + (last, 0)
    left, top, right, bottom = tile.box.tolist()
    box = np.array([last - right, top, last - left, bottom])
    pixels = np.ascontiguousarray(tile.pixels[:, ::-1])
    return _Tile(pixels, points, tile.scores[order], box, "mirrored")


def _twins(chosen: Sequence[PoseSample], skeleton: Skeleton) -> list[Image.Image]:
    """The best labelled of the subjects, each followed by its twin."""
    best = sorted(chosen, key=lambda one: -int((one.visibility > 0).sum()))[:MAX_TWINS]
    size = _tile_size(chosen, TWIN_PX)
    tiles = [tile for sample in best if (tile := _tile(sample, size)) is not None]
    both = [one for tile in tiles for one in (tile, _mirrored(tile, skeleton))]
    return [_drawn(tile, skeleton, numbers=True) for tile in both]


def _drawn(tile: _Tile, skeleton: Skeleton, *, numbers: bool = False) -> Image.Image:
    """A tile with its skeleton, its box, a caption and perhaps the keypoints' numbers."""
    height, width = tile.pixels.shape[:2]
    far = 4.0 * height  # a point that far out is drawn nowhere, and must not make huge shapes
    shown = (np.abs(tile.points) < far).all(axis=1)
    poses = Poses(
        keypoints=np.where(shown[:, None], tile.points, 0)[None],
        keypoint_scores=(tile.scores * shown)[None],
        boxes=np.array([[0, 0, width, height]]),  # lines as wide as the tile allows
        scores=np.ones(1, dtype=np.float32),
        skeleton=skeleton,
        image_size=(height, width),
    )
    picture = Image.fromarray(draw_poses(tile.pixels, poses))
    pen = ImageDraw.Draw(picture)
    left, top, right, bottom = np.clip(tile.box, -1, max(height, width) + 1).tolist()
    pen.rectangle((left, top, max(left, right), max(top, bottom)), outline=_BOX)
    if numbers:
        _number(pen, tile, shown)
    return add_caption(np.asarray(picture), tile.caption)


def _number(pen: ImageDraw.ImageDraw, tile: _Tile, shown: NDArray[np.bool_]) -> None:
    for index, (x, y) in enumerate(tile.points.tolist()):
        if shown[index] and tile.scores[index] > 0:
            place = (x + 5, y - 12)
            pen.text(
                place, str(index), fill=MIDDLE, font=font(12), stroke_width=2, stroke_fill="black"
            )
