"""The comparison of a file with the published one: its size, its checksum, its kind."""

import re

from hrnet.errors import InputError

_HEAD = 512


def mismatch(num_bytes: int, digest: str, *, sha256: str, size: int) -> str:
    """Say in what a file differs from what was published; "" where it does not.

    num_bytes, digest: size in bytes and SHA-256 of the file. sha256, size: as published, where ""
    and 0 mean unknown; of the SHA-256 the first 8 digits or more will do.
    """
    if sha256 and not re.fullmatch("[0-9a-f]{8,64}", sha256.lower()):
        raise InputError(f"expected at least 8 hexadecimal digits as sha256, got {sha256!r}")
    if size and num_bytes != size:
        return f"it has {num_bytes} bytes, expected {size}"
    if not digest.startswith(sha256.lower()):
        return f"its sha256 is {digest[: max(len(sha256), 8)]}, expected {sha256.lower()}"
    return ""


def check_is_no_text(start: bytes, where: str, advice: str, content_type: str = "") -> None:
    """Raise InputError where a file begins like a web page or any other text.

    Servers answer with a page to log in, or with the few lines that stand for a file in Git LFS.
    start: the first bytes, 512 of them if there are as many. Those of a weights file are no text.
    """
    if not start:
        raise InputError(f"{where} is empty; {advice}")
    if start.startswith(b"version https://git-lfs"):
        raise InputError(f"{where} is only the Git LFS pointer of the file; {advice}")
    if content_type == "text/html" or _is_text(start[:_HEAD]):
        raise InputError(f"{where} is a page of text, not a weights file (a log-in?); {advice}")


def _is_text(start: bytes) -> bool:
    """No control characters but white space, and UTF-8 up to a character that is cut off."""
    if re.search(rb"[\x00-\x08\x0e-\x1f]", start):
        return False
    try:
        start.decode("utf-8")
    except UnicodeDecodeError as error:
        return error.reason == "unexpected end of data" and len(start) == _HEAD
    return True
