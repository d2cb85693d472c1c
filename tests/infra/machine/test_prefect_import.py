"""Prefect's settings are the environment's and the user's profile's, whatever lies in the working folder."""

import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[3]
# Read at the import, copied as `temporary_settings` does, and made anew.
ASKED = """
import json
from infra.machine.environment import prepare
from infra.machine.prefect_import import import_prefect
prepare(), import_prefect(), import_prefect()
from prefect.settings import PREFECT_API_URL, PREFECT_LOGGING_LEVEL, Settings, get_current_settings, temporary_settings
with temporary_settings({PREFECT_LOGGING_LEVEL: "ERROR"}):
    copied = PREFECT_API_URL.value()
now = get_current_settings()
print(json.dumps([now.api.url, copied, Settings().api.url, str(now.logging.config_path), str(now.profiles_path)]))
"""
FILES = {
    "prefect.toml": '[api]\nurl = "http://toml.example/api"\n[logging]\nconfig_path = "evil.yml"\n',
    "pyproject.toml": '[tool.prefect]\nprofiles_path = "evil.toml"\n[tool.prefect.api]\nurl = "http://tool.example/api"\n',
    ".env": "PREFECT_API_URL=http://env.example/api\nPREFECT_PROFILES_PATH=evil.toml\n",
}


def asked(folder: Path, user: Path, **variables: str) -> list[str | None]:
    folder.mkdir()
    for name, text in FILES.items():
        (folder / name).write_text(text)
    user.mkdir(exist_ok=True)
    environment = {"PATH": "/usr/bin:/bin", "PYTHONPATH": str(ROOT), "HOME": str(user), **variables}
    done = subprocess.run(
        [sys.executable, "-P", "-c", ASKED], cwd=folder, env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0 and "Warning" not in done.stderr, done.stderr
    answer: list[str | None] = json.loads(done.stdout)
    assert answer[0] == answer[1] == answer[2]
    assert "evil" not in str(answer)
    return answer


def test_files_of_the_folder_set_nothing(tmp_path: Path) -> None:
    assert asked(tmp_path / "data", tmp_path / "user")[0] is None


def test_the_user_s_profile_counts_as_before(tmp_path: Path) -> None:
    profile = tmp_path / "user" / ".prefect" / "profiles.toml"
    profile.parent.mkdir(parents=True)
    profile.write_text('active = "work"\n[profiles.work]\nPREFECT_API_URL = "http://work.example/api"\n')
    assert asked(tmp_path / "data", tmp_path / "user")[0] == "http://work.example/api"


def test_the_environment_counts_as_before_and_its_relative_paths_are_the_folder_s(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    answer = asked(folder, tmp_path / "user", PREFECT_API_URL="http://mine.example/api", PREFECT_HOME="mine")
    assert answer[0] == "http://mine.example/api"
    assert answer[4] == str(folder / "mine" / "profiles.toml")
