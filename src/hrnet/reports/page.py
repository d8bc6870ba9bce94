"""The report of a run as one HTML page that asks nobody for anything else."""

from collections.abc import Sequence
from pathlib import Path

from hrnet.reports import of_model, of_run
from hrnet.reports.markup import Section, section, text
from hrnet.reports.measure import Findings
from hrnet.reports.read import RunFolder
from hrnet.tasks.pose.config import PoseModelConfig

_STYLE = Path(__file__).with_name("page.css")

_POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"
"""Browsers refuse whatever the page would ask for; it holds all that it needs."""

Drawing = tuple[str, str]
"""A picture of the training: its name and its data URI."""


def make_page(
    run: RunFolder,
    found: Findings | str,
    *,
    data: tuple[Path, Path] | None = None,
    flip_test: bool = False,
    drawings: Sequence[Drawing] = (),
) -> str:
    """Write the whole page.

    found: what was measured, or why nothing was. data: the annotations and the pictures that it was
    measured on. drawings: made during the training.
    """
    parts: list[Section | None]
    if isinstance(found, Findings):
        parts = [of_model.figures(found), of_run.curves(run), of_model.keypoints(found)]
        parts.append(of_model.examples(found))
    else:
        parts = [of_model.no_figures(found), of_run.curves(run)]
    parts += [
        _drawings(drawings),
        of_run.settings(run.experiment),
        of_run.environment(run),
        of_run.log(run),
        of_run.repeat(run, data, flip_test=flip_test),
    ]
    sections = [part for part in parts if part is not None]
    name = text(run.experiment.name)
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{text(_POLICY)}">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        '<meta name="color-scheme" content="light dark">'
        f"<title>{name}: training report</title>"
        f"<style>{_STYLE.read_text(encoding='utf-8')}</style></head>\n"
        f"<body><header><h1>{name}</h1><p>{text(_facts(run, found))}</p>"
        f"{of_run.progress(run)}{_links(sections)}</header>\n"
        f"<main>{''.join(part.to_html() for part in sections)}</main></body></html>\n"
    )


def _facts(run: RunFolder, found: Findings | str) -> str:
    """The model in one line."""
    model = run.experiment.model
    height, width = model.input_size
    facts = [
        model.variant,
        f"input {height}x{width} (height x width)",
    ]
    if isinstance(model, PoseModelConfig):
        facts.append(f"codec {model.codec}, sigma {model.sigma:g}")
    if isinstance(found, Findings):
        facts.insert(1, f"{found.parameters:,} parameters, {found.macs / 1e9:.3f} G multiply-adds")
        facts.append(f"{len(found.keypoints)} keypoints")
    return " · ".join(facts)


def _links(sections: Sequence[Section]) -> str:
    links = " ".join(f'<a href="#{part.name}">{text(part.title)}</a>' for part in sections)
    return f'<nav aria-label="Parts of this page">{links}</nav>'


def _drawings(drawings: Sequence[Drawing]) -> Section | None:
    if not drawings:
        return None
    figures = "".join(
        f'<figure><img src="{uri}" alt="Poses drawn on {text(name)} during the training" '
        f"><figcaption>{text(name)}</figcaption></figure>"
        for name, uri in drawings
    )
    return section(
        "drawings",
        "Drawn during the training",
        "<p>Validation pictures with the poses of the last evaluation in the run.</p>"
        f'<div class="gallery">{figures}</div>',
    )
