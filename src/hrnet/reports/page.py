"""The report of a run as one HTML page that requests nothing else."""

from collections.abc import Sequence
from pathlib import Path

from hrnet.markup import Section, gallery, section, text
from hrnet.reports import model_sections, run_sections
from hrnet.reports.evaluated import Evaluated
from hrnet.reports.read import RunFolder

_STYLE = Path(__file__).with_name("page.css")

_POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"
"""Browsers refuse whatever the page would request; it holds all that it needs."""

Drawing = tuple[str, str]
"""A picture drawn during the training: its name and its data URI."""


def make_page(run: RunFolder, found: Evaluated | str, *, drawings: Sequence[Drawing] = ()) -> str:
    """Return the whole page.

    found: the evaluated model, or the reason why there is none. drawings: made during the training.
    """
    evaluated = found if isinstance(found, Evaluated) else None
    sections = [
        model_sections.no_metrics(found)
        if isinstance(found, str)
        else model_sections.metrics(found),
        run_sections.curves(run),
        *(evaluated.sections if evaluated else ()),
        *([_drawings(drawings)] if drawings else []),
        run_sections.settings(run.experiment),
        run_sections.environment(run),
        run_sections.log(run),
        run_sections.repeat(run, evaluated),
    ]
    header = f"<p>{text(_facts(run, evaluated))}</p>{run_sections.progress(run)}"
    return framed(run.experiment.name, "training report", header, sections)


def framed(name: str, kind: str, header: str, sections: Sequence[Section]) -> str:
    """Return a page of sections. name, kind: of its title. header: HTML below the heading."""
    # The page holds its style sheet and its pictures.
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{text(_POLICY)}">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        '<meta name="color-scheme" content="light dark">'
        f"<title>{text(name)}: {text(kind)}</title>"
        f"<style>{_STYLE.read_text(encoding='utf-8')}</style></head>\n"
        f"<body><header><h1>{text(name)}</h1>{header}{_links(sections)}</header>\n"
        f"<main>{''.join(part.to_html() for part in sections)}</main></body></html>\n"
    )


def _facts(run: RunFolder, evaluated: Evaluated | None) -> str:
    """Describe the model in one line; its cost is known where it was built to be evaluated."""
    model = run.experiment.model
    height, width = model.input_size
    facts = [model.variant, f"input {height}x{width} (height x width)"]
    if evaluated:
        facts.append(f"{evaluated.parameters:,} parameters")
        facts.append(f"{evaluated.macs / 1e9:.3f} G multiply-adds")
        facts += evaluated.spec.words()
    return " · ".join(facts)


def _links(sections: Sequence[Section]) -> str:
    links = " ".join(f'<a href="#{part.name}">{text(part.title)}</a>' for part in sections)
    return f'<nav aria-label="Parts of this page">{links}</nav>'


def _drawings(drawings: Sequence[Drawing]) -> Section:
    """Return the pictures that were drawn during the training."""
    return section(
        "drawings",
        "Drawn during the training",
        "<p>Validation pictures with the results of the last evaluation in the run.</p>",
        gallery(
            (uri, f"Results drawn on {name} during the training", text(name))
            for name, uri in drawings
        ),
    )
