"""COFW's MATLAB files, as MATLAB lays them out in HDF5."""

import numpy as np
import pytest
from PIL import Image

from hrnet.data.imports.common import ImportOptions
from hrnet.data.imports.run import find_formats, import_annotations
from hrnet.errors import InputError
from hrnet.geometry import box_to_crop

h5py = pytest.importorskip("h5py")

WIDTH, HEIGHT = 60, 40


def drawn(seed, channels=3) -> np.ndarray:
    """Pixels (H, W, 3) or (H, W)."""
    shape = (HEIGHT, WIDTH, 3) if channels == 3 else (HEIGHT, WIDTH)
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)


def face(left=10.25, top=5.5) -> np.ndarray:
    """29 x, 29 y and 29 marks; every third landmark is hidden."""
    k = np.arange(29)
    return np.concatenate([left + k, top + k % 7, k % 3 == 0]).astype(np.float64)


def write(path, pictures, faces, keys=("IsTr", "phisTr")):
    """Write the file, with the 512 bytes of text in front that MATLAB has."""
    with h5py.File(path, "w", userblock_size=512) as file:
        store = file.create_group("#refs#")
        cells = file.create_dataset(keys[0], (1, len(pictures)), dtype=h5py.ref_dtype)
        for number, pixels in enumerate(pictures):
            cells[0, number] = store.create_dataset(f"p{number}", data=pixels.T).ref
        file[keys[1]] = np.stack(faces, axis=1)
    return path


@pytest.mark.parametrize(
    ("part", "keys"), [("train", ("IsTr", "phisTr")), ("test", ("IsT", "phisT"))]
)
def test_points_pictures_and_crops(tmp_path, convert, part, keys):
    pictures = [drawn(1), drawn(2, channels=1)]
    file = write(tmp_path / "COFW_color.mat", pictures, [face(), face(3.0)], keys)
    assert find_formats(file) == ["cofw"]
    found = convert(file)
    names = [one["file_name"] for one in found.content["images"]]
    assert names == [f"cofw_{part}_0001.png", f"cofw_{part}_0002.png"]
    for name, pixels in zip(names, pictures, strict=True):
        with Image.open(found.report.images / name) as stored:
            np.testing.assert_array_equal(np.asarray(stored), pixels)
    triples = np.array(found.points(0))
    np.testing.assert_array_equal(triples[:, :2], face()[:58].reshape(2, 29).T)
    assert triples[:, 2].tolist() == [1 if k % 3 == 0 else 2 for k in range(29)]
    # x from 10.25 to 38.25 and y from 5.5 to 11.5: edges 10, 39 and 5, 12, a square of 29.
    middle, size = box_to_crop(found.dataset.samples[0].box_xywh, (256, 256), padding=1.25)
    np.testing.assert_allclose(middle, (24.5, 8.5))
    np.testing.assert_allclose(size, 1.25 * 29)


def _pointing_nowhere(file):
    file["IsTr"][0, 0] = h5py.Reference()


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda file: file.pop("IsTr"), "it has neither IsTr nor IsT"),
        (lambda file: file.pop("phisTr"), "it lacks IsTr or phisTr"),
        (lambda file: file.__setitem__("IsT", h5py.SoftLink("/nowhere")), None),
        (lambda file: _replaced(file, np.zeros((86, 1))), "expected 87 values of each of 1 faces"),
        (lambda file: _replaced(file, np.full((87, 1), np.nan)), "face 1: expected finite numbers"),
        (lambda file: _painted(file, np.zeros((4, 6, 4), np.uint8)), "1 or 3 channels, got 4"),
        (_pointing_nowhere, "face 1: expected a picture of 8 bits"),
        (lambda file: _painted(file, np.zeros((6, 4))), "face 1: expected a picture of 8 bits"),
    ],
)
def test_damaged_files(tmp_path, damage, message):
    path = write(tmp_path / "c.mat", [drawn(1)], [face()])
    with h5py.File(path, "a") as file:
        damage(file)
    options = ImportOptions(extracted=tmp_path / "pictures")
    if message is None:
        assert import_annotations(path, tmp_path / "o.json", options, format_name="cofw")
        return
    with pytest.raises(InputError, match=message) as caught:
        import_annotations(path, tmp_path / "o.json", options, format_name="cofw")
    assert len(str(caught.value).splitlines()) == 1


def _replaced(file, values):
    del file["phisTr"]
    file["phisTr"] = values


def _painted(file, pixels):
    file["IsTr"][0, 0] = file["#refs#"].create_dataset("other", data=pixels).ref


def test_no_matlab_file(tmp_path):
    path = tmp_path / "c.mat"
    path.write_bytes(b"MATLAB 5.0 MAT-file")
    with pytest.raises(InputError, match="expected COFW_train_color"):
        import_annotations(path, tmp_path / "o.json", ImportOptions(), format_name="cofw")


def test_a_picture_in_the_way_is_kept(tmp_path):
    path, folder = write(tmp_path / "c.mat", [drawn(1)], [face()]), tmp_path / "pictures"
    folder.mkdir()
    Image.new("RGB", (3, 3)).save(folder / "cofw_train_0001.png")
    options = ImportOptions(extracted=folder)
    with pytest.raises(InputError, match="is another picture; name another --out or add --force"):
        import_annotations(path, tmp_path / "o.json", options)
    import_annotations(path, tmp_path / "o.json", options, force=True)
    with Image.open(folder / "cofw_train_0001.png") as stored:
        assert stored.size == (WIDTH, HEIGHT)
