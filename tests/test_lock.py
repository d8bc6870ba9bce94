"""A lock holds between processes and ends with the process that holds it."""

import subprocess
import sys
from pathlib import Path

from hrnet.files import exclusive

HOLD = """
import sys, time
from pathlib import Path
from hrnet.files import exclusive
with exclusive(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(60)
"""


def test_a_lock_ends_with_its_process(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    holder = subprocess.Popen([sys.executable, "-c", HOLD, str(path)], stdout=subprocess.PIPE)
    assert holder.stdout
    assert holder.stdout.readline() == b"held\n"
    waited = []

    def stop_the_holder() -> None:
        waited.append(True)
        holder.kill()
        holder.communicate()

    with exclusive(path, stop_the_holder):
        assert waited


def test_a_free_lock_is_taken_at_once(tmp_path: Path) -> None:
    for _ in range(2):
        with exclusive(tmp_path / "lock", lambda: (_ for _ in ()).throw(AssertionError)):
            pass
