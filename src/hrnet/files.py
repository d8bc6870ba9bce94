"""Write result files whole or not at all, and find out early whether they can be written."""

import hashlib
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from hrnet.errors import InputError


@contextmanager
def atomic_path(path: Path) -> Iterator[Path]:
    """Give a temporary path beside `path`, which takes its place if the block ends well.

    Nobody ever sees half a file; a block that writes nothing leaves `path` as it was. A link
    stays a link and its target is replaced. Raises InputError where the disk refuses.
    """
    path = path.resolve()
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        yield temporary
        if temporary.exists():
            temporary.replace(path)
    except OSError as error:
        raise InputError(f"{path} cannot be written: {error.strerror or error}") from error
    finally:
        temporary.unlink(missing_ok=True)


def make_writable_folder(folder: Path) -> None:
    """Make a folder where it does not exist and prove by a trial file that it can be written."""
    trial = folder / f".trial.{os.getpid()}.tmp"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        trial.touch()
        trial.unlink()
    except (FileExistsError, NotADirectoryError):
        raise InputError(
            f"expected an output folder, but {folder} is a file or lies below one; "
            "name another folder"
        ) from None
    except OSError as error:
        raise InputError(
            f"the output folder {folder} cannot be written: {error.strerror}; name another one"
        ) from None


def check_writable_file(path: Path, inputs: Iterable[Path] = ()) -> None:
    """Raise InputError, before any work is done, where a result file could not be written.

    A device, or one of the `inputs` of the same command, is never replaced.
    """
    if path.is_dir():
        raise InputError(f"expected an output file, but {path} is a folder; name a file in it")
    if path.name == "-" or (path.exists() and not path.is_file()):
        raise InputError(f"expected an output file, but {path} is none; name a regular file")
    if path.exists() and any(path.samefile(one) for one in inputs if one.exists()):
        raise InputError(f"{path} is read by this command and would be lost; name another output")
    make_writable_folder(path.parent)


def sha256_of(path: Path) -> str:
    """The SHA-256 of a file's content, in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
