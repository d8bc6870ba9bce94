"""Models on the Hugging Face hub: `hf://organisation/name`, with or without `@revision`.

A repository of ours holds `model.safetensors`, which describes itself in its header, and a model
card. The files lie in the hub's own cache (HF_HOME), shared with other programs.
"""

import re
from pathlib import Path
from types import ModuleType

from hrnet.errors import InputError, one_line
from hrnet.weights.published.cache import offline

HUB_PREFIX = "hf://"
"""The beginning of the name of a model on the hub."""

FILE_NAME = "model.safetensors"
"""Of the weights in a repository on the hub."""

_NAME = re.compile(r"[\w-][\w.-]*/[\w-][\w.-]*", re.ASCII)


def from_hub(address: str) -> Path:
    """Return the weights of `hf://organisation/name[@revision]`, downloaded if need be.

    revision: a branch, a tag or a commit; by default the newest commit. With HRNET_OFFLINE=1 only
    earlier downloads are taken. Raises InputError with one line where the file cannot be had.
    """
    # Check the address before the library sees it.
    name, _, revision = address.removeprefix(HUB_PREFIX).partition("@")
    if not address.startswith(HUB_PREFIX):
        raise InputError(f"expected {HUB_PREFIX}organisation/name, got {address}")
    check_hub_name(name)
    # Download into the hub's own cache, or find the file there.
    hub = import_hub()
    try:
        return Path(
            hub.hf_hub_download(
                name,
                FILE_NAME,
                revision=revision or None,
                library_name="hrnet",
                local_files_only=offline(),
            )
        )
    except Exception as error:  # of which class depends on the library's version and its transport
        raise hub_error(address, error) from None


def check_hub_name(name: str) -> None:
    """Raise InputError unless `name` is organisation/name as the hub writes it."""
    if not _NAME.fullmatch(name):
        raise InputError(f"expected organisation/name of a model on the hub, got {name!r}")


def import_hub() -> ModuleType:
    """Import huggingface_hub; InputError with the line to install it where it is missing."""
    try:
        import huggingface_hub
    except ImportError:
        raise InputError(
            "models on the hub need huggingface-hub, which is not installed: "
            "pip install 'hrnet[hub]'"
        ) from None
    return huggingface_hub


def hub_error(what: str, error: Exception) -> InputError:
    """Turn an error of the library into one line with advice."""
    # Match classes by name: they move between modules of the library.
    kind = {found.__name__ for found in type(error).__mro__}
    first = _first_line(error)
    if "GatedRepoError" in kind:
        return InputError(f"{what} is gated; accept its terms on the hub, then `hf auth login`")
    if "RepositoryNotFoundError" in kind:
        advice = "check the name; for a private one `hf auth login` or set HF_TOKEN"
        return InputError(f"there is no {what} on the hub; {advice}")
    if "RevisionNotFoundError" in kind:
        return InputError(f"{what} has no such revision; check what follows the @")
    if "LocalEntryNotFoundError" in kind:
        reason = f" ({_first_line(error.__cause__)})" if error.__cause__ else ""
        return InputError(
            f"{what} is not on this machine and the hub did not give it{reason}; check the "
            "connection (HTTPS_PROXY behind a proxy) and HRNET_OFFLINE"
        )
    if "EntryNotFoundError" in kind:
        return InputError(f"{what} holds no {FILE_NAME}; name a model that hrnet has pushed")
    return InputError(f"{what} on the hub: {first}; check the name, the connection and HF_TOKEN")


def _first_line(error: BaseException) -> str:
    return one_line(str(error).strip().partition("\n")[0]) or type(error).__name__
