"""Classes from CSV files and lists: separators, quotes, indices, and every error in one line."""

import time

import pytest

from hrnet.data.class_folders import read_classes
from hrnet.data.findings import Findings
from hrnet.data.source import DataSource
from hrnet.errors import InputError


@pytest.fixture
def root(pictures):
    return pictures("a.png", "b.png", "c d.png", "sub/e.png")


def read(root, text, name="list.csv", encoding="utf-8", **fields):
    path = root / name
    path.write_bytes(text.encode(encoding))
    return read_classes(DataSource(path, **fields))


def pairs(dataset):
    return [(one.name, one.class_name) for one in dataset.samples]


@pytest.mark.parametrize(
    "text",
    [
        "file,class\na.png,cat\nb.png,dog\n",
        "file,class\r\na.png,cat\r\n\r\nb.png,dog\r\n",
        "id;Filename; LABEL \n1;a.png;cat\n2;./b.png;dog\n",
        "category\tpath\ncat\ta.png\ndog\tb.png",
        'image,class\n"a.png","cat"\n" b.png ", dog\n',
        "class,image,label\ncat,a.png,1\ndog,b.png,2\n",
    ],
)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
def test_csv_files_of_many_kinds(root, text, encoding):
    dataset = read(root, text, encoding=encoding)
    assert pairs(dataset) == [("a.png", "cat"), ("b.png", "dog")]
    assert dataset.class_names == ("cat", "dog")
    assert [one.image_path for one in dataset.samples] == [root / "a.png", root / "b.png"]


def test_quotes_hold_separators_and_line_breaks(root):
    text = 'file,class\na.png,"cat, ""big""\nor small"\nb.png,dog\n'
    assert read(root, text).class_names == ('cat, "big"\nor small', "dog")


def test_paths_are_relative_to_the_images(root, tmp_path):
    text = "file,class\nsub\\e.png,x\nc d.png,y\n"
    dataset = read(root, text)
    assert pairs(dataset) == [("sub/e.png", "x"), ("c d.png", "y")]
    other = tmp_path / "lists"
    other.mkdir()
    assert pairs(read(other, text, images=root)) == pairs(dataset)
    with pytest.raises(InputError, match=r"expected the folder of the images, but .*none is none"):
        read(other, text, images=root / "none")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", r"expected a header with a column of files \(file, filename.*got ''; begin"),
        ("a.png,cat\nb.png,dog\n", "expected a header .*got 'a.png,cat"),
        ("file,class\n", "at least two classes: found none"),
        ("file,class\na.png,cat\n", r"at least two classes: found 1 \(cat\)"),
        ("file,class\na.png,cat\nb.png\n", r"without a file or a class: 1 \(line 3\); complete"),
        ("file,class\na.png,cat\n,dog\n", r"without a file or a class: 1 \(line 3\); complete"),
        ("file,class\na.png,cat\nb.png,dog\n./a.png,dog\n", r"two classes: 1 \(./a.png on line 4"),
        ("file,class\na.png,cat\nno.png,dog\nx.png,dog\n", r"not in .*: 2 \(no.png, x.png\); tr"),
        ("file,class\na.png,cat\nb\0.png,dog\n", r"not in .*: 1 \(b"),
        ('file,class\na.png,"' + "x" * 200_000 + '"\n', "expected a CSV file, got a broken one"),
    ],
)
def test_errors_are_one_line(root, text, words):
    with pytest.raises(InputError, match=words) as caught:
        read(root, text)
    assert len(str(caught.value)) < 600


@pytest.mark.parametrize("text", [b"\xff\xfe\0file", b"file,class\n\xff.png,x"])
def test_a_csv_in_another_encoding_is_one_line(root, text):
    path = root / "list.csv"
    path.write_bytes(text)
    with pytest.raises(InputError, match="expected text"):
        read_classes(DataSource(path))


def test_a_list_that_is_not_there_is_one_line(tmp_path):
    for path in (tmp_path / "gone.csv", tmp_path / "no folder" / "gone.txt"):
        with pytest.raises(InputError, match="cannot read the list of pictures"):
            read_classes(DataSource(path))


def test_rows_of_one_picture_are_taken_once(root):
    dataset = read(root, "file,class\na.png,cat\n./a.png,cat\nb.png,dog\n")
    assert pairs(dataset) == [("a.png", "cat"), ("b.png", "dog")]
    assert dataset.notes == (
        "pictures that are listed more than once: 1 (./a.png on line 3); each is taken once",
    )


