"""Pieces of HTML. Whatever comes from files goes through `text`; nothing else may hold a `<`."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from html import escape

from hrnet.reports.measure import Example


def text(value: object) -> str:
    """Anything as text that is safe in a page and in an attribute."""
    return escape(str(value), quote=True)


@dataclass(frozen=True, slots=True)
class Section:
    """A part of the page. name: what links point at. content: HTML."""

    name: str
    title: str
    content: str

    def to_html(self) -> str:
        """The part with its heading."""
        heading = f"<h2>{text(self.title)}</h2>"
        return f'<section id="{self.name}">{heading}{self.content}</section>'


def section(name: str, title: str, *pieces: str) -> Section:
    """A part of the page from its pieces of HTML."""
    return Section(name, title, "".join(pieces))


def table(
    head: Sequence[str], rows: Iterable[Sequence[str]], *, numbers: Iterable[int] = ()
) -> str:
    """A table whose first column names the rows. head: plain text; cells: HTML.

    numbers: columns that are set to the right.
    """
    right = set(numbers)
    kinds = [' class="number"' if column in right else "" for column in range(len(head))]
    titles = "".join(
        f'<th scope="col"{kind}>{text(one)}</th>' for one, kind in zip(head, kinds, strict=True)
    )
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


def names_and_values(head: tuple[str, str], values: Mapping[str, str]) -> str:
    """A table of names and plain texts."""
    rows = [(f"<code>{text(name)}</code>", text(value)) for name, value in values.items()]
    return table(head, rows)


def tiles(figures: Iterable[tuple[str, str]]) -> str:
    """A row of large figures: pairs of what it is and how much."""
    cells = "".join(
        f"<div><dt>{text(name)}</dt><dd>{text(value)}</dd></div>" for name, value in figures
    )
    return f'<dl class="tiles">{cells}</dl>'


def bar(part: float) -> str:
    """A bar of a part 0..1, beside the same as a figure."""
    width = 100 * min(max(part, 0.0), 1.0)
    return f'<span class="bar" aria-hidden="true"><i style="width:{width:.1f}%"></i></span>'


def gallery(examples: Iterable[Example]) -> str:
    """Subjects with prediction and truth side by side."""
    figures = []
    for one in examples:
        name, labelled = text(one.image_name), f"{one.labelled} labelled keypoints"
        alt = f"{name}: the predicted pose left, the annotated pose right, OKS {one.oks:.2f}"
        figures.append(
            f'<figure><img src="{one.uri}" alt="{alt}">'
            f"<figcaption><b>OKS {one.oks:.2f}</b> {labelled}<br>{name}</figcaption></figure>"
        )
    return f'<div class="gallery">{"".join(figures)}</div>'


def share(value: float) -> str:
    """A figure in 0..1 with three digits; a dash where nothing could count (NaN or negative)."""
    return f"{value:.3f}" if value >= 0 else "–"


def duration(seconds: float) -> str:
    """A time in the two largest units."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"
