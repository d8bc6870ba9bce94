"""Let one process at a time do a thing.

The lock is the operating system's, on an open file, so it ends with the process that holds it. A
file whose mere existence is the lock would outlive a killed process, and whether its owner still
lives cannot be told for sure (numbers of processes are used again; a home may be shared by hosts).
"""

import errno
import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

_TAKEN = {errno.EAGAIN, errno.EWOULDBLOCK, errno.EACCES, errno.EDEADLK}
_POLL_S = 0.1


@contextmanager
def exclusive(path: Path, waiting: Callable[[], None] = lambda: None) -> Iterator[None]:
    """Hold the lock on a file for the block, once no other process or thread holds it.

    `waiting` is called every 0.1 seconds until then. The file stays behind, empty: to remove it
    could take it from under another process. Where the file system knows no locks there is none.
    Raises OSError where the file cannot be made.
    """
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        while not _locked(descriptor):
            waiting()
            time.sleep(_POLL_S)
        yield
    finally:
        os.close(descriptor)


def _locked(descriptor: int) -> bool:
    """Try to lock without waiting; closing the file unlocks it."""
    try:
        if sys.platform == "win32":
            import msvcrt

            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        return error.errno not in _TAKEN
    return True
