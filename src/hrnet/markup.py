"""Pieces of an HTML page that needs no other file, as `console` has pieces for a terminal.

Whatever comes from files goes through `text`; nothing else may hold a `<`. The look is in
`reports/page.css`.
"""

import base64
import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape

from PIL import Image

from hrnet.geometry import Image8

_JPEG_QUALITY = 80


def text(value: object) -> str:
    """Return anything as text that is safe in a page and in an attribute."""
    return escape(str(value), quote=True)


@dataclass(frozen=True, slots=True)
class Section:
    """A part of the page. name: the target of links. content: HTML."""

    name: str
    title: str
    content: str

    def to_html(self) -> str:
        """Return the part with its heading."""
        heading = f"<h2>{text(self.title)}</h2>"
        return f'<section id="{self.name}">{heading}{self.content}</section>'


def section(name: str, title: str, *pieces: str) -> Section:
    """Join pieces of HTML to a part of the page."""
    return Section(name, title, "".join(pieces))


def table(
    head: Sequence[str], rows: Iterable[Sequence[str]], *, numbers: Iterable[int] = ()
) -> str:
    """Return a table whose first column names the rows.

    head: plain text. rows: cells of HTML. numbers: indices of the columns to align right.
    """
    right = set(numbers)
    kinds = [' class="number"' if column in right else "" for column in range(len(head))]
    # The head of the table.
    titles = "".join(
        f'<th scope="col"{kind}>{text(one)}</th>' for one, kind in zip(head, kinds, strict=True)
    )
    # Its rows; the first cell of each is a heading too, for screen readers.
    body = "".join(
        f'<tr><th scope="row">{cells[0]}</th>'
        + "".join(f"<td{kind}>{cell}</td>" for cell, kind in zip(cells[1:], kinds[1:], strict=True))
        + "</tr>"
        for cells in rows
    )
    return (
        f'<div class="wide"><table><thead><tr>{titles}</tr></thead><tbody>{body}</tbody>'
        "</table></div>"
    )


def long_table(
    head: Sequence[str], rows: Sequence[Sequence[str]], *, most: int, numbers: Iterable[int] = ()
) -> str:
    """Return a table as `table` does; rows beyond the first `most` are behind a click."""
    first = table(head, rows[:most], numbers=numbers)
    if len(rows) <= most:
        return first
    return first + details(f"{len(rows) - most} more", table(head, rows[most:], numbers=numbers))


def matrix(corner: str, names: Sequence[str], counts: Sequence[Sequence[int]]) -> str:
    """Return a table of counts (N, N) with the same N names at its rows and columns.

    A cell is shaded by its share of the row, so that a confusion matrix shows the recall of each
    class on its diagonal. corner: plain text for the top left cell.
    """
    rows = []
    for name, row in zip(names, counts, strict=True):
        total = sum(row) or 1
        # Shades of blue, pale enough for dark and light text alike.
        cells = (
            f'<span class="cell" style="background:rgb(79 155 234/{60 * count / total:.0f}%)">'
            f"{count:,}</span>"
            for count in row
        )
        rows.append((text(name), *cells))
    return table((corner, *names), rows, numbers=range(1, len(names) + 1))


def details(summary: str, content: str) -> str:
    """Return HTML that is hidden until a reader opens it."""
    return f"<details><summary>{text(summary)}</summary>{content}</details>"


def tiles(values: Iterable[tuple[str, str]]) -> str:
    """Return a row of large values, each under its name."""
    cells = "".join(
        f"<div><dt>{text(name)}</dt><dd>{text(value)}</dd></div>" for name, value in values
    )
    return f'<dl class="tiles">{cells}</dl>'


def bar(part: float) -> str:
    """Return a bar of a part in 0..1."""
    width = 100 * min(max(part, 0.0), 1.0)
    return f'<span class="bar" aria-hidden="true"><i style="width:{width:.1f}%"></i></span>'


def gallery(pictures: Iterable[tuple[str, str, str]]) -> str:
    """Return pictures side by side: (data URI, description as plain text, caption as HTML)."""
    figures = "".join(
        f'<figure><img src="{uri}" alt="{text(description)}"><figcaption>{caption}</figcaption>'
        "</figure>"
        for uri, description, caption in pictures
    )
    return f'<div class="gallery">{figures}</div>'


def jpeg_uri(pixels: Image8) -> str:
    """Return a picture (H, W, 3) as a data URI of a JPEG."""
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, format="JPEG", quality=_JPEG_QUALITY)
    return f"data:image/jpeg;base64,{base64.b64encode(buffer.getvalue()).decode('ascii')}"


def share(value: float) -> str:
    """Format a metric in 0..1 by three digits; a dash where nothing counted: NaN or below 0."""
    return f"{value:.3f}" if value >= 0 else "–"


def percent(value: float) -> str:
    """Format a part in 0..1 as a percentage; a dash as for `share`."""
    return f"{value:.1%}" if value >= 0 else "–"
