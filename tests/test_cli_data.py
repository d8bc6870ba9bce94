"""`hrnet data` on the command line: what is printed, where to, and the exit codes."""

import json

import numpy as np
import pytest
from PIL import Image


@pytest.fixture
def pets(tmp_path):
    """Twenty annotated pictures; returns the annotation file and the folder."""
    images = tmp_path / "images"
    images.mkdir()
    content = {
        "images": [],
        "annotations": [],
        "categories": [{"id": 1, "name": "pet", "keypoints": ["nose", "left_eye", "right_eye"]}],
    }
    for number in range(1, 21):
        name = f"{number:02}.png"
        Image.fromarray(np.full((40, 60, 3), number, dtype=np.uint8)).save(images / name)
        content["images"].append({"id": number, "file_name": name, "height": 40, "width": 60})
        content["annotations"].append(
            {
                "id": number,
                "image_id": number,
                "category_id": 1,
                "bbox": [5, 5, 40, 30],
                "keypoints": [10, 10, 2, 20, 20, 2, 30, 20, 1],
            }
        )
    file = tmp_path / "pets.json"
    file.write_text(json.dumps(content))
    return file, images


def test_check_prints_counts_pairs_and_sigmas(run, pets):
    file, images = pets
    code, out, err = run("data", "check", file, "--images", images)
    assert (code, err) == (0, "")
    for words in (
        "subjects with a labelled keypoint",
        "left_eye",
        "100%",
        "0.050",
        "default",
        "sigmas: default 0.05 for every keypoint; an OKS sigma is the spread of annotators",
        "bones: none",
        "mirror pairs, inferred from the names: left_eye - right_eye",
        "without a partner, mirrored in their place: nose",
        "errors: none, warnings: none",
    ):
        assert words in out


def test_check_says_loudly_that_mirroring_is_off(run, pets):
    file, images = pets
    content = json.loads(file.read_text())
    content["categories"][0]["keypoints"] = ["a", "b", "c"]
    file.write_text(json.dumps(content))
    code, out, _ = run("data", "check", file, "--images", images)
    assert code == 0
    assert "WARNING: MIRRORING IS OFF in training, because no mirror pairs are known." in out
    assert '"flip_pairs": [["name", "name"], ...]' in out
    assert out.count("MIRRORING IS OFF") == 1


def test_check_lists_errors_and_ends_with_2(run, pets, tmp_path):
    file, images = pets
    content = json.loads(file.read_text())
    content["annotations"][0]["image_id"] = 99
    content["annotations"][1]["keypoints"] = [1, 2]
    file.write_text(json.dumps(content))
    report = tmp_path / "report"
    code, out, err = run("data", "check", file, "--images", images, "--report", report)
    assert code == 2
    assert "errors: 2 kinds, warnings: none" in out
    lines = err.splitlines()
    assert lines[0] == f"hrnet: errors in {file}:"
    assert all(line.startswith("  annotations ") for line in lines[1:])
    assert len(lines) == 3
    assert sorted(path.name for path in report.iterdir()) == [
        "check.json",
        "contact_sheet.jpg",
        "mirrored.jpg",
    ]
    assert len(json.loads((report / "check.json").read_text())["errors"]) == 2


def test_check_shows_names_as_they_are(run, pets):
    file, images = pets
    content = json.loads(file.read_text())
    content["categories"][0] |= {
        "keypoints": ["[/]", "ear [right]", "\x1b[2J:cat:"],
        "name": "[/x]",
    }
    file.write_text(json.dumps(content))
    code, out, _ = run("data", "check", file, "--images", images)
    assert code == 0
    for name in ("[/]", "ear [right]", "\\x1b[2J:cat:", "pets.json, [/x]"):
        assert name in out


def test_a_category_is_taken_by_its_name(run, pets, tmp_path):
    file, images = pets
    content = json.loads(file.read_text())
    content["categories"].append({"id": 9, "name": "toy", "keypoints": ["wheel"]})
    toy = {"category_id": 9, "keypoints": [1, 1, 2], "bbox": [0, 0, 9, 9]}
    content["annotations"].append(content["annotations"][0] | toy | {"id": 900})
    file.write_text(json.dumps(content))
    code, _, err = run("data", "check", file, "--images", images)
    assert (code, "choose one with --category NAME" in err) == (2, True)
    code, out, _ = run("data", "check", file, "--images", images, "--category", "toy")
    assert (code, "wheel" in out) == (0, True)
    split = ("data", "split", file, "--out", tmp_path / "toys", "--val", "0", "--category", "toy")
    code, out, _ = run(*split)
    assert (code, out) == (0, f"{tmp_path / 'toys' / 'train.json'}: 1 images, 1 subjects\n")


