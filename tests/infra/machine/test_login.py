"""The login of our own Prefect servers: whose file it is, who sends it, and whose it does not replace."""

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from infra.errors import ServiceError
from infra.machine.environment import Services
from infra.machine.login import login_file, make_login, read_login
from infra.machine.processes import Child
from infra.settings import Settings

OURS, OTHER = "http://127.0.0.1:9/api", "https://prefect.example.org/api"
SENT = """
import os
from infra.machine import environment
environment.prepare()
print(*(os.environ.get(f"PREFECT_API_{name}") for name in ("URL", "AUTH_STRING", "KEY")))
"""


def test_the_file_is_its_owner_s_alone_whatever_the_umask(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path / "home")
    before = os.umask(0)
    try:
        made = make_login(settings)
    finally:
        os.umask(before)
    assert login_file(settings).stat().st_mode & 0o777 == 0o600
    assert len(made) >= 32
    assert make_login(settings) == read_login(settings) == made


def test_all_who_make_it_at_once_have_the_same(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path / "home")
    with ThreadPoolExecutor(8) as pool:
        assert len(set(pool.map(lambda _: make_login(settings), range(8)))) == 1


def test_one_that_others_could_read_is_made_anew(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path / "home")
    seen = make_login(settings)
    login_file(settings).chmod(0o644)
    assert make_login(settings) != seen
    assert login_file(settings).stat().st_mode & 0o777 == 0o600


def test_one_that_is_gone_while_the_servers_run_is_named_with_the_remedy(tmp_path: Path) -> None:
    with pytest.raises(ServiceError, match="down"):
        read_login(Settings(home=tmp_path))


@pytest.mark.parametrize(
    ("own", "asks", "sent"),
    [
        ({}, True, f"{OURS} HOME None"),
        ({"AUTH_STRING": "old", "KEY": "pnu_1"}, True, f"{OURS} HOME None"),
        ({"URL": OURS}, True, f"{OURS} HOME None"),
        ({"URL": OTHER, "AUTH_STRING": "mine", "KEY": "pnu_1"}, True, f"{OTHER} mine pnu_1"),
        ({}, False, f"{OURS} None None"),
    ],
    ids=["up", "a key of another server", "up by its address", "a server of the user's", "an older up"],
)
def test_flows_send_it_to_the_server_of_up_and_to_no_other(
    own: dict[str, str], asks: bool, sent: str, tmp_path: Path
) -> None:
    settings = Settings(home=tmp_path / "home")
    login = make_login(settings)
    services = Services(
        **Child.of(os.getpid()).model_dump(), prefect_api_url=OURS, mlflow_tracking_uri="http://x"
    )
    told = services.model_copy(update={"login": True}) if asks else services
    settings.services_file.write_text(told.model_dump_json(exclude=None if asks else {"login"}))
    clean = {name: value for name, value in os.environ.items() if not name.startswith("PREFECT_")}
    clean |= {"STILLHOUSE_HOME": str(settings.home)} | {
        f"PREFECT_API_{name}": value for name, value in own.items()
    }
    done = subprocess.run([sys.executable, "-c", SENT], env=clean, capture_output=True, text=True)
    assert done.stdout.strip() == sent.replace("HOME", login), done.stderr