def test_numbers_in_a_csv_are_names(root):
    dataset = read(root, "file,class\na.png,10\nb.png,2\n")
    assert dataset.class_names == ("10", "2")


def test_lists_by_name(root):
    dataset = read(root, "a.png dog\nc d.png cat\n\nsub/e.png\tbig cat\n", "val.txt")
    assert pairs(dataset) == [("a.png", "dog"), ("c d.png", "cat"), ("sub/e.png", "big cat")]
    assert dataset.class_names == ("big cat", "cat", "dog")


def test_lists_by_index_have_all_classes_up_to_the_last(root):
    dataset = read(root, "a.png 3\nb.png 1\n", "val.txt")
    assert dataset.class_names == ("0", "1", "2", "3")
    assert [one.class_index for one in dataset.samples] == [3, 1]
    assert dataset.notes == ("classes without a picture: 2 (0, 2); a network cannot learn them",)


@pytest.mark.parametrize("name", ["val.txt", "val.csv"])
def test_a_file_of_names_gives_the_order(root, name):
    (root / "classes.txt").write_bytes(b"\xef\xbb\xbfdog\r\nold cat\r\nbird\r\n\r\n")
    head, space = ("file,class\n", ",") if name.endswith("csv") else ("", "\t")
    by_index = read(root, f"{head}a.png{space}1\nb.png{space}0\n", name)
    assert pairs(by_index) == [("a.png", "old cat"), ("b.png", "dog")]
    assert by_index.class_names == ("dog", "old cat", "bird")
    by_name = read(root, f"{head}a.png{space}old cat\nb.png{space}dog\n", name)
    assert list(by_name.samples) == list(by_index.samples)
    with pytest.raises(InputError, match=r"that are not in classes.txt: 1 \(cow\); add them"):
        read(root, f"{head}a.png{space}cow\nb.png{space}dog\n", name)
    with pytest.raises(
        InputError, match=r"class indices that are not from 0 to 2: 1 \(3\); correct"
    ):
        read(root, f"{head}a.png{space}3\nb.png{space}0\n", name)


@pytest.mark.parametrize("names", ["", "\n", "cat\ncat\n", "cat\n\ndog"])
def test_a_file_of_names_that_is_wrong_is_one_line(root, names):
    (root / "classes.txt").write_text(names)
    with pytest.raises(InputError, match=r"classes.txt: expected one class name a line, each onc"):
        read(root, "a.png 0\nb.png 1\n", "val.txt")


def test_an_index_beyond_all_classes_makes_no_million_names(root):
    huge = "9" * 5000
    with pytest.raises(InputError, match="class indices that are not from 0 to 29999: 1"):
        read(root, f"a.png {huge}\nb.png 1\n", "val.txt")


def test_a_hundred_thousand_rows_are_read_in_seconds(root):
    """Every third picture is there; each is asked for once."""
    for n in range(0, 90, 3):
        (root / f"{n}.png").write_bytes(b"x")
    rows = (
        f"{'./' * (n % 3)}{n % 90 if n < 50_000 else n}.png,class {n % 5}" for n in range(100_000)
    )
    start = time.perf_counter()
    findings = Findings()
    (root / "list.csv").write_text("file,class\n" + "\n".join(rows))
    dataset = read_classes(DataSource(root / "list.csv"), findings)
    assert time.perf_counter() - start < 10
    assert len(dataset.samples) == 30
    assert findings.errors[-1].count == 50_060


def test_negative_indices_are_no_classes(root):
    with pytest.raises(InputError, match=r"not from 0 to 29999: 1 \(-1\); correct"):
        read(root, "a.png -1\nb.png 1\n", "val.txt")


def test_a_quote_that_does_not_end_is_refused(root):
    """Else it would take the rest of the file as one class name."""
    with pytest.raises(InputError, match="expected a CSV file, got a broken one"):
        read(root, 'file,class\na.png,cat\nb.png,"dog\nc.png,dog\n', "train.csv")


@pytest.mark.parametrize("name", ["val.json", "val.png", "val"])
def test_a_file_of_another_kind_is_no_list(root, name):
    with pytest.raises(InputError, match=r"or a list of pictures and classes .*got .*val.*; name"):
        read(root, "a.png cat\nb.png dog\n", name)
