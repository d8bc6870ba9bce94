"""Metadata is read from the bytes alone, and no bytes crash the reader."""

from pathlib import Path

import onnx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hrnet.errors import InputError
from hrnet.runtime.onnx_file import read_metadata


def test_the_metadata_are_those_that_onnx_reads(spot_model: Path) -> None:
    expected = {entry.key: entry.value for entry in onnx.load(spot_model).metadata_props}
    assert read_metadata(spot_model) == expected
    assert set(expected) == {"other", "hrnet"}


@settings(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.binary(max_size=60))
def test_random_bytes_are_refused_or_read(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "a.onnx"
    path.write_bytes(data)
    try:
        read_metadata(path)
    except InputError as error:
        assert "expected an ONNX model" in str(error)


def test_a_cut_model_is_refused(tmp_path: Path, spot_model: Path) -> None:
    whole = spot_model.read_bytes()
    path = tmp_path / "a.onnx"
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(InputError, match="expected an ONNX model"):
        read_metadata(path)


@pytest.mark.parametrize("tiny", [b"\x08\x01", b"\x72\x00", b"\x72\x02\x0a\x00"])
def test_a_model_of_endless_small_fields_is_refused(tmp_path: Path, tiny: bytes) -> None:
    path = tmp_path / "a.onnx"
    path.write_bytes(tiny * 2_000_000)
    with pytest.raises(InputError, match="expected an ONNX model"):
        read_metadata(path)


def test_endless_metadata_are_refused(tmp_path: Path) -> None:
    value = b"\x12\x80\x80\x80\x04" + bytes(8 << 20)  # field 2 of an entry, 8 MB of text
    entry = b"\x72\x85\x80\x80\x04" + value
    path = tmp_path / "a.onnx"
    path.write_bytes(3 * entry + b"\x3a\x00")
    with pytest.raises(InputError, match="expected an ONNX model"):
        read_metadata(path)
    path.write_bytes(entry + b"\x3a\x00")
    assert len(read_metadata(path)[""]) == 8 << 20
