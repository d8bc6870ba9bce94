"""The notation of sizes on the command line."""

import re
from typing import TYPE_CHECKING

from hrnet.errors import InputError

if TYPE_CHECKING:
    from hrnet.geometry import Size


def parse_size(text: str) -> "Size":
    """Read HEIGHTxWIDTH in pixels, such as 256x192. Raises InputError for anything else."""
    match = re.fullmatch(r"(\d{1,9})x(\d{1,9})", text)
    if match is None:
        raise InputError(f"expected --input as HEIGHTxWIDTH such as 256x192, got {text!r}")
    return int(match[1]), int(match[2])
