"""The table of published weights says what can be said, and leaves out nothing silently."""

import json
import math
import re
import tomllib
from collections import Counter
from dataclasses import replace
from functools import cache
from hashlib import sha256
from itertools import groupby
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import torch

from hrnet.errors import InputError
from hrnet.models import build_network, family_of
from hrnet.spec import IMAGENET_MEAN, IMAGENET_STD, ModelSpec, NetworkSpec
from hrnet.tasks import TASKS, get_task, read_spec
from hrnet.tasks.pose.spec import PoseSpec
from hrnet.weights.published import rows as published
from hrnet.weights.published.rows import (
    PublishedWeight,
    find_row,
    row_of_file,
    rows,
)

ROWS = [pytest.param(row, id=row.name) for row in rows()]
LICENCES = {"MIT", "Apache-2.0", ""}


def stem(row: PublishedWeight) -> str:
    """The name without its flavour."""
    return "-".join(row.name.split("-")[: 3 if row.network.task == "pose" else 2])


def test_names_and_file_names_are_unique() -> None:
    assert not [name for name, n in Counter(row.name for row in rows()).items() if n > 1]
    assert not [name for name, n in Counter(row.file_name for row in rows()).items() if n > 1]


@pytest.mark.parametrize("row", ROWS)
def test_the_name_follows_the_rule(row: PublishedWeight) -> None:
    network, dataset, *rest = row.name.split("-")
    variant, head = row.network.variant, row.network.head
    assert network == (f"{variant}_{head}" if head else variant)
    assert dataset == row.dataset
    if isinstance(row.spec, PoseSpec):
        height, width = row.spec.input_size
        assert rest.pop(0) == f"{height}x{width}"
    assert all(re.fullmatch("[a-z0-9_]+", flavour) for flavour in rest)
    codec = row.facts.get("codec", "classic")
    assert ("dark" in rest, "udp" in rest) == (codec == "dark", codec == "udp")


@pytest.mark.parametrize("row", ROWS)
def test_the_facts_have_their_form(row: PublishedWeight) -> None:
    assert all(urlsplit(page).scheme == "https" for page in (row.page, *row.mirrors))
    assert not row.url or urlsplit(row.url).scheme == "https"
    assert row.licence in LICENCES
    assert row.source.count("/") == 1
    assert re.fullmatch(r"[\w.-]+\.(pth|pth\.tar|safetensors|pdparams)", row.file_name)
    assert re.fullmatch("([0-9a-f]{8}|[0-9a-f]{64})?", row.sha256)
    assert not re.fullmatch(r"20[12]\d[01]\d[0-3]\d", row.sha256), "a date is no checksum"
    assert row.size_bytes >= 0
    assert not row.metric or re.search(r"\d\.\d", row.metric)


@pytest.mark.parametrize("row", ROWS)
def test_it_says_its_network(row: PublishedWeight) -> None:
    spec, network = row.spec, row.network
    pyramid = network.task == "detection" and network.head is None
    assert bool(network.num_outputs) == (network.task != "features" and not pyramid)
    assert (network.task in TASKS and not pyramid) == isinstance(spec, ModelSpec)
    assert NetworkSpec.from_json(network.to_json()) == network
    if isinstance(spec, ModelSpec):
        assert type(spec) is get_task(network.task).spec
        assert read_spec(spec.to_json()) == spec
        assert (spec.name, spec.network) == (row.name, network)
        assert network.num_outputs == len(spec.labels)
    else:
        assert spec == network