def test_check_of_another_file_is_one_line(run, tmp_path):
    file = tmp_path / "notes.json"
    file.write_text("[1, 2]")
    code, out, err = run("data", "check", file, "--images", tmp_path)
    assert (code, out) == (2, "")
    assert err.startswith(f"hrnet: error: {file}: expected a COCO file")
    assert len(err.splitlines()) == 1


def test_check_proves_first_that_the_report_can_be_written(run, pets):
    file, images = pets
    code, out, err = run("data", "check", file, "--images", images, "--report", file)
    assert (code, out) == (2, "")
    assert "expected an output folder" in err


def test_a_report_never_replaces_what_is_checked(run, pets):
    data, images = pets
    taken = data.with_name("check.json")
    data.rename(taken)
    before = taken.read_bytes()
    code, _, errors = run("data", "check", taken, "--images", images, "--report", taken.parent)
    assert code == 2
    assert "is read by this command" in errors
    assert taken.read_bytes() == before


def test_split_says_what_it_wrote(run, pets, tmp_path):
    file, _ = pets
    out = tmp_path / "parts"
    code, text, err = run("data", "split", file, "--out", out, "--val", "0.2", "--test", "0.1")
    assert (code, err) == (0, "")
    assert text.splitlines() == [
        f"{out}/train.json: 14 images, 14 subjects",
        f"{out}/val.json: 4 images, 4 subjects",
        f"{out}/test.json: 2 images, 2 subjects",
    ]
    code, text, err = run("data", "split", file, "--out", out)
    assert (code, text) == (2, "")
    assert "exists and is not replaced" in err


def test_import_says_what_it_took_and_how_to_look_at_it(run, tmp_path):
    images = tmp_path / "yolo" / "images"
    images.mkdir(parents=True)
    (tmp_path / "yolo" / "labels").mkdir()
    Image.new("RGB", (200, 100)).save(images / "a.png")
    (tmp_path / "yolo" / "labels" / "a.txt").write_text("0 .5 .5 .4 .6 .5 .5 2 .4 .6 1\n")
    out = tmp_path / "pets.json"
    code, text, err = run(
        "data", "import", tmp_path / "yolo", "--out", out, "--names", "left_eye, right_eye"
    )
    assert (code, err) == (0, "")
    lines = text.splitlines()
    assert lines[0] == "yolo: 1 images, 1 subjects, 2 keypoints: left_eye, right_eye"
    assert lines[-1] == f"look at it: hrnet data check {out} --images {images} --report report/"
    assert run("data", "check", out, "--images", images)[0] == 0
    code, text, err = run("data", "import", tmp_path / "yolo", "--out", out)
    assert (code, text) == (2, "")
    assert (
        err
        == f"hrnet: error: {out} exists and is not replaced; name another --out or add --force\n"
    )


def test_boxes_are_imported_checked_and_trained_on(run, tmp_path):
    """Boxes from the labels to the choice of a training; `--set` ends it before it begins."""
    for part in ("train", "val"):
        for folder in ("images", "labels"):
            (tmp_path / "yolo" / folder / part).mkdir(parents=True)
        Image.new("RGB", (200, 100)).save(tmp_path / f"yolo/images/{part}/a.png")
        (tmp_path / f"yolo/labels/{part}/a.txt").write_text("1 .5 .5 .4 .6\n")
    data = tmp_path / "yolo" / "data.yaml"
    data.write_text("train: images/train\nval: images/val\nnames: [cat, dog]\n")
    out = tmp_path / "pets.json"
    code, text, err = run("data", "import", data, "--out", out)
    assert (code, err) == (0, "")
    assert text.splitlines() == [
        "yolo: 2 images, 2 boxes of 2 classes: cat, dog",
        "note: 1 of 2 classes have no box (cat)",
        "note: all parts (train, val) are in one file; --part takes one of them",
        f"written: {out}",
        f"look at it: hrnet data check {out} --images {data.parent / 'images'} --report report/",
    ]
    boxes = [one["bbox"] for one in json.loads(out.read_text())["annotations"]]
    assert boxes == [[60, 20, 80, 60]] * 2
    code, text, err = run(
        "data", "import", tmp_path, "--out", tmp_path / "x.json", "--format", "voc"
    )
    assert (code, text) == (2, "")
    assert err == f"hrnet: error: {tmp_path}: expected XML files in {tmp_path}, found none\n"
    # The training of the same source.
    folder = tmp_path / "run"
    code, text, err = run("train", "--data", data, "--out", folder, "--set", "run.device=none")
    assert (code, len(err.splitlines())) == (2, 1)
    assert "run.device" in err


