"""What CI does not see, it says."""

import shutil
import subprocess
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_ci_fails_where_no_browser_can_be_had(tmp_path: Path) -> None:
    """A machine without a browser whose package index does not answer."""
    commands = tmp_path / "bin"
    commands.mkdir()
    for name in ("bash", "dirname", "id", "mktemp", "rm", "cat", "env"):
        found = shutil.which(name)
        assert found is not None
        (commands / name).symlink_to(found)
    for name, content in (("apt-get", "exit 100"), ("make", 'echo "made $*"')):
        (commands / name).write_text(f"#!/bin/sh\n{content}\n")
        (commands / name).chmod(0o755)
    (tmp_path / "tree" / ".ci").mkdir(parents=True)
    shutil.copy(ROOT / ".ci" / "run", tmp_path / "tree" / ".ci")
    ended = subprocess.run(
        ["bash", str(tmp_path / "tree" / ".ci" / "run")],
        env={"PATH": str(commands), "HOME": str(tmp_path)},
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert "made" not in ended.stdout, "CI goes on without a browser, and its tests are skipped"
    assert ended.returncode != 0
    assert "chromium-driver" in ended.stderr
