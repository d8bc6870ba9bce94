"""Contact sheets: tiles with captions in a grid, below a title."""

from collections.abc import Sequence
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

from hrnet.drawing import MIDDLE, Color
from hrnet.errors import printable
from hrnet.files import atomic_path
from hrnet.geometry import Image8

CAPTION_PX = 20

_PAPER: Color = (32, 32, 38)
_LEAST_WIDTH_PX = 900
_HEAD_PX, _GAP_PX = 34, 4
_LETTER_PX = 6
"""Width of a letter of a caption, roughly."""


def font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    """Return Pillow's own font in a size in pixels."""
    return ImageFont.load_default(size)


def add_caption(pixels: Image8, caption: str) -> Image.Image:
    """Return a tile: the pixels (H, W, 3) with a line of text below."""
    height, width = pixels.shape[:2]
    tile = Image.new("RGB", (width, height + CAPTION_PX), _PAPER)
    tile.paste(Image.fromarray(pixels), (0, 0))
    text = printable(caption)[: width // _LETTER_PX]
    ImageDraw.Draw(tile).text((3, height + 3), text, fill=MIDDLE, font=font(11))
    return tile


def save_sheet(
    tiles: Sequence[Image.Image],
    path: Path,
    *,
    columns: int,
    title: str,
    legend: Sequence[tuple[str, Color]] = (),
) -> None:
    """Write tiles of one size in rows as a JPEG, below a title and a legend of colours."""
    columns = min(columns, len(tiles))
    rows = -(-len(tiles) // columns)
    across, down = tiles[0].width + _GAP_PX, tiles[0].height + _GAP_PX
    width = max(columns * across + _GAP_PX, _LEAST_WIDTH_PX)
    sheet = Image.new("RGB", (width, _HEAD_PX + rows * down), _PAPER)
    # The title, and each word of the legend in its colour.
    pen = ImageDraw.Draw(sheet)
    place = 8.0
    for text, color in ((printable(title), MIDDLE), *legend):
        pen.text((place, 8), text, fill=color, font=font(16))
        place += pen.textlength(text, font=font(16)) + 22
    # The tiles, row by row.
    for index, tile in enumerate(tiles):
        row, column = divmod(index, columns)
        sheet.paste(tile, (_GAP_PX + column * across, _HEAD_PX + row * down))
    with atomic_path(path) as temporary:
        sheet.save(temporary, format="JPEG", quality=88)
