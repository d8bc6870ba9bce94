"""`hrnet models` and `hrnet info` from the outside, and the figures in the package."""

import json
from pathlib import Path

import pytest

from hrnet.cli.models import USUAL_INPUTS, in_units, stored_figures
from hrnet.models import VARIANTS
from hrnet.models.published import BILLIONS


def stored() -> dict[tuple[str, str], tuple[str, int, int]]:
    """(variant, task) -> input, parameters, multiply-adds."""
    return {(row.variant, row.task): row[2:] for row in stored_figures()}


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
def test_the_stored_figures_are_those_that_are_counted(run, chosen):
    """If this fails since a network has changed: hrnet models --count --json -, see FIGURES."""
    code, counted, _ = run("models", *chosen, "--count", "--json", "-")
    assert code == 0
    assert counted == run("models", *chosen, "--json", "-")[1]
    assert json.loads(counted)[0]["parameters"] > 1e6


def test_exact_figures_are_json_in_a_file_or_printed(run, tmp_path):
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


def test_the_stored_figures_are_those_of_the_published_networks(golden_dir: Path):
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


def test_published_billions_are_the_stored_figures_in_their_unit():
    """Multiply-adds / 1024^3 with as many digits as the README files print."""
    figures, compared = stored(), 0
    for (variant, task, size, _), text in BILLIONS.items():
        its_size, _, macs = figures[variant, task]
        if its_size == f"{size[0]}x{size[1]}" and variant.startswith("hrnet"):
            digits = len(text.partition(".")[2])
            assert f"{macs / 1024**3:.{digits}f}" == text
            compared += 1
    assert compared == 2 + 9


def test_info_shows_parts_total_and_published_figures(run):
    code, text, errors = run("info", "hrnet_w32")
    lines = text.splitlines()
    assert (code, errors) == (0, "")
    assert lines[0] == "hrnet_w32 for pose, input 256x192 (height x width)"
    rows = {line[:17].strip(): line[17:].split() for line in lines if line[17:18] == " "}
    assert rows["stem"] == ["325,056", "1.003", "1.32", "11.60"]
    assert rows["stage4 streams"] == ["18,823,680", "2.718", "75.39", "6.73"]
    assert rows["total"] == ["28,536,113", "7.645", "114.36", "11.60"]
    assert "Multiply-adds: convolutions 100.0%;" in text
    assert "multiply-adds / 1024^3: 7.12 GFLOPs (published: 7.1 GFLOPs)." in text


def test_info_takes_the_options_of_the_network(run):
    options = ("--task", "segmentation", "--head", "ocr", "--num-classes", "7", "--window", "5")
    options += ("--drop-path", "0.3")
    code, text, _ = run("info", "hrformer_tiny", "--input", "64x96", *options)
    assert code == 0
    assert text.splitlines()[0] == (
        "hrformer_tiny for segmentation, input 64x96 (height x width), num_classes 7, head ocr, "
        "window 5, drop_path 0.3"
    )
    assert "linear layers" in text and "products of attention" in text
    assert "head" in text.split("total")[0]


def test_info_says_what_lite_hrnet_counts(run):
    code, text, _ = run("info", "litehrnet_18", "--exchange", "textbook")
    assert code == 0
    assert "MMACs" in text
    assert "198.627" in text
    assert "205.2M FLOPs (published: 205.2M)" in text


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("models", "hrnet_w33"), "no variant fits 'hrnet_w33'; there are hrnet_w32"),
        (("models", "--task", "cooking"), "expected --task as one of pose, segmentation"),
        (("info", "hrnet_w33"), "unknown variant 'hrnet_w33'; did you mean hrnet_w32"),
        (("info", "hrnet_w32", "--task", "x"), "no such network: task: Input should be 'pose'"),
        (("info", "hrnet_w32", "--head", "v9"), "no such network: head: Input should be 'v1'"),
        (("info", "hrnet_w32", "--window", "7"), "hrnet_w32 has no window, got 7; leave it out"),
        (("info", "hrnet_w32", "--drop-path", "0"), "hrnet_w32 has no drop_path, got 0.0; leave"),
        (("info", "hrformer_tiny", "--drop-path", "1"), "from 0 to below 1, got 1.0; 0 keeps all"),
        (("info", "hrnet_w32", "--num-keypoints", "0"), "num_keypoints of 1 or more, got 0"),
        (("info", "hrnet_w32", "--num-keypoints", "9" * 20), "got 99999999999999999999; at most"),
        (("info", "hrformer_small", "--num-keypoints", "9" * 20), "at most 10,000"),
        (("info", "hrformer_small", "--num-keypoints", "-1"), "num_keypoints of 1 or more, got -1"),
        (("info", "hrformer_small", "--window", "9" * 20), "less than or equal to 64"),
        (("info", "hrformer_small", "--drop-path", "nan"), "from 0 to below 1, got nan"),
        (
            ("info", "hrnet_w32", "--task", "classification", "--num-classes", "9" * 20),
            "num_classes of 1 or more, got 99999999999999999999; at most 1,000,000",
        ),
        (("info", "hrnet_w32", "--input", "256"), "--input as HEIGHTxWIDTH such as 256x192"),
        (("info", "hrnet_w32", "--input", "0x64"), "height and width of 1 to 32768 pixels"),
        (("info", "small_hrnet_w16", "--input", "96x72"), "multiples of 32, got 96x72; resize"),
    ],
)
def test_bad_input_is_one_line(run, arguments, message):
    code, text, errors = run(*arguments)
    assert (code, text) == (2, "")
    assert errors.startswith("hrnet: error: ")
    assert message in errors
    assert errors.count("\n") == 1
