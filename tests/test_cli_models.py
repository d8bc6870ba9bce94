"""`hrnet models` and `hrnet info` from the outside, and the costs stored in the package."""

import json
from pathlib import Path

import pytest

from hrnet.cli.models import USUAL_INPUTS, in_units, stored_costs
from hrnet.models import HEADS, VARIANTS
from hrnet.spec import NetworkOptions
from hrnet.weights.published.rows import find_row


def stored() -> dict[tuple[str, str], tuple[str, int, int]]:
    """(variant, task) -> input, parameters, multiply-adds."""
    return {(row.variant, row.task): row[2:] for row in stored_costs()}


def test_every_variant_and_task_is_listed(run):
    code, text, errors = run("models")
    header, *lines = text.splitlines()
    assert (code, errors) == (0, "")
    assert header.split() == ["variant", "task", "input", "parameters", "MACs"]
    assert [tuple(line.split()[:2]) for line in lines] == [
        (variant, task) for variant in VARIANTS for task in USUAL_INPUTS
    ]
    assert max(map(len, lines)) < 80


def test_models_chooses_by_pattern_and_task(run):
    _, text, _ = run("models", "w18_small", "--task", "pose")
    assert [line.split() for line in text.splitlines()[1:]] == [
        ["hrnet_w18_small_v1", "pose", "256x192", "1.28", "M", "571", "M"],
        ["hrnet_w18_small_v2", "pose", "256x192", "3.62", "M", "1.54", "G"],
    ]
    _, text, _ = run("models", "hrnet_w?8", "--task", "classification")
    assert [line.split()[0] for line in text.splitlines()[1:]] == ["hrnet_w18", "hrnet_w48"]


@pytest.mark.parametrize(
    "chosen",
    [
        ("hrnet_w18_small_v1", "--task", "detection"),
        ("litehrnet_18", "--task", "pose"),  # and the two naive ones
        ("hrformer_tiny", "--task", "segmentation"),
    ],
)
def test_the_stored_costs_are_those_that_are_counted(run, chosen):
    """If this fails since a network has changed: hrnet models --count --json -, see COSTS."""
    code, counted, _ = run("models", *chosen, "--count", "--json", "-")
    assert code == 0
    assert counted == run("models", *chosen, "--json", "-")[1]
    assert json.loads(counted)[0]["parameters"] > 1e6


def test_exact_numbers_are_json_in_a_file_or_printed(run, tmp_path):
    code, text, errors = run("models", "hrnet_w32", "--task", "pose", "--json", "-")
    assert (code, errors) == (0, "")
    (row,) = json.loads(text)
    assert tuple(row.values()) == ("hrnet_w32", "pose", *stored()["hrnet_w32", "pose"])
    assert row["parameters"] == 28_536_113
    out = tmp_path / "m.json"
    assert run("models", "hrnet_w32", "--task", "pose", "--json", out) == (0, "", "")
    assert json.loads(out.read_text()) == json.loads(text)
    code, _, errors = run("models", "--json", tmp_path)
    assert (code, errors.count("\n")) == (2, 1)


@pytest.mark.parametrize(
    ("count", "text"),
    [
        *((0, "0"), (999, "999"), (1000, "1.00 k"), (999_499, "999 k"), (999_500, "1.00 M")),
        *((9_994_999, "9.99 M"), (9_995_000, "10.0 M"), (28_536_113, "28.5 M")),
        *((99_950_000, "100 M"), (7_645_028_352, "7.65 G"), (63_207_913_472, "63.2 G")),
    ],
)
def test_counts_have_three_digits_and_a_unit(count, text):
    assert in_units(count) == text


def test_the_stored_costs_are_those_of_the_published_networks(golden_dir: Path):
    prefixes = {
        "pose_": ("pose", "_coco_256x192"),
        "cls_": ("classification", ""),
        "det_hrnetv2p_": ("detection", "_hrfpn"),
        "seg_": ("segmentation", "_cityscapes"),
    }
    compared = 0
    for (variant, task), (size, parameters, macs) in stored().items():
        for prefix, (its_task, suffix) in prefixes.items():
            name = variant if prefix != "det_hrnetv2p_" else variant.removeprefix("hrnet_")
            file = golden_dir / f"{prefix}{name}{suffix}.json"
            if task == its_task and file.exists():
                record = json.loads(file.read_text())
                counts = {"x".join(map(str, m["input"][2:])): m["macs"] for m in record["macs"]}
                assert (record["params"], counts[size]) == (parameters, macs)
                compared += 1
    assert compared == 2 + 9 + 3 + 3


