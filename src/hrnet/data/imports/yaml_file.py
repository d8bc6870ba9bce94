"""Settings in YAML files of other tools, read within bounds of time and memory."""

from pathlib import Path
from typing import Any

from hrnet.data.imports.common import EXTRA_HINT
from hrnet.errors import InputError, one_line
from hrnet.files import read_text

_MOST_BYTES = 1 << 20
_MOST_ENTRIES = 200_000
"""Entries of a file after each alias is replaced by what it stands for."""


def read_yaml(path: Path) -> dict[str, object]:
    """Read a YAML file that holds a mapping.

    Dates stay texts. Raises InputError with one line where it holds something else, where aliases
    multiply or contain themselves, where a tag or a value is none, or PyYAML is missing.
    """
    try:
        import yaml
    except ImportError:
        raise InputError(f"reading {path} needs the package PyYAML; {EXTRA_HINT}") from None
    text = read_text(path, "settings", _MOST_BYTES)
    kind = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        # Events are many times cheaper than what is made of them.
        if any(count > _MOST_ENTRIES for count, _ in enumerate(yaml.parse(text, Loader=kind))):
            raise InputError(f"{path}: expected at most {_MOST_ENTRIES:,} entries, got more")
        loader = kind(text)
        loader.yaml_implicit_resolvers = {
            letter: [rule for rule in rules if not rule[0].endswith(":timestamp")]
            for letter, rules in loader.yaml_implicit_resolvers.items()
        }
        node = loader.get_single_node()
        if node is not None and _size(node, {}) > _MOST_ENTRIES:
            raise InputError(f"{path}: expected at most {_MOST_ENTRIES:,} entries, got more")
        content = loader.construct_document(node) if node is not None else None
    except InputError:
        raise
    # PyYAML lets the errors of int(), of dates and of its own tables through.
    except (yaml.YAMLError, ValueError, LookupError, AttributeError, TypeError, OverflowError,
            RecursionError) as error:  # fmt: skip
        known = isinstance(error, yaml.YAMLError | ValueError)
        reason = one_line(error)[:200] if known else "a value that its tag does not fit"
        raise InputError(f"expected YAML in {path}, got something else ({reason})") from None
    if not isinstance(content, dict):
        raise InputError(f"expected named settings in {path}, got {type(content).__name__}")
    return content


def _size(node: Any, known: dict[int, int]) -> int:
    """Count the entries of a node, those of an alias again each time that it occurs."""
    if id(node) in known:
        return known[id(node)]
    known[id(node)] = _MOST_ENTRIES + 1  # a node that contains itself has no end
    inner = node.value if isinstance(node.value, list) else []
    parts = (part for entry in inner for part in (entry if isinstance(entry, tuple) else (entry,)))
    size = 1
    for part in parts:
        size = min(size + _size(part, known), _MOST_ENTRIES + 1)
    known[id(node)] = size
    return size
