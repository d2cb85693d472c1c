"""Two homes, one store, whole runs: what one machine computed is Cached on the other."""

import shutil
from pathlib import Path

import pytest

from infra.cli.command import main
from infra.errors import StoreError
from infra.settings import get_settings
from infra.store.artifacts import Store
from tests.infra.chain import COMPUTED, ChainConfig, ChainResult, chain, plan, word_file
from tests.infra.store.shared.conftest import SharedPlace

pytestmark = [pytest.mark.usefixtures("prefect_server"), pytest.mark.slow]


@pytest.fixture(autouse=True)
def _nothing_computed() -> None:
    COMPUTED.clear()


class Homes:
    """Switches the settings of this process between homes that share a store."""

    def __init__(self, root: Path, database: Path, patch: pytest.MonkeyPatch) -> None:
        self.root, self.database, self.patch = root, database, patch

    def use(self, name: str, **settings: str) -> Path:
        home = self.root / name
        if not home.exists():
            (home / "mlflow").mkdir(parents=True)
            shutil.copy(self.database, home / "mlflow" / "mlflow.db")
        self.patch.setenv("STILLHOUSE_HOME", str(home))
        for setting, value in settings.items():
            self.patch.setenv(setting, value)
        get_settings.cache_clear()
        return home


@pytest.fixture
def homes(tmp_path: Path, tracking_database: Path, monkeypatch: pytest.MonkeyPatch) -> Homes:
    yield Homes(tmp_path, tracking_database, monkeypatch)
    get_settings.cache_clear()


def states(result: ChainResult) -> list[str]:
    return [outcome.state for outcome in result.outcomes]


def test_two_homes_sharing_a_store_get_each_others_hits(
    place: SharedPlace, homes: Homes, capfd: pytest.CaptureFixture[str]
) -> None:
    homes.use("a", STILLHOUSE_STORE=place.url)
    first = chain(ChainConfig(word=place.url))
    homes.use("b")
    assert [line.state for line in plan(ChainConfig(word=place.url))] == ["hit", "hit", "action"]
    assert not (get_settings().artifacts).exists()
    second = chain(ChainConfig(word=place.url))
    assert (states(first), states(second)) == (["computed", "computed"], ["cached", "cached"])
    assert COMPUTED == ["spell", "repeat"]
    assert first.words == second.words
    assert "fetched" in capfd.readouterr().err
    more = chain(ChainConfig(word=place.url, times=3))
    homes.use("a")
    assert states(chain(ChainConfig(word=place.url, times=3))) == ["cached", "cached"]
    assert states(more) == ["computed", "computed"]


def test_what_stays_at_home_is_computed_on_each_machine_and_what_is_made_of_it_is_shared(
    homes: Homes, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    kept = {"STILLHOUSE_STORE": (tmp_path / "store").as_uri(), "STILLHOUSE_STORE_KEEP_HOME": "spell"}
    homes.use("a", **kept)
    first = chain(ChainConfig(word="kept"))
    assert states(chain(ChainConfig(word="kept"))) == ["cached", "cached"]
    assert [path.name for path in (tmp_path / "store").glob("artifacts/*")] == ["repeat"]
    homes.use("b", **kept)
    second = chain(ChainConfig(word="kept"))
    assert states(second) == ["computed", "cached"] and second.words == first.words
    assert main(["artifacts", "lineage", str(first.words and first.words.uri)]) == 0
    assert "spell" in capfd.readouterr().out


def test_a_run_whose_stages_are_all_in_the_home_asks_nothing(cloud: SharedPlace, homes: Homes) -> None:
    homes.use("a", STILLHOUSE_STORE=cloud.url)
    chain(ChainConfig(word="asks"))
    cloud.failing.arm(None)
    chain(ChainConfig(word="asks"))
    assert cloud.failing.requests == []


def test_what_was_computed_before_there_was_a_store_is_shared_at_its_next_hit(
    homes: Homes, tmp_path: Path
) -> None:
    homes.use("a")
    chain(ChainConfig(word="before"))
    homes.use("a", STILLHOUSE_STORE=(tmp_path / "store").as_uri())
    chain(ChainConfig(word="before"))
    homes.use("b")
    assert states(chain(ChainConfig(word="before"))) == ["cached", "cached"]


def test_a_changed_byte_in_the_store_is_found_said_and_recomputed(
    homes: Homes, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    homes.use("a", STILLHOUSE_STORE=(tmp_path / "store").as_uri())
    first = chain(ChainConfig())
    (words,) = (tmp_path / "store").glob("artifacts/repeat/*/*/words.txt")
    words.write_text("oneonX")
    home = homes.use("b")
    second = chain(ChainConfig())
    assert states(second) == ["cached", "computed"]
    assert "does not have the bytes of its record" in " ".join(capfd.readouterr().err.split())
    assert first.words == second.words
    assert word_file(home).read_text() == "oneone"
    homes.use("c")
    assert states(chain(ChainConfig())) == ["cached", "cached"]


def test_a_bounded_home_keeps_what_its_run_used(homes: Homes, tmp_path: Path) -> None:
    homes.use("a", STILLHOUSE_STORE=(tmp_path / "store").as_uri(), STILLHOUSE_STORE_CACHE_GB="0")
    chain(ChainConfig(word="first"))
    chain(ChainConfig(word="second"))
    store = Store(get_settings())
    kept = {record.config["word"] for record in store.records() if store.is_here(record)}
    assert kept == {"second"}
    assert states(chain(ChainConfig(word="first"))) == ["cached", "cached"]


def test_a_wrong_address_stops_the_run_with_the_remedy(homes: Homes) -> None:
    homes.use("a", STILLHOUSE_STORE="ftp://somewhere/else")
    with pytest.raises(StoreError, match="expected file:///path, gs://bucket/prefix or s3://bucket/prefix"):
        chain(ChainConfig())
    assert COMPUTED == []
