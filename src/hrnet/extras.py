"""Optional packages: one line of error where they are missing."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from hrnet.errors import InputError


@contextmanager
def packages_for(purpose: str) -> Iterator[None]:
    """Turn a missing package in the block into an InputError. purpose: such as "training"."""
    try:
        yield
    except ModuleNotFoundError as error:
        if _is_ours(error):
            raise
        raise InputError(
            f"{purpose} needs {error.name}, which is not installed: pip install 'hrnet[train]'"
        ) from None


def unavailable(name: str, error: ModuleNotFoundError) -> Callable[..., object]:
    """Return a placeholder for a public name whose module needs a missing package.

    It can be imported and shown by `help`; calling it raises InputError. Raises `error` itself if
    a module of hrnet is missing.
    """
    if _is_ours(error):
        raise error

    def missing(*arguments: object, **options: object) -> object:
        with packages_for(f"hrnet.{name}"):
            raise error

    missing.__name__ = missing.__qualname__ = name
    missing.__doc__ = f"Unavailable without {error.name}; pip install 'hrnet[train]'."
    return missing


def _is_ours(error: ModuleNotFoundError) -> bool:
    return (error.name or "hrnet").partition(".")[0] == "hrnet"
