"""Models by name: those inside the package, the published weights, and the hub's."""

from pathlib import Path

from hrnet.errors import InputError, one_line
from hrnet.files import exists, is_file, is_folder
from hrnet.folds import is_cross_validation, read_folds
from hrnet.run_folder import BEST, LAST
from hrnet.weights.hub import HUB_PREFIX, from_hub
from hrnet.weights.published.cache import converted
from hrnet.weights.published.rows import BY_INTENTION, PublishedWeight, near_names, row_of_name

_ASSETS = Path(__file__).parents[1] / "assets"

CATALOG = {
    "default": _ASSETS / "default.onnx",
    "fast": _ASSETS / "default.onnx",
    "person_finder": _ASSETS / "person_finder.onnx",
}
"""Name -> exported model inside the package; the model cards lie beside them."""

DETECTORS = {"person": "person_finder"}
"""Class of subjects -> the packaged model that finds them."""


def detector_of(subject: str | None) -> str | None:
    """Return the name of the packaged model that finds a class of subjects, None for no such."""
    name = DETECTORS.get(subject) if subject is not None else None
    return name if name in CATALOG else None


def find_model(name: str | Path) -> Path:
    """Return the file of a model given by its name, or by the path of a file or a run folder.

    Published weights are downloaded and converted at their first use, see `converted`;
    "hf://organisation/name" is taken from the Hugging Face hub. "small" and "accurate" are such
    weights too, see `BY_INTENTION`.
    Of a run folder it is the best checkpoint, or the last where none was chosen as best.
    A catalogue name wins over a file of that name; write ./default for such a file.
    Raises InputError, with near names, where there is neither.
    """
    # Names go first: of the package, of the hub, of published weights.
    if str(name) in CATALOG:
        return _packaged(str(name))
    if str(name).startswith(HUB_PREFIX):
        return from_hub(str(name))
    row = row_of_name(str(name))
    if row is not None:
        return _downloaded(row)
    # Then run folders and files.
    path = Path(name)
    if name and is_folder(path):
        return _best_of_run(path)
    if name and exists(path):
        return path
    ready = [*CATALOG, *BY_INTENTION]
    near = near_names(str(name), ready)
    known = f"known names: {', '.join(ready)} and those of `hrnet weights list`"
    hint = f"did you mean {' or '.join(near)}? `hrnet weights list` has more" if near else known
    raise InputError(
        f"expected a model's name or file, but there is no {one_line(name) or 'empty name'}; {hint}"
    )


def find_checkpoint(name: str | Path) -> Path:
    """Return the file of a model as `find_model`; of a packaged one the checkpoint of its .onnx."""
    path = find_model(name)
    return path.with_suffix(".safetensors") if str(name) in CATALOG else path


def _best_of_run(folder: Path) -> Path:
    files = [folder / name for name in (BEST, LAST)]
    found = next((file for file in files if is_file(file)), None)
    if found is None and is_cross_validation(folder):
        first = folder / read_folds(folder)[0].names[0]
        raise InputError(
            f"expected the folder of one run, but {folder} is a cross-validation of several; name "
            f"one of them, such as {first}"
        )
    if found is None:
        raise InputError(
            f"expected a run folder with {BEST} or {LAST}, but {folder} has "
            "neither; name the folder that `hrnet train --out` wrote"
        )
    return found


def _packaged(name: str) -> Path:
    file = CATALOG[name]
    if not is_file(file):
        raise InputError(
            f"the file of the model {name} is missing from this installation ({file.name}); "
            "install hrnet again or name a model file"
        )
    return file


def _downloaded(row: PublishedWeight) -> Path:
    try:
        from hrnet.weights.convert import CONVERTER_VERSION, convert_file
    except ModuleNotFoundError as error:
        raise InputError(
            f"{row.name} needs {error.name} to be converted; pip install 'hrnet[train]'"
        ) from None
    return converted(row, convert_file, version=CONVERTER_VERSION)