def test_every_task_of_the_networks_has_a_usual_input():
    assert set(USUAL_INPUTS) == {task for task, _ in HEADS}


def test_the_published_gflops_are_the_stored_costs_in_their_unit():
    """docs/costs.md: multiply-adds / 1024^3 with as many digits as the README files print."""
    costs, compared = stored(), 0
    for variant, task, size, printed in published_rows():
        stored_size, _, macs = costs[variant, task]
        if stored_size == size and variant.startswith("hrnet"):
            digits = len(printed.partition(".")[2])
            assert f"{macs / 1024**3:.{digits}f}" == printed
            compared += 1
    assert compared == 2 + 9


def published_rows() -> list[list[str]]:
    """Variant, task, input and published GFLOPs of the table in docs/costs.md."""
    text = (Path(__file__).parents[1] / "docs" / "costs.md").read_text("utf-8")
    cells = [line.strip("| ").split(" | ") for line in text.splitlines() if line[:3] == "| `"]
    return [[row[0].strip("`"), *row[1:]] for row in cells]


def test_info_shows_parts_and_total(run):
    code, text, errors = run("info", "hrnet_w32")
    lines = text.splitlines()
    assert (code, errors) == (0, "")
    assert lines[0] == "hrnet_w32 for pose, input 256x192 (height x width)"
    rows = {line[:17].strip(): line[17:].split() for line in lines if line[17:18] == " "}
    assert rows["stem"] == ["325,056", "1.003", "1.32", "11.60"]
    assert rows["stage4 streams"] == ["18,823,680", "2.718", "75.39", "6.73"]
    assert rows["total"] == ["28,536,113", "7.645", "114.36", "11.60"]
    assert "Multiply-adds: convolutions 100.0%." in text


def test_info_takes_the_options_of_the_network(run):
    options = ("--task", "segmentation", "--num-outputs", "7", "--set", "head=ocr")
    options += ("--set", "window=5", "--set", "drop_path=0.3")
    code, text, _ = run("info", "hrformer_tiny", "--input", "64x96", *options)
    assert code == 0
    assert text.splitlines()[0] == (
        "hrformer_tiny for segmentation, input 64x96 (height x width), num_outputs 7, head ocr, "
        "window 5, drop_path 0.3"
    )
    assert "linear layers" in text and "products of attention" in text
    assert "head" in text.split("total")[0]


def test_info_shows_the_padding_of_strided_convolutions(run):
    options = ("--task", "segmentation", "--set", "strided_padding=same")
    code, text, _ = run("info", "hrnet_w18", *options)
    assert code == 0
    assert text.splitlines()[0].endswith(", strided_padding same")
    assert "strided_padding    Zeros around the input of HRNet's strided convolutions" in text


def test_the_models_with_a_short_name(run, monkeypatch, tmp_path):
    """Name, model, score, size, licence and place; where there is no network, what to do."""
    monkeypatch.setenv("HRNET_CACHE", str(tmp_path))
    monkeypatch.delenv("HRNET_OFFLINE", raising=False)
    code, text, errors = run("models", "--ready")
    lines = {line.split("\t")[0]: line.split("\t") for line in text.splitlines()}
    assert code == 0
    assert list(lines) == ["default", "fast", "person_finder", "small", "accurate"]
    assert lines["default"][1:] == lines["fast"][1:]
    for name in ("fast", "person_finder"):
        assert lines[name][4:] == ["Apache-2.0", "in the package"]
    for name in ("small", "accurate"):
        row = find_row(name)
        assert lines[name][1:3] == [row.name, row.metric]
        assert lines[name][4:] == [row.licence, "download"]
    assert str(tmp_path) in errors and "hrnet[train]" in errors

    monkeypatch.setenv("HRNET_OFFLINE", "1")
    (tmp_path / find_row("accurate").file_name).touch()
    code, text, _ = run("models", "--ready")
    *_, small, accurate = text.splitlines()
    assert small.endswith(
        "HRNET_OFFLINE is set: unset it, or put tinypose_256x192.pdparams into the cache folder"
    )
    assert accurate.endswith("in the cache")
    code, _, errors = run("predict", "photo.jpg", "--model", "small")
    assert (code, errors.count("\n")) == (2, 1)
    assert "HRNET_OFFLINE is set and tinypose_256x192.pdparams is not in" in errors


