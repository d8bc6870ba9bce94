"""A folder of classes with one-coloured pictures, each of its own content."""

from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

Pictures = Callable[..., Path]


@pytest.fixture
def pictures(tmp_path: Path) -> Pictures:
    """Write pictures by their paths below a folder, each with another colour."""
    made = 0

    def write(*names: str, root: str = "pets") -> Path:
        nonlocal made
        for name in names:
            path = tmp_path / root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            made += 1
            Image.new("RGB", (8, 8), (made % 256, made // 256, 7)).save(path)
        return tmp_path / root

    return write
