"""Commands that are held to the rule for bad input, and a data set whose pictures exist.

More examples, other ones each time, and failing ones made small:

    HRNET_HOSTILE_EXAMPLES=500 pytest tests/hostile
"""

import os
import re
import signal
from collections.abc import Callable
from pathlib import Path
from types import FrameType

import pytest
from hypothesis import HealthCheck, Phase, settings
from PIL import Image

_WANTED = os.environ.get("HRNET_HOSTILE_EXAMPLES")
_HANGS_AFTER_S = 120

hostile = settings(
    max_examples=int(_WANTED or 40),
    derandomize=_WANTED is None,
    phases=(Phase.explicit, Phase.generate, *([Phase.shrink] if _WANTED else [])),
    deadline=None,
    database=None,
    suppress_health_check=list(HealthCheck),
)
"""The same few examples each time, for everyday use."""

few = settings(hostile, max_examples=max(1, hostile.max_examples // 4))
"""For commands that take a tenth of a second or more."""

_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")

Ask = Callable[..., tuple[int, str, str]]


class _HangError(BaseException):
    """Ends a command that takes as long as if it waited for something."""


def _end(number: int, frame: FrameType | None) -> None:
    raise _HangError


@pytest.fixture
def ask(run: Ask, monkeypatch: pytest.MonkeyPatch) -> Ask:
    """Run a command: a result, or exit code 2 and a reason; nothing else leaves it."""
    monkeypatch.setenv("HRNET_OFFLINE", "1")

    def command(*arguments: object) -> tuple[int, str, str]:
        if hasattr(signal, "SIGALRM"):
            before = signal.signal(signal.SIGALRM, _end)
            signal.alarm(_HANGS_AFTER_S)
        try:
            code, out, err = run(*arguments)
        finally:
            if hasattr(signal, "SIGALRM"):
                signal.alarm(0)
                signal.signal(signal.SIGALRM, before)
        assert code in (0, 2), err
        assert bool(err.strip()) or code == 0, "exit code 2 without a reason"
        found = _CONTROL.search(out + err)
        assert not found, f"{found!r} would reach the terminal"
        return code, out, err

    return command


SIZE = (96, 128)
"""Width and height of the pictures of `dataset`."""


@pytest.fixture
def dataset(tmp_path: Path, spots: Callable[..., Image.Image]) -> Path:
    """A folder with four pictures; `coco` describes them."""
    folder = tmp_path / "data"
    folder.mkdir()
    for number in range(4):
        spots(size=SIZE[::-1]).save(folder / f"{number}.png")
    return folder


def coco(images: int = 4) -> dict[str, list[dict[str, object]]]:
    """COCO keypoints of the persons that `spots` draws, one a picture."""
    width, height = SIZE
    points = [30.0, 20.0, 2, 80.0, 40.0, 2, 50.0, 100.0, 1]
    return {
        "images": [
            {"id": n, "file_name": f"{n}.png", "height": height, "width": width}
            for n in range(images)
        ],
        "annotations": [
            {"id": n, "image_id": n, "category_id": 1, "keypoints": list(points), "iscrowd": 0}
            | {"num_keypoints": 3, "bbox": [20, 10, 70, 100], "area": 4000.0}
            for n in range(images)
        ],
        "categories": [
            {"id": 1, "name": "person", "keypoints": ["red", "green", "blue"]}
            | {"skeleton": [[1, 2], [2, 3]], "sigmas": [0.05, 0.05, 0.05]}
            | {"flip_pairs": [["red", "green"]]}
        ],
    }
