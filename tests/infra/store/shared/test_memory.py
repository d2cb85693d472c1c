"""Memory of an upload and a download: some parts of a file, never the file."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from infra.store.shared.bucket import PARALLEL
from tests.infra.store.shared.conftest import SharedPlace
from tests.infra.store.shared.machines import PART_MIB, Machine

pytestmark = [pytest.mark.slow, pytest.mark.whole_runs]

PATTERN = "0123456789abcdef"
COPIES = 4  # of a part under way: what was read, what the client makes of it, what the socket holds, and room
PROGRAM = """
import sys
from pathlib import Path
from tests.infra.store.shared.machines import Machine

def peak():  # Not getrusage's: that begins with the peak of the process that started this one.
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) * 1024

a, b = (Machine(Path(home), sys.argv[1]) for home in sys.argv[2:])
small, large = sorted(a.store.records(), key=lambda record: record.files["model.bin"].size)
up, down = a.remote(), b.remote()
up.push(small)
down.fetch(small.stage, small.key)
before = peak()
up.push(large)
sent = peak()
assert down.fetch(large.stage, large.key).record
print(sent - before, peak() - before)
"""


def test_a_large_file_is_carried_in_the_memory_of_a_few_parts(
    cloud: SharedPlace, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    a = Machine(tmp_path / "a", cloud.url)
    a.make({"model.bin": PATTERN}, "small")
    large = a.make({"model.bin": PATTERN * 19_000_000}, "large")  # 304 MB: 58 parts
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, cloud.url, str(a.home), str(tmp_path / "b")],
        env=os.environ.copy(),
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    upload, both = map(int, done.stdout.split())
    with capsys.disabled():
        print(
            f"\n{cloud.url[:2]}: 304 MB up with {upload / 1e6:.0f} MB of memory, and down with {both / 1e6:.0f}"
        )
    assert both <= PARALLEL * (PART_MIB << 20) * COPIES
    found = Machine(tmp_path / "b", cloud.url).here(large)
    assert found is not None
    assert found.digest == large.digest
