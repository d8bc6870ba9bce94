"""Packages that the light core does without: one line where they are missing."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from hrnet.errors import InputError


@contextmanager
def needing(what: str) -> Iterator[None]:
    """Turn a missing package in the block into an InputError. what: such as "training"."""
    try:
        yield
    except ModuleNotFoundError as error:
        if _is_ours(error):
            raise
        raise InputError(
            f"{what} needs {error.name}, which is not installed: pip install 'hrnet[train]'"
        ) from None


def stand_in(name: str, error: ModuleNotFoundError) -> Callable[..., object]:
    """Return what stands for a public name whose module needs a package that is missing.

    It can be imported and shown by `help`; calling it raises InputError. Raises the error itself
    where one of our own modules is missing.
    """
    if _is_ours(error):
        raise error

    def missing(*arguments: object, **options: object) -> object:
        with needing(f"hrnet.{name}"):
            raise error

    missing.__name__ = missing.__qualname__ = name
    missing.__doc__ = f"Not there: it needs {error.name}; pip install 'hrnet[train]'."
    return missing


def _is_ours(error: ModuleNotFoundError) -> bool:
    return (error.name or "hrnet").partition(".")[0] == "hrnet"
