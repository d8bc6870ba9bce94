"""The page about a cross-validation: the figures of its folds, and their mean and deviation."""

import shlex
from itertools import islice
from pathlib import Path

from hrnet.files import is_file
from hrnet.folds import Figures, Plan, over_all, read_folds
from hrnet.markup import Section, long_table, section, table, text, tiles
from hrnet.metrics.names import shown
from hrnet.reports.model_sections import MAX_ROWS, MAX_TILES
from hrnet.reports.page import framed


def make_folds_page(folder: Path, linked: str | None) -> str:
    """Return the page about a cross-validation, which may still go on.

    linked: name of the page of each fold's own run, linked where it is there; None for no links.
    """
    plan, done = read_folds(folder)
    header = f"<p>{len(done)} of {len(plan.names)} folds are done</p>"
    sections = [_figures(done), _folds(folder, plan, done, linked), _plan(folder, plan)]
    return framed(folder.name, "cross-validation", header, sections)


def _figures(done: dict[str, Figures]) -> Section:
    """Return the figures, each of all folds and over them."""
    if not done:
        return section("figures", "Figures", '<p class="note">No fold is done yet.</p>')
    over = over_all(done)
    rows = [
        (
            f"<b>{text(name)}</b>",
            shown(name, mean),
            shown(name, spread),
            *(shown(name, one.get(name, -1.0)) for one in done.values()),
        )
        for name, (mean, spread) in over.items()
    ]
    head = ("metric", "mean", "sd", *done)
    return section(
        "figures",
        "Figures",
        tiles(
            (name, f"{shown(name, mean)} \u00b1 {shown(name, spread)}")
            for name, (mean, spread) in islice(over.items(), MAX_TILES)
        ),
        long_table(head, rows, most=MAX_ROWS, numbers=range(1, len(head))),
        "<p>Each fold is measured by the model that was trained on all others. sd is the standard "
        "deviation over the folds. A dash stands where nothing could count.</p>",
    )


def _folds(folder: Path, plan: Plan, done: dict[str, Figures], linked: str | None) -> Section:
    """Return the folds, with a link to each one's own page."""
    rows = []
    for name in plan.names:
        first = text(name)
        if linked is not None and is_file(folder / name / linked):
            first = f'<a href="{text(name)}/{text(linked)}">{first}</a>'
        state = "done" if name in done else "not done"
        command = shlex.join(["hrnet", "report", str(folder / name)])
        rows.append((first, state, f"<code>{text(command)}</code>"))
    return section("folds", "Folds", table(("fold", "state", "its own report"), rows))


def _plan(folder: Path, plan: Plan) -> Section:
    """Return what was asked for, and how an interrupted cross-validation goes on."""
    asked = {
        "images": plan.images,
        "category": plan.category or "all",
        "whole pictures": "yes" if plan.whole_images else "as the data have it",
        "mm per pixel": plan.mm_per_pixel or "of the images",
        "settings": ", ".join(plan.settings) or "chosen by the data",
    }
    command = shlex.join(["hrnet", "train", "--resume", str(folder)])
    return section(
        "plan",
        "Plan",
        table(("", ""), [(text(name), text(value)) for name, value in asked.items()]),
        f"<p>An interrupted one goes on by <code>{text(command)}</code>.</p>",
    )
