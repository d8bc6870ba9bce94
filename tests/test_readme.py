"""The examples of the README, run as they stand.

Every ```python block runs in a fresh interpreter, unless the line before it is
`<!-- not run: why -->`. A ```sh block runs only after a line `<!-- run -->`. Both run in an empty
folder that holds a copy of `examples/`, with the tests' own environment first on the path.
"""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PAGES = [page for page in (ROOT / "README.md", *sorted(ROOT.glob("docs/*.md"))) if page.is_file()]
BLOCK = re.compile(
    r"^(?:<!-- (?P<mark>run|not run: [^\n]+) -->\n+)?```(?P<kind>python|sh)\n(?P<code>.*?)^```$",
    re.MULTILINE | re.DOTALL,
)


def _blocks(page: Path) -> list[tuple[str, str, str]]:
    """Pairs of kind and code of the blocks to run, each with a name that tells where it stands."""
    text = page.read_text("utf-8")
    found = []
    for match in BLOCK.finditer(text):
        mark = match["mark"] or ""
        if mark == "run" or (match["kind"] == "python" and not mark):
            line = text.count("\n", 0, match.start("code"))
            found.append((f"{page.name}:{line}", match["kind"], match["code"]))
    return found


SNIPPETS = [block for page in PAGES for block in _blocks(page)]


@pytest.mark.skipif(not SNIPPETS, reason="the README shows nothing to run")
@pytest.mark.parametrize(("kind", "code"), [s[1:] for s in SNIPPETS], ids=[s[0] for s in SNIPPETS])
def test_snippet_runs(kind: str, code: str, tmp_path: Path) -> None:
    shutil.copytree(ROOT / "examples", tmp_path / "examples")
    command = {"python": [sys.executable, "-c"], "sh": ["bash", "-euo", "pipefail", "-c"]}[kind]
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
    done = subprocess.run(
        [*command, code],
        cwd=tmp_path,
        env={**os.environ, "PATH": path},
        capture_output=True,
        text=True,
        check=False,
        encoding="utf-8",
    )
    assert done.returncode == 0, f"{code}\n{done.stdout}{done.stderr}"
