"""MLflow: a parent run a flow, a child run a stage that is computed; a cached one is a line of its parent (hits.py).

Tracking never stops the work: a server that is down is said once, tried again now and then, and told what it missed; a
value that it refuses is dropped alone. The metrics stay beside the artifact (`record.json`, `metrics.jsonl`) in any
case. Run ids are passed on explicitly; MLflow's own "active run" is thread-local.
"""

import logging
import threading
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from uuid import uuid4

from pydantic import BaseModel, JsonValue

from infra.settings import Settings, without_credentials
from infra.store.history import Point
from infra.store.record import Record
from infra.tracking.batches import as_parameters, send, shown
from infra.tracking.connection import connect_runs, tracking_uri
from infra.tracking.headline import CONFIG, asked
from infra.tracking.hits import FILE, TAG, Hit, Hits, as_json, as_tag
from infra.tracking.left_open import LeftOpen
from infra.tracking.outbox import Note, Outbox, Points
from infra.tracking.values import MetricPoint, Parameter, Refused, Runs

logger = logging.getLogger(__name__)
PICTURES = frozenset({".png", ".svg"})
PARENT, SESSION = "mlflow.parentRunId", "stillhouse.session"


class Tracker:
    """One flow's view of the tracking server."""

    def __init__(self, settings: Settings, experiment: str, session: str | None = None) -> None:
        self.settings = settings
        self.experiment = experiment
        self.uri = tracking_uri(settings)
        self.session = session or uuid4().hex  # of the flow's runs, in whatever process they are made
        self._left_open = LeftOpen(settings, self.uri)
        self._open: set[str] = set()
        self._refused: set[str] = set()
        self._runs: Runs | None = None
        self._experiment_id = ""
        self._connecting = threading.Lock()
        self._outbox = Outbox(self.uri, self._connect)
        self._hits = Hits()

    def tags(self, parent: str | None) -> dict[str, str]:
        """What tells the runs of this flow from others, and whose child one is."""
        return {SESSION: self.session} | ({PARENT: parent} if parent else {})

    def start(
        self,
        name: str,
        parent: str | None = None,
        config: JsonValue = None,
        tags: Mapping[str, str] | None = None,
    ) -> str | None:
        """Open a run and return its id; None when tracking is down."""
        all_tags = {**self.tags(parent), **(tags or {})}
        run = self._outbox.ask(
            f"open the run {name}", lambda runs: runs.create(self._experiment_id, name, all_tags)
        )
        if run is not None:
            self._open.add(run)
            self._log_parameters(run, as_parameters(config))
        return run

    def start_flow(self, name: str, config: BaseModel, tags: Mapping[str, str]) -> str | None:
        """Open a flow's own run: what was asked of it as parameters, as far as they are few, and whole in `config.json`."""
        run = self.start(name, tags=tags)
        if run is not None:
            whole = config.model_dump_json() + "\n"
            self._log_parameters(run, asked(config))
            self._outbox.put(Note(f"keep {CONFIG}", lambda runs: runs.keep_text(run, whole, CONFIG)))
        return run

    def tag(self, run_id: str | None, tags: Mapping[str, str]) -> None:
        """Set tags of a run."""
        if run_id is not None:
            self._outbox.put(Note("set tags", lambda runs: runs.tag(run_id, tags)))

    def log(self, run_id: str | None, points: Iterable[Point]) -> None:
        """Log (name, value, step) points in as few calls as possible."""
        if run_id is not None:
            self._outbox.put(Points(run_id, self._send, _timed(points)))

    def log_file(self, run_id: str | None, path: Path, folder: str | None = None) -> None:
        """Keep a file as an artifact of a run."""
        if run_id is not None:
            self._outbox.put(Note(f"keep {path.name}", lambda runs: runs.keep(run_id, path, folder)))

    def log_pictures(self, run_id: str | None, folder: Path) -> None:
        """Keep the pictures of an artifact with the run that made it."""
        for path in sorted(folder.rglob("*")):
            if path.suffix in PICTURES:
                self.log_file(run_id, path, "plots")

    def end(self, run_id: str | None, status: str = "FINISHED") -> None:
        """Close a run as FINISHED, FAILED or KILLED: now, when the server is back, or by the next run."""
        if run_id is None:
            return
        self._open.discard(run_id)
        if hits := self._hits.take(run_id):
            self._outbox.put(Note("list what was cached", lambda runs: _tell(runs, run_id, hits)))
        arrived = threading.Event()

        def close(runs: Runs) -> None:
            runs.end(run_id, status)
            arrived.set()
            self._left_open.forget(run_id)

        self._outbox.put(Note("close a run", close))
        if not self._open:  # The last one: nothing comes after it.
            self._outbox.deliver(at_last=True)
        if not arrived.is_set():
            self._left_open.note(run_id, status)

    def end_killed(self, run_id: str | None) -> None:
        """Close a run whose process is gone, and those of its stages that are still open, as KILLED."""
        if run_id is None:
            return

        def close(runs: Runs) -> None:
            for killed in (*runs.still_open(self._experiment_id, PARENT, run_id), run_id):
                runs.end(killed, "KILLED")

        self._outbox.put(Note("close a killed run", close))

    def page(self, run_id: str | None) -> str:
        """Where a server's UI shows a run."""
        return f"{without_credentials(self.uri)}/#/experiments/{self._experiment_id}/runs/{run_id}"

    def flush(self) -> None:
        """Close what an unlucky request left open."""
        if self._runs is not None:
            self._outbox.put(Note("close runs that were made twice", self._close_unknown))
            self._outbox.deliver(at_last=True)

    def hit(self, run_id: str | None, record: Record) -> None:
        """A run was served what another run computed: a line in one tag of it, written when it ends."""
        if run_id is not None:
            self._hits.note(run_id, record)

    def no_hit(self, key: str) -> None:
        """What was a hit is computed after all."""
        self._hits.forget(key)

    def _log_parameters(self, run: str, parameters: Sequence[Parameter]) -> None:
        if parameters:
            self._outbox.put(Note("log parameters", lambda runs: self._send(runs, run, (), parameters)))

    def _send(
        self, runs: Runs, run: str, metrics: Sequence[MetricPoint], parameters: Sequence[Parameter] = ()
    ) -> None:
        """Log what the server is known to take."""
        wanted = [metric for metric in metrics if shown(metric) not in self._refused]
        send(runs, run, wanted, parameters, self._drop)

    def _drop(self, name: str, refused: Refused) -> None:
        """Say once that a value is not shown in MLflow."""
        if name not in self._refused:
            self._refused.add(name)
            logger.warning(
                "MLflow refuses %r (%s): it is not shown there. It is kept beside its artifact.",
                name, without_credentials(str(refused), self.uri)[:300],
            )  # fmt: skip

    def _close_unknown(self, runs: Runs) -> None:
        """Close this flow's runs that nobody has the id of: their making was asked for again, or their maker failed."""
        for run in runs.still_open(self._experiment_id, SESSION, self.session):
            if run not in self._open:
                runs.end(run, "KILLED")

    def _connect(self) -> Runs:
        with self._connecting:
            if self._runs is None:
                runs, self._experiment_id = connect_runs(self.settings, self.experiment)
                self._left_open.close_all(runs)
                self._runs = runs
            return self._runs


def _tell(runs: Runs, run: str, hits: Sequence[Hit]) -> None:
    """The hits of a run in its tag, all of them in a file where it has no room for them."""
    tag = as_tag(hits)
    if tag != (every := as_json(hits)):
        runs.keep_text(run, every, FILE)
    runs.tag(run, {TAG: tag})


def prepare_tracking() -> None:
    """Import MLflow's client ahead of its use, for a caller who has to wait for something else."""
    import infra.tracking.client  # noqa: F401


def _timed(points: Iterable[Point]) -> list[MetricPoint]:
    now = int(time.time() * 1000)
    return [MetricPoint(name, value, now, step) for name, value, step in points]
