"""Seconds until something happens: `import hrnet`, `hrnet --help`, `hrnet predict photo.jpg`.

Run on a quiet machine, in the environment to be measured: python benchmarks/startup.py [rounds].
Each command runs in a fresh process; the commands take turns, so that a slow moment of the machine
hits all of them. The median of each is printed, and what it adds to an empty interpreter.
"""

import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

PHOTO = Path(__file__).resolve().parents[1] / "examples" / "astronaut.jpg"
COMMAND_LINE = "import sys; from hrnet.cli import main; sys.exit(main())"
DEFAULT_ROUNDS = 11


def commands(out: str) -> dict[str, tuple[list[str], float | None]]:
    """What is measured: arguments of the interpreter, and the seconds it may add to `pass`."""
    return {
        "python -c pass": (["-c", "pass"], None),
        "import numpy": (["-c", "import numpy"], None),
        "import hrnet": (["-c", "import hrnet"], 0.05),
        "hrnet --help": (["-c", COMMAND_LINE, "--help"], 0.3),
        "hrnet predict photo.jpg": (["-c", COMMAND_LINE, "predict", str(PHOTO), "--out", out], 2.0),
    }


def seconds(arguments: list[str]) -> float:
    """Wall time of one fresh interpreter, which must succeed."""
    start = time.perf_counter()
    subprocess.run([sys.executable, *arguments], check=True, capture_output=True)
    return time.perf_counter() - start


def main() -> None:
    """Measure all commands in turn and print a table."""
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else DEFAULT_ROUNDS
    with tempfile.TemporaryDirectory() as out:
        asked = commands(out)
        for arguments, _ in asked.values():
            seconds(arguments)  # fills the disk cache and writes the .pyc files
        taken = {name: [0.0] * rounds for name in asked}
        for turn in range(rounds):
            for name, (arguments, _) in asked.items():
                taken[name][turn] = seconds(arguments)
    medians = {name: statistics.median(values) for name, values in taken.items()}
    print(f"{rounds} rounds, Python {sys.version.split()[0]}, {sys.platform}")
    print(f"{'command':26} {'median s':>9} {'min s':>9} {'added s':>9} {'wanted':>9}")
    for name, (_, wanted) in asked.items():
        added = medians[name] - medians["python -c pass"]
        limit = "" if wanted is None else f"< {wanted}"
        print(f"{name:26} {medians[name]:9.3f} {min(taken[name]):9.3f} {added:9.3f} {limit:>9}")


if __name__ == "__main__":
    main()
