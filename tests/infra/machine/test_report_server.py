"""Reports over http: whoever has the link reads them; nothing else of the home is served, and nobody else is."""

from pathlib import Path

import pytest
from starlette.testclient import TestClient

from infra.machine.report_address import report_address, report_key
from infra.machine.report_server import make_app
from infra.settings import Settings


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    made = Settings(home=tmp_path / "home")
    run = made.reports / "one"
    run.mkdir(parents=True)
    (run / "report.html").write_text("<h1>one</h1>")
    (run / "search.db").write_text("a study")
    (made.reports / "index.html").write_text("all runs")
    (made.reports / "latest").symlink_to("one")
    plots = made.artifacts / "evaluate" / "key"
    plots.mkdir(parents=True)
    (plots / "curve.png").write_bytes(b"png")
    (plots / "rows.json").write_text("rows")
    (made.home / "secret.html").write_text("secret")
    return made


@pytest.fixture
def client(settings: Settings) -> TestClient:
    return TestClient(make_app(settings), base_url=f"http://127.0.0.1:{settings.reports_port}")


def test_a_link_opens_the_page_of_a_run_and_its_pictures_and_the_index(
    settings: Settings, client: TestClient
) -> None:
    page = report_address(settings, "one/report.html")
    assert client.get(page).text == "<h1>one</h1>"
    assert client.get(report_address(settings, "latest/report.html")).text == "<h1>one</h1>"
    assert client.get(report_address(settings)).text == "all runs"
    picture = client.get(page.replace("reports/one/report.html", "artifacts/evaluate/key/curve.png"))
    assert picture.content == b"png"


def test_no_page_is_kept_in_a_cache_or_tells_its_address_to_another_site(
    settings: Settings, client: TestClient
) -> None:
    headers = client.get(report_address(settings, "one/report.html")).headers
    assert headers["referrer-policy"] == "no-referrer" and headers["cache-control"] == "no-store"


@pytest.mark.parametrize(
    "path",
    [
        "one/search.db",
        "../secret.html",
        "..%2Fsecret.html",
        "%2e%2e/secret.html",
        "nothing.html",
        "one",
    ],
)
def test_other_files_of_the_home_are_not_served(settings: Settings, client: TestClient, path: str) -> None:
    answer = client.get(report_address(settings, path))
    assert answer.status_code == 404 and "secret" not in answer.text


def test_of_artifacts_only_pictures_are_served(settings: Settings, client: TestClient) -> None:
    key = report_key(settings)
    assert client.get(f"/{key}/artifacts/evaluate/key/rows.json").status_code == 404


@pytest.mark.parametrize("key", ["", "0" * 32, "reports"])
def test_without_the_key_nothing_is_told_but_where_links_are(client: TestClient, key: str) -> None:
    answer = client.get(f"/{key}/reports/one/report.html")
    assert answer.status_code == 404 and "stillhouse status" in answer.text


def test_another_site_that_names_itself_this_machine_is_not_let_in(
    settings: Settings, client: TestClient
) -> None:
    page = report_address(settings, "one/report.html")
    assert client.get(page, headers={"Host": "evil.example"}).status_code == 400


def test_the_key_is_the_homes_own(settings: Settings, tmp_path: Path) -> None:
    assert report_key(settings) == report_key(settings)
    assert report_key(settings) != report_key(Settings(home=tmp_path / "other"))
