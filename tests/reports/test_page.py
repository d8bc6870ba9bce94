"""The page: well-formed, closed in itself, with all text escaped."""

import re
from html.parser import HTMLParser

import numpy as np
import pytest
from PIL import Image

from hrnet.reports import report

VOID = {"meta", "img", "br"}
ADDRESSES = {"src", "href", "srcset", "xlink:href", "action", "data", "poster", "background"}


class Reader(HTMLParser):
    """Checks that tags close in order, and gathers what a page would fetch and what it says."""

    def __init__(self, page: str) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.addresses: list[str] = []
        self.tags: list[tuple[str, dict]] = []
        self.words = ""
        self.feed(page)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        self.addresses += [str(value) for name, value in attrs if name in ADDRESSES]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        self.addresses += [str(value) for name, value in attrs if name in ADDRESSES]

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.words += data


def page_of(made, **options):
    written = report(made.folder, **options)
    return written, written.path.read_text(encoding="utf-8")


def check(page):
    """Check the rules of every page."""
    reader = Reader(page)
    assert all(one.startswith(("data:image/jpeg;base64,", "#")) for one in reader.addresses)
    kinds = {tag for tag, _ in reader.tags}
    assert not kinds & {"script", "link", "iframe", "object", "form", "base"}
    style = page.split("<style>")[1].split("</style>")[0]
    assert "url(" not in style
    assert "@import" not in style
    assert "http" not in style
    pictures = [attributes for tag, attributes in reader.tags if tag == "img"]
    assert all(one["alt"] for one in pictures)
    names = {attributes.get("id") for _, attributes in reader.tags}
    links = [one[1:] for one in reader.addresses if one.startswith("#")]
    assert set(links) <= names
    heads = [attributes for tag, attributes in reader.tags if tag == "th"]
    assert all(one["scope"] in ("col", "row") for one in heads)
    charts = [a for tag, a in reader.tags if tag == "svg" and "aria-hidden" not in a]
    assert all(one["role"] == "img" and one["aria-label"] for one in charts)
    assert "nan" not in reader.words.lower()
    return reader, pictures


def test_a_whole_page(made):
    folder = made.folder / "pictures"
    folder.mkdir()
    Image.fromarray(np.zeros((400, 800, 3), np.uint8)).save(folder / "drawn.jpg")
    (folder / "half.jpg").write_bytes(b"\xff\xd8")
    written, page = page_of(made, flip_test=True)
    assert written.path == made.folder / "report.html"
    assert written.without_figures is None
    reader, pictures = check(page)
    assert len(pictures) == 5  # four subjects, worst or best, and one drawing
    policy = next(a["content"] for _, a in reader.tags if a.get("http-equiv"))
    assert policy.startswith("default-src 'none'")
    for words in (
        "try <script>alert('&')</script>",
        "3 of 4",
        "3 min 3 s",
        "0.250 (epoch 2)",
        "broken pictures skipped",
        "4 subjects in 2 images",
        "flip test on",
        "padding 1.25",
        "left_hand",
        "OKS with the partner’s truth",
        "The 2 worst",
        "The 2 best",
        "<b>4.png",
        "train.epochs",
        "packages.torch",
        '{"kind": "epoch", "step": 30',
        "hrnet train --config",
        "hrnet evaluate",
        "hrnet export",
    ):
        assert words in reader.words, words
    assert page.count('role="img"') == 7  # six of the log, one of the errors


def test_without_validation_data(made, experiment_of):
    made.experiment(experiment_of(made.data, validation=False))
    (made.folder / "best.safetensors").unlink()  # the model is not even looked for
    written, page = page_of(made)
    assert "no validation data" in str(written.without_figures)
    reader, pictures = check(page)
    assert pictures == []
    assert "There are no figures: the run has no validation data" in reader.words
    assert "hrnet evaluate" not in reader.words
    assert page.count('role="img"') == 6


def test_other_data_in_place_of_none(made, experiment_of):
    made.experiment(experiment_of(made.data, validation=False))
    written, page = page_of(made, data=made.data, images=made.data.parent)
    assert written.without_figures is None
    assert f"--data={made.data}" in Reader(page).words


def test_a_run_that_has_just_begun(made):
    made.log([])
    (made.folder / "environment.json").unlink()
    _, page = page_of(made, figures=False)
    reader, _ = check(page)
    assert "No rows yet." in reader.words
    assert "0 of 4" in reader.words
    assert "The log is empty so far." in reader.words
    assert "has no environment.json" in reader.words
    assert "There are no figures: they were not asked for" in reader.words


def test_only_epochs_and_odd_numbers(made):
    row = {"kind": "epoch", "step": 10, "epoch": 1, "loss": float("nan"), "lr": 1e-3}
    made.log([row, row | {"epoch": 2, "step": 20, "loss": 0.5, "seconds": 4000, "PCKh@0.5": 0.8}])
    _, page = page_of(made, figures=False)
    reader = Reader(page)
    assert "1 h 6 min" in reader.words
    assert "best PCKh@0.5 in the log" in reader.words
    assert "0.800 (epoch 2)" in reader.words


def test_what_differs_is_told(made):
    _, page = page_of(made, figures=False)
    table = page.split('id="settings"')[1].split("<details>")[0]
    names = re.findall(r"<code>([^<]+)</code>", table)
    assert (
        names
        == (
            "name model.variant model.input_size data.annotations data.images data.val_annotations "
            "data.val_images data.category data.whole_images data.mm_per_pixel train.epochs "
            "train.lr train.evaluate_every"
        ).split()
    )
    assert "<td>0.002</td><td>0.001</td>" in table


def test_the_page_goes_where_it_is_wanted(made, tmp_path):
    target = tmp_path / "pages" / "w16.html"
    written, _ = page_of(made, out=target, figures=False)
    assert written.path == target
    assert not (made.folder / "report.html").exists()
    assert page_of(made, out=target, figures=False)[0].path == target  # again


@pytest.mark.parametrize("words", ["photo 1.jpg", "a;b"])
def test_commands_are_quoted(made, words):
    moved = made.folder.rename(made.folder.with_name(words))
    page = report(moved, figures=False).path.read_text()
    assert f"'{moved}'" in Reader(page).words
