"""The run folder of a training: free, claimed by one training, and without leftovers."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from hrnet.errors import InputError
from hrnet.files import exclusive, exists, is_folder, make_writable_folder
from hrnet.run_folder import BEST, ENVIRONMENT, EXPERIMENT, LAST, LOG, PICTURES, STATE
from hrnet.training.journal import writing


def expect_no_run(folder: Path) -> None:
    """Raise InputError where a folder already holds a run or other things, so nothing is lost."""
    # Files of a run.
    held = [name for name in (LAST, BEST, STATE, LOG) if exists(folder / name)]
    if held:
        raise InputError(
            f"{folder} already holds a run ({held[0]}); go on with it by "
            f"`hrnet train --resume {folder}`, or name a new folder for --out"
        )
    # Other things, but for those of a run that was interrupted before its first step.
    known = {"data", EXPERIMENT, ENVIRONMENT, ".lock"}
    try:
        others = sorted({p.name for p in folder.iterdir()} - known) if is_folder(folder) else []
    except OSError as error:
        raise InputError(
            f"the folder {folder} cannot be read: {error.strerror}; name a new folder for --out"
        ) from None
    # Temporary files are leftovers of a process that was killed while it wrote.
    others = [name for name in others if not (name.startswith(".") and name.endswith(".tmp"))]
    if others:
        raise InputError(f"{folder} holds other things ({others[0]}); name a new folder for --out")


def _remove_leftovers(folder: Path) -> None:
    for place in (folder, folder / PICTURES, folder / "data"):
        for leftover in place.glob(".*.tmp"):
            with suppress(OSError):
                leftover.unlink()


@contextmanager
def claimed(folder: Path) -> Iterator[None]:
    """Keep other trainings out of the run folder for the block, and remove leftovers."""

    def refuse() -> None:
        raise InputError(f"{folder} is in use by another training; wait for it or stop it")

    make_writable_folder(folder)
    with ExitStack() as held:
        with writing(folder / ".lock"):
            held.enter_context(exclusive(folder / ".lock", refuse))
        _remove_leftovers(folder)
        yield
