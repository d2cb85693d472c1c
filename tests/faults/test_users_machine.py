"""A user's own Prefect and a user's own operating system."""

import http.server
import json
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults.processes import python
from tests.infra.ports import free_ports

pytestmark = pytest.mark.slow  # programs, servers or tables of keys, each in a process of its own

WITHOUT_AFFINITY = """
import os
if hasattr(os, "sched_getaffinity"):
    del os.sched_getaffinity  # as on macOS
from infra.cli.doctor import check_cpu
print([check.found for check in check_cpu([]) if check.name == "cores"])
"""
FLOW = """
from infra.machine import environment
environment.prepare()
from infra.machine.prefect_server import temporary_server
from infra.settings import get_settings

with temporary_server(get_settings(), lambda: None):
    from prefect.settings import PREFECT_API_URL
    print(PREFECT_API_URL.value())
"""


class _Healthy(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()
        self.wfile.write(json.dumps(True).encode())

    def log_message(self, format: str, *arguments: object) -> None:
        """Nothing: the test's output is its own."""


@pytest.fixture
def own_server() -> Iterator[str]:
    """The API address of a server that says it is well."""
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Healthy) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/api"
        server.shutdown()


def profiles(user: Path, active: str, **urls: str) -> Path:
    """A user's home folder with Prefect profiles, as `prefect profile create` and `prefect config set` leave it."""
    sections = [f'[profiles.{name}]\nPREFECT_API_URL = "{url}"\n' for name, url in urls.items()]
    (user / ".prefect").mkdir(parents=True)
    (user / ".prefect" / "profiles.toml").write_text("\n".join([f'active = "{active}"', *sections]))
    return user


def test_doctor_counts_cores_where_there_is_no_affinity(tmp_path: Path) -> None:
    done = python(tmp_path, WITHOUT_AFFINITY)
    assert done.returncode == 0, done.stderr
    assert "usable by this process" in done.stdout


def test_the_server_of_the_users_prefect_profile_is_used(own_server: str, tmp_path: Path) -> None:
    user = profiles(tmp_path / "user", "work", work=own_server)
    done = python(tmp_path / "home", FLOW, HOME=str(user))
    assert done.stdout.strip() == own_server, done.stderr
    assert not (tmp_path / "home" / "logs").exists()  # No temporary server was started.
    assert [path.name for path in (user / ".prefect").iterdir()] == ["profiles.toml"]


def test_the_profile_that_is_asked_for_by_name_is_used(own_server: str, tmp_path: Path) -> None:
    user = profiles(tmp_path / "user", "work", work="http://127.0.0.1:9/api", other=own_server)
    done = python(tmp_path / "home", FLOW, HOME=str(user), PREFECT_PROFILE="other")
    assert done.stdout.strip() == own_server, done.stderr


def test_a_silent_server_of_a_profile_is_named_with_the_way_out(tmp_path: Path) -> None:
    (port,) = free_ports(1)
    user = profiles(tmp_path / "user", "work", work=f"http://127.0.0.1:{port}/api")
    done = python(tmp_path / "home", FLOW, HOME=str(user))
    assert f"http://127.0.0.1:{port}/api, where nothing answers" in done.stderr
    assert "profile work" in done.stderr
    assert "PREFECT_PROFILE=ephemeral" in done.stderr
