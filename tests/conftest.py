"""Where the tests find what does not travel with the project, and the sample photo that does."""

import os
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]


def _folder_or_skip(variable: str, beside_the_project: str) -> Path:
    folder = Path(os.environ.get(variable) or ROOT.parent / beside_the_project)
    if not folder.is_dir():
        pytest.skip(f"{variable} names no folder and there is no ../{beside_the_project}")
    return folder


@pytest.fixture(scope="session")
def golden_dir() -> Path:
    """The folder of outputs recorded from the published code; its tests skip without it."""
    return _folder_or_skip("HRNET_GOLDEN", "shared/reference/golden")


@pytest.fixture(scope="session")
def data_dir() -> Path:
    """The folder of real images with labels; its tests skip without it."""
    return _folder_or_skip("HRNET_DATA", "shared/data")


@pytest.fixture(scope="session")
def astronaut() -> Path:
    """The sample photo: one person, 512 x 512."""
    return ROOT / "examples" / "astronaut.jpg"
