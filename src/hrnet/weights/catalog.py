"""The models that have a name: those inside the package, and the published weights."""

from dataclasses import dataclass
from pathlib import Path

from hrnet.errors import InputError, one_line
from hrnet.files import exists, is_file, is_folder
from hrnet.weights.hub import HUB_PREFIX, from_hub
from hrnet.weights.published import PublishedWeight, find_row, near_names, row_of_file, rows

__all__ = [
    "BEST",
    "CATALOG",
    "LAST",
    "CatalogEntry",
    "PublishedWeight",
    "find_checkpoint",
    "find_model",
    "find_row",
    "row_of_file",
    "rows",
]

LAST, BEST = "last.safetensors", "best.safetensors"
"""Checkpoints of a run folder: of the last epoch, and of the best AP where it is measured."""

_ASSETS = Path(__file__).parents[1] / "assets"


@dataclass(frozen=True, slots=True)
class CatalogEntry:
    """A model with a name.

    file: the exported model, a path inside the package. licence: of the weights.
    """

    file: Path
    licence: str


CATALOG = {
    "default": CatalogEntry(_ASSETS / "default.onnx", licence="Apache-2.0"),
}
"""Name -> model. `default` travels inside the package; its model card lies beside it."""


def find_model(name: str | Path) -> Path:
    """Return the file of a model given by its name, or by the path of a file or a run folder.

    Published weights are downloaded and converted at their first use, see `hrnet.weights.cache`;
    "hf://organisation/name" is taken from the Hugging Face hub.
    Of a run folder it is the best checkpoint, or the last where none was chosen as best.
    A catalogue name wins over a file of that name; write ./default for such a file.
    Raises InputError, with near names, where there is neither.
    """
    entry = CATALOG.get(str(name))
    if entry is not None:
        return _packaged(str(name), entry)
    if str(name).startswith(HUB_PREFIX):
        return from_hub(str(name))
    published = {row.name: row for row in rows()}
    row = published.get(str(name))
    if row is not None:
        return _downloaded(row)
    path = Path(name)
    if name and is_folder(path):
        return _best_of_run(path)
    if name and exists(path):
        return path
    near = near_names(str(name), list(CATALOG))
    known = f"known names: {', '.join(CATALOG)} and those of `hrnet weights list`"
    hint = f"did you mean {' or '.join(near)}? `hrnet weights list` has more" if near else known
    raise InputError(
        f"expected a model's name or file, but there is no {one_line(name) or 'empty name'}; {hint}"
    )


def find_checkpoint(name: str | Path) -> Path:
    """Return the file of a model as `find_model`; of a packaged one what its .onnx was made of."""
    path = find_model(name)
    return path.with_suffix(".safetensors") if str(name) in CATALOG else path


def _best_of_run(folder: Path) -> Path:
    files = [folder / name for name in (BEST, LAST)]
    found = next((file for file in files if is_file(file)), None)
    if found is None:
        raise InputError(
            f"expected a run folder with {BEST} or {LAST}, but {folder} has "
            "neither; name the folder that `hrnet train --out` wrote"
        )
    return found


def _packaged(name: str, entry: CatalogEntry) -> Path:
    if not is_file(entry.file):
        raise InputError(
            f"the file of the model {name} is missing from this installation ({entry.file.name}); "
            "install hrnet again or name a model file"
        )
    return entry.file


def _downloaded(row: PublishedWeight) -> Path:
    from hrnet.weights.cache import converted

    try:
        from hrnet.weights.convert import CONVERTER_VERSION, convert_file
    except ModuleNotFoundError as error:
        raise InputError(
            f"{row.name} needs {error.name} to be converted; pip install 'hrnet[train]'"
        ) from None
    return converted(row, convert_file, version=CONVERTER_VERSION)