def test_the_help_lists_every_format(run):
    from hrnet.data.imports import FORMATS

    code, text, _ = run("data", "import", "--help")
    assert code == 0
    assert "|".join(FORMATS) in "".join(text.split())


def test_folders_and_files_are_printed_without_terminal_escapes(run, pets, tmp_path):
    file, images = pets
    odd = tmp_path / "\x1b[2Jodd"
    odd.mkdir()
    code, out, err = run("data", "split", file, "--out", odd)
    assert (code, err) == (0, "")
    assert "\\x1b[2Jodd/train.json: 18 images" in out
    printed = out + "".join(run("data", "check", file, "--images", images, "--report", odd)[1:])
    (odd / "empty.json").write_text('{"images": [], "annotations": [], "categories": []}')
    code, out, err = run("data", "check", odd / "empty.json", "--images", images)
    assert code == 2
    assert "errors in" in err
    assert "\x1b[2J" not in printed + out + err


@pytest.fixture
def flowers(tmp_path):
    """Ten pictures of noise in each of three classes."""
    rng = np.random.default_rng(0)
    for name in ("aster", "daisy", "rose"):
        folder = tmp_path / "flowers" / name
        folder.mkdir(parents=True)
        for number in range(10):
            pixels = rng.integers(0, 255, (10, 10, 3)).astype(np.uint8)
            Image.fromarray(pixels).save(folder / f"{number}.png")
    return tmp_path / "flowers"


def test_classes_are_split_and_checked(run, flowers, tmp_path):
    out = tmp_path / "parts"
    code, text, err = run("data", "split", flowers, "--out", out, "--val", "0.2")
    assert (code, err) == (0, "")
    assert text.splitlines() == [f"{out}/train.csv: 24 images", f"{out}/val.csv: 6 images"]
    report = tmp_path / "report"
    code, text, err = run("data", "check", out, "--report", report)
    assert (code, err) == (0, "")
    rows = [line.split() for line in text.splitlines() if "│" in line]
    assert [row[1::2] for row in rows] == [
        ["aster", "8", "33.3%", "2"],
        ["daisy", "8", "33.3%", "2"],
        ["rose", "8", "33.3%", "2"],
        ["3", "│", "│", "6"],
    ]
    assert "errors: none, warnings: none" in text
    assert sorted(path.name for path in report.iterdir()) == ["check.json", "contact_sheet.jpg"]
    # The other way round, by naming both parts.
    code, again, _ = run("data", "check", out / "train.csv", "--val", out / "val.csv")
    assert (code, again.splitlines()[1:]) == (0, text.splitlines()[1:-2])


def test_errors_of_classes_end_with_2(run, flowers):
    (flowers / "rose" / "0.png").write_bytes(b"")
    code, _, err = run("data", "check", flowers)
    assert code == 2
    assert err.splitlines()[0] == f"hrnet: errors in {flowers}:"
    assert "is empty (0 bytes); get the file again" in err


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("check", "--category", "rose"), "expected no boxes and no category for classes"),
        (("check", "--images", "."), "is a folder of classes and holds its images"),
        (("split", "--out", "out", "--group", "video"), "expected --group and --category with C"),
        (("split", "--out", "out", "--category", "rose"), "expected --group and --category w"),
        (("split", "--out", "out", "--val", "2"), "expected --val and --test as shares"),
    ],
)
def test_options_of_keypoints_are_refused_for_classes(run, flowers, options, words):
    code, out, err = run("data", options[0], flowers, *options[1:])
    assert (code, out) == (2, "")
    assert words in err
    assert len(err.splitlines()) == 1


def test_options_of_classes_are_refused_for_keypoints(run, pets, tmp_path):
    file, images = pets
    for options, words in (
        (("check",), "expected the folder of its images; add --images"),
        (("check", "--images", images, "--val", file), "expected --val for classes alone"),
        (("split", "--out", tmp_path / "out", "--images", images), "expected --images with lists"),
    ):
        code, out, err = run("data", options[0], file, *options[1:])
        assert (code, out, len(err.splitlines())) == (2, "", 1)
        assert words in err
