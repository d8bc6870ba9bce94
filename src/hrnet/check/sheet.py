"""A contact sheet of labelled subjects, so that people see what is labelled and which side is left.

Colours are those of predictions: orange for the subject's left, blue for its right, white for the
middle and for everything where no mirror pairs are known. Hidden keypoints are paler.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from hrnet.check.run import CheckResult
from hrnet.data.coco import Sample
from hrnet.drawing import MIDDLE
from hrnet.errors import InputError, printable
from hrnet.files import atomic_path, make_writable_folder
from hrnet.geometry import Floats, Image8, Size, apply_affine, box_to_crop, crop_matrix, warp_affine
from hrnet.images import read_image
from hrnet.skeleton import Skeleton
from hrnet.tasks.pose.drawing import LEFT, RIGHT, draw_poses
from hrnet.tasks.pose.result import Poses

MAX_TILES = 48
MAX_TWINS = 6
COLUMNS = 8
TILE_PX = 240
TWIN_PX = 420
CAPTION_PX = 20
PADDING = 1.4
"""A tile shows the box and some of what is around it, so that points outside the box are seen."""

_PAPER = (32, 32, 38)
_BOX = (170, 220, 120)
_HIDDEN_SCORE, _VISIBLE_SCORE = 0.32, 1.0
"""Scores for `draw_poses`: a labelled but hidden keypoint is drawn at about half its colour."""


REPORT_FILES = ("check.json", "contact_sheet.jpg", "mirrored.jpg")
"""The files of `write_report`; the last is left out where nothing mirrors."""


@dataclass(frozen=True, slots=True, eq=False)
class _Tile:
    """One subject in its crop: points (K, 2) and box (4,) xyxy in the crop's pixels."""

    pixels: Image8
    points: Floats
    scores: NDArray[np.float64]
    box: Floats
    caption: str


def write_report(result: CheckResult, folder: Path, seed: int = 0) -> list[Path]:
    """Write `REPORT_FILES` into a folder; returns what was written.

    The sheet holds a sample of up to 48 subjects that the seed fixes. The other picture holds a few
    of them beside their mirrored twin, where left and right change names as in training; it is
    left out where nothing mirrors.
    """
    make_writable_folder(folder)
    summary, sheet, twins = (folder / name for name in REPORT_FILES)
    files = [summary]
    with atomic_path(summary) as temporary:
        temporary.write_text(result.to_json(), encoding="utf-8")
    chosen = _sample(result, seed)
    size = _tile_size(chosen, TILE_PX)
    tiles = [_tile(sample, size) for sample in chosen]
    shown = [tile for tile in tiles if tile is not None]
    if shown:
        drawn = [_drawn(tile, result.skeleton) for tile in shown]
        title = _title(result, f"{len(shown)} of {result.counts.samples} subjects")
        _save(_grid(drawn, COLUMNS, title), sheet, files)
    if shown and result.skeleton.flip_pairs:
        pairs = _twins(result, chosen)
        title = _title(result, "subjects and their mirrored twins: colours keep to their limbs")
        _save(_grid(pairs, 4, title), twins, files)
    return files


def _save(sheet: Image.Image, path: Path, files: list[Path]) -> None:
    with atomic_path(path) as temporary:
        sheet.save(temporary, format="JPEG", quality=88)
    files.append(path)


def _sample(result: CheckResult, seed: int) -> list[Sample]:
    """Subjects that training takes, in the file's order."""
    usable = result.dataset.samples
    order = np.random.default_rng(seed).permutation(len(usable))[:MAX_TILES]
    return [usable[index] for index in sorted(order.tolist())]


def _tile_size(samples: Sequence[Sample], side: int) -> Size:
    """Height and width of all tiles: upright, square or lying, as most of the boxes are."""
    shapes = [one.box_xywh[2] / one.box_xywh[3] for one in samples]
    aspect = float(np.median(shapes)) if shapes else 1.0
    width = 0.75 if aspect < 0.85 else 4 / 3 if aspect > 1.2 else 1.0
    return side, round(side * width)


