"""Publication of a model on the Hugging Face hub, with a card made from its header."""

from pathlib import Path

from hrnet.errors import InputError, one_line
from hrnet.files import is_file, parse_json
from hrnet.spec import NetworkSpec
from hrnet.tasks import TASKS, get_task, read_spec
from hrnet.weights.catalog import find_model
from hrnet.weights.hub import FILE_NAME, HUB_PREFIX, check_hub_name, hub_error, import_hub

_MAX_HEADER_BYTES = 100_000_000  # the limit of the format itself
_MAX_LISTED = 200
"""Values of a list in the card; of longer ones their number."""


def push_to_hub(
    model: str | Path, name: str, *, token: str | None = None, private: bool = False
) -> str:
    """Put a model on the hub as organisation/name, and return the address of its page.

    model: a safetensors file of ours or a run folder (of which the best checkpoint is taken). The
    repository is made if need be; weights and model card go there in one commit. The file is
    published as it is: its header holds the settings of the run, paths of the data included.
    token: of the hub; without it the one that `hf auth login` or HF_TOKEN gave.
    Raises InputError with one line where the file is none of ours or the hub refuses it.
    """
    # Read the file before anything is sent.
    path = find_model(model)
    card = model_card(read_header(path), name)
    check_hub_name(name)
    # Put weights and card there in one commit.
    hub = import_hub()
    files = {FILE_NAME: path, "README.md": card.encode()}
    commit = [hub.CommitOperationAdd(place, content) for place, content in files.items()]
    try:
        api = hub.HfApi(token=token, library_name="hrnet")
        page = api.create_repo(name, private=private, exist_ok=True)
        api.create_commit(name, commit, commit_message="Weights and model card")
    except Exception as error:  # of which class depends on the library's version and its transport
        raise hub_error(name, error) from None
    return str(page)


def read_header(path: Path) -> dict[str, str]:
    """Read the description in a safetensors file of ours; InputError for any other file."""
    try:
        if not is_file(path):
            raise InputError("it is no regular file")
        with path.open("rb") as file:
            length = int.from_bytes(file.read(8), "little")
            text = file.read(length).decode() if length <= _MAX_HEADER_BYTES else ""
        header = parse_json(text, "its header")
    except (OSError, ValueError) as error:
        raise InputError(f"{path} is not a safetensors file: {one_line(error)}") from None
    match header:
        case {"__metadata__": {"format": "hrnet"} as described}:
            return {key: value for key, value in described.items() if isinstance(value, str)}
    raise InputError(f"{path} is not a checkpoint of this program; `hrnet convert` it first")


def model_card(header: dict[str, str], name: str) -> str:
    """Write the README.md of a model from its header: its facts, and how to use it."""
    facts = _facts(header)
    task = facts.get("task", "")
    rows = "".join(f"| {key} | {value} |\n" for key, value in facts.items())
    tag = get_task(task).hub_tag if task in TASKS else ""
    pipeline = f"pipeline_tag: {tag}\n" if tag else ""
    return (
        f"---\nlibrary_name: hrnet\n{pipeline}tags:\n- hrnet\n- {task}\n---\n"
        f"# {name.rpartition('/')[2]}\n\n"
        f"A high-resolution network ({facts.get('variant', 'HRNet')}) for {task}. The header of "
        f"`{FILE_NAME}` holds all of this table and more.\n\n"
        f"| | |\n|---|---|\n{rows}\n"
        "```sh\npip install 'hrnet[train,hub]'\n"
        f"hrnet predict photo.jpg --model {HUB_PREFIX}{name}\n```\n\n"
        f'```python\nimport hrnet\n\nmodel = hrnet.load("{HUB_PREFIX}{name}")\n```\n'
    )


def _facts(header: dict[str, str]) -> dict[str, str]:
    """Return the plain values of the description in a header, without the run's settings."""
    if "spec" in header:
        model = read_spec(header["spec"])
        values = model.network.model_dump() | model.model_dump(exclude={"network", "format"})
        values |= {get_task(model.task).results: model.labels}
    else:
        values = NetworkSpec.from_json(header.get("network", "")).model_dump()
    cells = {key: _cell(key, value) for key, value in values.items()}
    return {key: text for key, text in cells.items() if text}


def _cell(key: str, value: object) -> str:
    """Write one cell of a table of Markdown; "" for what is not set, or no plain value."""
    if value is None or isinstance(value, dict):
        return ""
    if not isinstance(value, tuple):
        return one_line(str(value)).replace("|", "/")
    if len(value) > _MAX_LISTED:
        return str(len(value))
    between = " x " if key.endswith("_size") else ", "
    return one_line(between.join(map(str, value))).replace("|", "/")
