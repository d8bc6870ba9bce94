"""What the readers of foreign files share: one line for every file that cannot be used."""

import struct
import zipfile
from collections.abc import Callable
from io import BufferedReader
from pathlib import Path
from typing import Final

from hrnet.errors import InputError, one_line
from hrnet.files import is_file
from hrnet.weights.files.unpickle import Placeholder

_FOREIGN_ERRORS: Final = (
    *(ValueError, RuntimeError, OverflowError, OSError),
    *(struct.error, zipfile.BadZipFile, zipfile.LargeZipFile, Warning),
)
_TAR: Final = b"ustar"
_AGAIN: Final = "download or save it again"


class UnusableError(ValueError):
    """An error with the kind of the file and advice."""

    def __init__(self, came: str, advice: str = _AGAIN) -> None:
        super().__init__(f"{came}; {advice}")


def read_dictionary(
    path: Path, expected: str, read: Callable[[BufferedReader, int], object]
) -> dict[str, object]:
    """Read a file that holds a dictionary with names as keys.

    expected: the kind of the file, such as "a file of torch.save". read: returns the content of
    the open file; its second argument is the size in bytes. Raises InputError, one line, for
    whatever `read` raises and for every other content.
    """
    if not is_file(path):
        raise InputError(f"expected {expected}, but there is none at {path}; check it")
    try:
        with path.open("rb") as file:
            return _dictionary(read(file, path.stat().st_size))
    except UnusableError as error:
        reason = str(error)
    except (IndexError, KeyError, TypeError, EOFError):
        reason = f"is malformed or incomplete; {_AGAIN}"
    except _FOREIGN_ERRORS as error:
        reason = f"cannot be read: {ascii(one_line(error)[:200])[1:-1]}; {_AGAIN}"
    raise InputError(f"expected {expected}, but {path} {reason}")


def _dictionary(content: object) -> dict[str, object]:
    advice = "load it where it was made and save its state_dict()"
    if isinstance(content, Placeholder):
        raise UnusableError(f"holds a whole pickled object ({content.name[:80]!a})", advice)
    if not isinstance(content, dict):
        raise UnusableError(f"holds a {type(content).__name__} and no dictionary", advice)
    if not all(isinstance(key, str) for key in content):
        raise UnusableError("holds a dictionary whose keys are not all names", advice)
    return dict(content)


def other_kind(head: bytes) -> tuple[str, str]:
    """Return the kind of a file by its first KiB, and advice, where its reader does not know it."""
    if not head:
        return "is empty", "download it again"
    if head[8:9] == b"{":
        return "is a safetensors file", "give its name the ending .safetensors"
    if head[257:262] == _TAR:
        return "is a tar archive", "unpack it, or save it with torch 0.4 or later"
    if head.startswith(b"\x80"):
        advice = "save the tensors with torch.save; of a file of Paddle the name ends in .pdparams"
        return "is a pickle that torch.save did not write", advice
    if head.startswith(b"PK"):
        return "is a zip, as torch.save writes it", "give its name the ending .pth, or unpack it"
    if head.startswith(b"version https://git-lfs"):
        return "is a pointer of Git LFS", "fetch the file itself with `git lfs pull`"
    if head.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"<"):
        return "is a web page", "download the file itself, not the page that shows it"
    if not set(head) & set(range(9)):
        return "is a text file", "name the file with the weights"
    return "is of another kind", "name the file with the weights"