def _tile(sample: Sample, size: Size) -> _Tile | None:
    """A subject's crop; None where its picture cannot be read, which has its own finding."""
    try:
        picture = read_image(sample.image_path)
    except InputError:
        return None
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
        caption=printable(f"{sample.annotation_id}  {sample.image_path.name}"),
    )


def _mirrored(tile: _Tile, skeleton: Skeleton) -> _Tile:
    """The twin as training makes it: pixels mirrored, keypoints in their partners' places."""
    last = tile.pixels.shape[1] - 1
    order = list(skeleton.flip_order)
    points = tile.points[order] * (-1, 1) + (last, 0)
    left, top, right, bottom = tile.box.tolist()
    box = np.array([last - right, top, last - left, bottom])
    pixels = np.ascontiguousarray(tile.pixels[:, ::-1])
    return _Tile(pixels, points, tile.scores[order], box, "mirrored")


def _twins(result: CheckResult, chosen: Sequence[Sample]) -> list[Image.Image]:
    """The best labelled of the subjects, each followed by its twin."""
    best = sorted(chosen, key=lambda one: -int((one.visibility > 0).sum()))[:MAX_TWINS]
    size = _tile_size(chosen, TWIN_PX)
    tiles = [tile for sample in best if (tile := _tile(sample, size)) is not None]
    both = [one for tile in tiles for one in (tile, _mirrored(tile, result.skeleton))]
    return [_drawn(tile, result.skeleton, numbers=True) for tile in both]


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
    sheet = Image.new("RGB", (width, height + CAPTION_PX), _PAPER)
    sheet.paste(Image.fromarray(draw_poses(tile.pixels, poses)), (0, 0))
    pen = ImageDraw.Draw(sheet)
    left, top, right, bottom = np.clip(tile.box, -1, max(height, width) + 1).tolist()
    pen.rectangle((left, top, max(left, right), max(top, bottom)), outline=_BOX)
    if numbers:
        _number(pen, tile, shown)
    pen.rectangle((0, height, width, height + CAPTION_PX), fill=_PAPER)
    pen.text((3, height + 3), tile.caption[: width // 6], fill=MIDDLE, font=_font(11))
    return sheet


def _number(pen: ImageDraw.ImageDraw, tile: _Tile, shown: NDArray[np.bool_]) -> None:
    for index, (x, y) in enumerate(tile.points.tolist()):
        if shown[index] and tile.scores[index] > 0:
            place = (x + 5, y - 12)
            pen.text(
                place, str(index), fill=MIDDLE, font=_font(12), stroke_width=2, stroke_fill="black"
            )


def _font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size)


def _title(result: CheckResult, what: str) -> str:
    return f"{result.path.name}: {what}"


def _grid(tiles: Sequence[Image.Image], columns: int, title: str) -> Image.Image:
    """Tiles in rows below a title with the legend of the colours."""
    columns = min(columns, len(tiles))
    head, gap = 34, 4
    rows = -(-len(tiles) // columns)
    across, down = tiles[0].width + gap, tiles[0].height + gap
    width = max(columns * across + gap, 900)
    sheet = Image.new("RGB", (width, head + rows * down), _PAPER)
    pen = ImageDraw.Draw(sheet)
    place = 8.0
    for text, color in (
        (title, MIDDLE),
        ("left", LEFT),
        ("right", RIGHT),
        ("middle or no pair", MIDDLE),
        ("box", _BOX),
    ):
        pen.text((place, 8), text, fill=color, font=_font(16))
        place += pen.textlength(text, font=_font(16)) + 22
    for index, tile in enumerate(tiles):
        row, column = divmod(index, columns)
        sheet.paste(tile, (gap + column * across, head + row * down))
    return sheet