@pytest.mark.parametrize("more", [("hrnet_w32",), ("--task", "pose"), ("--json", "-")])
def test_models_ready_takes_nothing_else(run, more):
    code, _, errors = run("models", "--ready", *more)
    assert code == 2
    assert "--ready lists all models with a short name; leave the rest out" in errors


def test_info_counts_lite_hrnet_in_millions(run):
    code, text, _ = run("info", "litehrnet_18", "--set", "exchange=textbook")
    assert code == 0
    assert "MMACs" in text
    assert "198.627" in text


def test_info_lists_the_options_of_the_family(run):
    _, text, _ = run("info", "litehrnet_18")
    listed = text.partition("Options of this network, for --set NAME=VALUE:\n")[2]
    assert [line.split()[0] for line in listed.splitlines()] == [
        "head",
        "align_corners",
        "exchange",
        "presence",
        "heatmap_stride",
        "background",
        "in_channels",
    ]
    assert NetworkOptions.model_fields["exchange"].description in listed


CLASSES = ("info", "small_hrnet_w16", "--task", "classification")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("models", "hrnet_w33"), "no variant fits 'hrnet_w33'; there are hrnet_w32"),
        (("models", "--task", "cooking"), "expected --task as one of pose, segmentation"),
        (("info", "hrnet_w33"), "unknown variant 'hrnet_w33'; did you mean hrnet_w32"),
        (("info", "hrnet_w32", "--task", "x"), "expected a task of pose, segmentation"),
        (
            ("info", "hrnet_w32", "--set", "head=v9"),
            "expected one of v1, v2 as the head for pose",
        ),
        (
            ("info", "hrnet_w32", "--set", "window=7"),
            "hrnet_w32 has no window, got 7; leave it out",
        ),
        (
            ("info", "hrnet_w32", "--set", "drop_path=0"),
            "hrnet_w32 has no drop_path, got 0.0; leave",
        ),
        (
            ("info", "hrformer_tiny", "--set", "drop_path=1"),
            "from 0 to below 1, got 1.0; 0 keeps all",
        ),
        (("info", "hrnet_w32", "--num-outputs", "0"), "num_outputs of 1 or more, got 0"),
        (("info", "hrnet_w32", "--num-outputs", "9" * 20), "got 99999999999999999999; at most"),
        (("info", "hrformer_small", "--num-outputs", "9" * 20), "at most 10,000"),
        (("info", "hrformer_small", "--num-outputs", "-1"), "num_outputs of 1 or more, got -1"),
        (("info", "hrformer_small", "--set", "window=" + "9" * 20), "less than or equal to 64"),
        (("info", "hrformer_small", "--set", "drop_path=nan"), "from 0 to below 1, got nan"),
        (
            ("info", "hrnet_w32", "--task", "classification", "--num-outputs", "9" * 20),
            "num_outputs of 1 or more, got 99999999999999999999; at most 1,000,000",
        ),
        (("info", "hrnet_w32", "--set", "head"), "with a NAME of head, upsampling, align_corners"),
        (("info", "hrnet_w32", "--set", "variant=x"), "expected --set NAME=VALUE with a NAME of"),
        (("info", "hrnet_w32", "--input", "256"), "--input as HEIGHTxWIDTH such as 256x192"),
        (("info", "hrnet_w32", "--input", "0x64"), "height and width of 1 to 32768 pixels"),
        ((*CLASSES, "--input", "96x72"), "multiples of 32, got 96x72; resize"),
    ],
)
def test_bad_input_is_one_line(run, arguments, message):
    code, text, errors = run(*arguments)
    assert (code, text) == (2, "")
    assert errors.startswith("hrnet: error: ")
    assert message in errors
    assert errors.count("\n") == 1