def test_classification_has_the_test_settings_of_its_source() -> None:
    """By hand from the sources, against slips of the table."""
    found = [row for row in rows() if row.network.task == "classification"]
    assert all({"input_size", "resize", "interpolation", "classes"} == set(r.facts) for r in found)
    usual = {"input_size": [224, 224], "resize": 256, "classes": "imagenet"}
    for name, differs in {
        "hrnet_w18-imagenet": {"interpolation": "bilinear"},
        "hrnet_w48-imagenet-official": {"interpolation": "bilinear"},
        "hrnet_w18_small_v1-imagenet-timm_gluon": {"interpolation": "bicubic"},
        "hrnet_w18-imagenet-timm_ms_aug": {"interpolation": "bilinear", "resize": 235},
        "hrformer_base-imagenet": {"interpolation": "bicubic"},
    }.items():
        assert find_row(name).facts == usual | differs, name


def test_classification_has_the_test_settings_of_timm(golden_dir: Path) -> None:
    file = golden_dir.parent / "golden_tasks" / "cls_protocol.json"
    if not file.exists():
        pytest.skip(f"{file} is not there")
    by_page = {row.page: row for row in rows()}
    for name, given in json.loads(file.read_text())["timm_default_cfgs"].items():
        facts = by_page[f"https://huggingface.co/timm/{name}"].facts
        size = given.get("test_input_size", given["input_size"])[1:]
        share = given.get("test_crop_pct", given["crop_pct"])
        assert facts["input_size"] == size
        assert (facts["resize"], facts["interpolation"]) == (
            math.floor(size[0] / share),
            given["interpolation"],
        )
        assert (tuple(given["mean"]), tuple(given["std"])) == (IMAGENET_MEAN, IMAGENET_STD)


def kind(row: PublishedWeight) -> tuple[str, str]:
    """Describe a network, but for its size."""
    sizeless = {"variant": "", "num_outputs": None}
    family = family_of(row.network.variant)
    return family, row.network.model_copy(update=sizeless).to_json()


@pytest.mark.parametrize(
    "row",
    [
        pytest.param(next(same), id=" ".join(of))
        for of, same in groupby(sorted(rows(), key=kind), kind)
    ],
)
def test_its_network_can_be_built(row: PublishedWeight) -> None:
    with torch.device("meta"):
        network = build_network(row.network)
    assert network.spec == row.network


def test_the_plain_name_downloads_if_any_does() -> None:
    """`official` stands only beside a plain name, and nobody has to know a flavour to download."""
    by_name = {row.name: row for row in rows()}
    for row in rows():
        plain = by_name.get(stem(row))
        if row.name.endswith("-official"):
            assert plain is not None, row.name
        if plain is not None and plain.network.task == row.network.task:
            assert plain.url or not row.url, row.name


def test_the_facts_that_networks_depend_on() -> None:
    """By hand from the sources, against slips of the table."""
    plain = find_row("hrnet_w32-coco-256x192")
    assert plain.url.endswith("coco-256x192-81c58e40_20220909.pth")
    assert plain.sha256 == "81c58e40"
    assert (plain.spec.codec, plain.spec.sigma) == ("classic", 2.0)
    assert find_row("hrnet_w48-coco-384x288-udp").spec.sigma == 3.0
    for name in ("w32-coco-384x288-dark", "w48-coco-384x288-dark", "w48-coco-384x288-udp"):
        assert find_row(f"hrnet_{name}").spec.heatmap_codec.blur_kernel == 11
    earlier = find_row("hrnet_w48-coco_wholebody-384x288-dark")  # trained with mmpose 0.x
    assert earlier.spec.heatmap_codec.blur_kernel == 17
    assert [row.facts.get("blur_kernel") for row in rows()].count(11) == 4
    assert find_row("hrnet_w18_v2-300w-256x256").spec.sigma == 1.5
    hands = find_row("hrnet_w18_v2-onehand10k-256x256").network
    assert (hands.upsampling, hands.align_corners) == ("bilinear", False)
    for name, aligned in {"": True, "-v1_1": False, "-master": False}.items():
        assert find_row(f"hrnet_w48-cityscapes{name}").network.align_corners is aligned
    for name, position in {"": "table", "-official": "none"}.items():
        row = find_row(f"hrformer_base-coco-256x192{name}")
        assert row.network.relative_position == position
    assert find_row("hrformer_base_ocr-ade20k-window13").network.window == 13
    assert find_row("hrnet_w32-coco_aic-256x192-combine").network.num_outputs == 19
    assert find_row("hrnet_w48-pascal_context60").network.num_outputs == 60


