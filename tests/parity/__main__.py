"""Print the parity table: python -m parity [FOLDER] [--write] [--only PATTERN].

FOLDER holds recordings; without it the facts that are kept here are compared. --write makes
networks.json anew from the folder first.
"""

import sys
from fnmatch import fnmatch
from pathlib import Path

from . import facts, runs
from .models import MODELS
from .recordings import digest, recorded, recorded_arrays, recorded_shapes

COLUMNS = ("parameters", "names and shapes", "multiply-adds", "values", "largest error", "of")


def row(name: str, folder: Path | None) -> tuple[str, ...]:
    """One line of the table: a number or "differs" for each check."""
    kept = facts.read()[name]
    record = recorded(folder, name) if folder else {}
    shapes = runs.upstream_shapes(name)
    same = (
        shapes == recorded_shapes(record) if record else digest(shapes) == kept["names_and_shapes"]
    )
    parameters = sum(p.numel() for p in MODELS[name].weightless().parameters())
    sizes = kept["macs"].items()
    counted = all(runs.macs(name, *map(int, size.split("x"))) == macs for size, macs in sizes)
    arrays = recorded_arrays(folder, name) if folder else {}
    found = (
        list(runs.compare(name, arrays))
        if arrays
        else list(runs.compare_kept(name, kept["values"]))
    )
    source = "recordings" if arrays else f"kept values ({kept['source']})"
    passed = sum(one.passed for one in found)
    return (
        f"{parameters}" if parameters == kept["parameters"] else "differs",
        f"{len(shapes)}" if same else "differs",
        f"{len(sizes)} sizes" if counted else "differs",
        f"{passed}/{len(found)}",
        f"{max(one.error for one in found):.1e}",
        source,
    )


def main(arguments: list[str]) -> int:
    """Print the table; 1 if anything differs."""
    write = "--write" in arguments
    only = arguments[arguments.index("--only") + 1] if "--only" in arguments else "*"
    plain = [a for a in arguments if not a.startswith("--") and a != only]
    folder = Path(plain[0]) if plain else None
    if write and folder:
        facts.write(folder)
    print("model", *COLUMNS, sep=" | ")
    bad = 0
    for name in MODELS:
        if fnmatch(name, only):
            cells = row(name, folder)
            done, all_of = cells[3].split("/")
            bad += "differs" in cells or done != all_of
            print(name, *cells, sep=" | ", flush=True)
    print(f"{bad} models differ")
    return int(bad > 0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
