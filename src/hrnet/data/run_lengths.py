"""Masks as COCO's files have them: lengths of runs down the columns, plain or compressed.

Source: the compressed run lengths of pycocotools.
"""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from hrnet.geometry import Size
from hrnet.numbers import to_floats

_FIRST_LETTER = ord("0")
_LONGEST_NUMBER = 12
"""Letters of a run that 60 binary digits hold."""


def run_lengths(mask: NDArray[np.bool_]) -> dict[str, object]:
    """Return a mask (H, W) in COCO's form: its `size`, and `counts`, compressed run lengths.

    Equal to what `pycocotools.mask.encode` returns, as text.
    """
    # Runs down the columns, by turns outside and inside; the first one may have no pixel.
    pixels = mask.ravel(order="F")
    changes = np.flatnonzero(np.diff(pixels, prepend=False))
    counts = np.diff(np.concatenate([[0], changes, [pixels.size]]))
    # From the fourth on a run is stored as its difference to the one two places before.
    rest = counts.astype(np.int64)
    rest[3:] -= counts[1:-2]
    # A letter holds five binary digits, the lowest first, and whether more of them follow.
    letters, done = [], np.zeros(rest.size, bool)
    while not done.all():
        low, rest = rest & 31, rest >> 5
        ends = np.where(low & 16, rest == -1, rest == 0)
        letters.append(np.where(done, 0, _FIRST_LETTER + low + 32 * ~ends))
        done |= ends
    table = np.stack(letters, axis=1)
    text = bytes(table[table > 0].astype(np.uint8)).decode("ascii")
    return {"size": list(mask.shape), "counts": text}


def is_mask_of(runs: Mapping[str, object], image_size: Size) -> bool:
    """Return whether run lengths, plain or compressed, fill a picture of (height, width) exactly.

    Others would make pycocotools read and write beyond its memory.
    """
    size, counts = to_floats(runs.get("size"), 2), runs.get("counts")
    if size is None or size.tolist() != list(image_size):
        return False
    lengths = _expanded(counts) if isinstance(counts, str) else to_floats(counts)
    if lengths is None or not len(lengths) or (lengths < 0).any() or (lengths % 1).any():
        return False
    return bool(lengths.sum() == image_size[0] * image_size[1])


def pixels_of(runs: Mapping[str, object], image_size: Size) -> NDArray[np.bool_]:
    """Return the mask (H, W) of run lengths that `is_mask_of` passes, also of pycocotools' bytes.

    As pycocotools' decode, which turns Ctrl-C into a TypeError.
    """
    counts = runs["counts"]
    text = counts.decode("ascii") if isinstance(counts, bytes) else counts
    lengths = _expanded(text) if isinstance(text, str) else to_floats(text)
    assert lengths is not None
    inside = np.arange(len(lengths)) % 2 == 1
    return np.repeat(inside, lengths.astype(np.int64)).reshape(image_size, order="F")


def _expanded(text: str) -> NDArray[np.float64] | None:
    """Return the run lengths of a compressed text; None where it is none."""
    counts: list[int] = []
    value = digits = 0
    for letter in text:
        low = ord(letter) - _FIRST_LETTER
        if not 0 <= low < 64 or digits == _LONGEST_NUMBER:
            return None
        value |= (low & 31) << 5 * digits
        digits += 1
        if low & 32:
            continue
        # The last letter's highest digit is the sign.
        value -= (low & 16) << 5 * (digits - 1) + 1
        counts.append(value + (counts[-2] if len(counts) > 2 else 0))
        value = digits = 0
    return None if digits else np.array(counts, np.float64)