def test_a_near_name_is_offered() -> None:
    with pytest.raises(InputError, match="did you mean hrnet_w32-coco-256x192 "):
        find_row("hrnet_w32-coco-256x129")
    with pytest.raises(InputError, match=r"did you mean hrnet_w32-coco.*hrnet weights list"):
        find_row("hrnet_w32")  # a variant
    with pytest.raises(InputError, match="hrnet weights list"):
        find_row("?")


def test_a_file_is_recognised_by_its_name(tmp_path: Path) -> None:
    path = tmp_path / "pose_hrnet_w32_256x192.pth"
    path.write_bytes(b"anything")
    assert row_of_file(path) == find_row("hrnet_w32-coco-256x192-official")
    assert row_of_file(path.rename(tmp_path / "my.pth")) is None


def test_a_published_checksum_decides(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "renamed.pth"
    path.write_bytes(b"weights")
    row = find_row("hrnet_w32-coco-256x192")
    known = replace(row, sha256=sha256(b"weights").hexdigest()[:8])
    monkeypatch.setattr(published, "rows", lambda: (known,))
    assert row_of_file(path) == known
    other = tmp_path / row.file_name
    other.write_bytes(b"something else")
    assert row_of_file(other) is None


@cache
def _links(file: Path) -> dict[str, set[str]]:
    """Address -> its labels, of the list of all links in the repositories' pages."""
    links: dict[str, set[str]] = {}
    for label, link in re.findall(r"^- (?:(.*?): )?(https?://\S+)", file.read_text(), re.M):
        links.setdefault(link, set()).add(re.split(r" \| |\(text\) ", label)[-1])
    return links


def test_every_published_link_is_accounted_for(golden_dir: Path) -> None:
    """Each address is one of a row's or left out for a reason; the counts are those of the table.

    `pytest -s` shows them.
    """
    table = Path(published.__file__).with_name("published.toml").read_text("utf-8")
    excluded = tomllib.loads(table)["excluded"]
    links = _links(golden_dir.parent / "URLS.md")
    ours = {link.split("?pwd=")[0] for r in rows() for link in (r.url, r.page, *r.mirrors)}
    found: Counter[str] = Counter()
    for link, labels in links.items():
        texts = [f"{label}: {link}" for label in labels]
        rule = next(
            (rule for rule in excluded if any(re.search(rule["pattern"], text) for text in texts)),
            None,
        )
        assert (rule is None) == (link in ours), f"{link} {labels}: {rule}"
        found[rule["pattern"] if rule else "ours"] += 1
    assert found == {**{rule["pattern"]: rule["links"] for rule in excluded}, "ours": found["ours"]}
    by_hand = sum(not row.url for row in rows())
    counts = [
        f"{len(rows())} weights, {by_hand} of them to be fetched by hand",
        f"{len(links)} links: {found['ours']} to them, and left out",
        *(f"{rule['links']} {rule['reason']}" for rule in excluded),
    ]
    print("", *counts, sep="\n")  # noqa: T201


def test_every_other_published_file_is_accounted_for(golden_dir: Path) -> None:
    """The models of timm and the files of leoxiaobin's folders are listed without addresses."""
    text = (golden_dir.parent / "URLS.md").read_text()
    hub = re.findall(r"timm/(hrnet_\S+?)[,\n]", text)
    pages = {row.page for row in rows()}
    assert hub
    assert {f"https://huggingface.co/timm/{name}" for name in hub} <= pages
    folders = text.split("## File names in README trees")[1].split("## ")[0]
    files = set(re.findall(r"\b(?:pose_)?hrnet_\S+?\.pth", folders))
    assert len(files) == 7
    assert files <= {row.file_name for row in rows()}
