"""`make bench`: the newest release beside what else one could use, measured in one run, written to docs/BENCHMARKS.md.

    python -m tests.benchmarks                  the newest release of STILLHOUSE_HOME (make one with `make demo`)
    python -m tests.benchmarks --quick          a few rounds, to see that it works; the page goes to the home
    python -m tests.benchmarks --package 61086b a package that was not released

Rows that are not from the release's own run are trained on its data set the first time, some twenty minutes on two cores,
five of them fastText's autotune, and kept in STILLHOUSE_HOME/work/bench.
"""

import argparse
import sys
from pathlib import Path

import onnx

from infra.errors import StillhouseError
from infra.settings import get_settings
from infra.store.artifacts import Store
from tasks.evaluation.latency.config import BenchmarkConfig
from tasks.formats.model_folder import graph_file, kind_of
from tasks.formats.onnx_folder import read_tokenizer
from tasks.inference.exported import encode
from tests.benchmarks.contenders import contenders
from tests.benchmarks.figures import ROOT, save_figures
from tests.benchmarks.kept import Kept
from tests.benchmarks.limit import limit_of, measure_machine
from tests.benchmarks.page import Benchmarks, Floor, page
from tests.benchmarks.release import find_release
from tests.benchmarks.rows import Contender, make_rows
from tests.benchmarks.side_by_side import side_by_side
from tests.benchmarks.work import count_work, holds_int8, observe_shapes

PAGE = ROOT / "docs" / "BENCHMARKS.md"
QUERY = "What is the pin number for my account?"
FULL = BenchmarkConfig(query=QUERY, warmups=5, timed=30, rounds=15, throughput_rows=512, tried=30)
QUICK = BenchmarkConfig(query=QUERY, warmups=1, timed=5, rounds=6, throughput_rows=32, tried=3)


def main(arguments: list[str]) -> int:
    """Make what is missing, measure, write the page, print where it is."""
    asked = _parser().parse_args(arguments)
    config = QUICK if asked.quick else FULL
    try:
        store = Store(get_settings())
        material = find_release(store, asked.package)
        kept = Kept(store.settings.work / "bench", lambda name: print(f"making {name}", file=sys.stderr))
        rows = make_rows(store, material, kept, contenders(material, kept))
        floors = tuple(floor for row in rows.made if (floor := floor_of(row)) is not None)
        folders = {row.name: row.folder for row in rows.made}
        found = side_by_side(config, folders, material.teacher.folder, material.dataset.folder)
    except StillhouseError as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
        return 2
    measured = Benchmarks(found=found, rows=rows, floors=floors)
    if asked.quick or asked.page:
        target = asked.page or kept.root / PAGE.name
        target.write_text(page(measured), encoding="utf-8")
    else:
        target = PAGE
        save_figures(ROOT, "benchmarks.json", measured)
    print(target)
    return 0


def floor_of(row: Contender) -> Floor | None:
    """What the query asks of the row's graph and what this machine can do; None for a row that is no ONNX graph in int8."""
    if kind_of(row.folder) != "onnx":
        return None
    model, feeds = onnx.load(graph_file(row.folder)), encode(read_tokenizer(row.folder), [QUERY])
    if not holds_int8(model.graph):
        return None  # the limit is that of products of int8
    work, tokens = count_work(model, observe_shapes(model, feeds)), feeds["input_ids"].shape[1]
    machine = measure_machine(work.weight_bytes, tokens)
    return Floor(row.name, tokens, work, machine, limit_of(work, machine))


def _parser() -> argparse.ArgumentParser:
    text = (__doc__ or "").replace("`make bench`: ", "")
    parser = argparse.ArgumentParser(
        "python -m tests.benchmarks", description=text, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="few rounds, figures of no worth")
    parser.add_argument("--package", help="first digits of the key of a package (artifacts/package/...)")
    parser.add_argument("--page", type=Path, help="where the page is written; default: docs/BENCHMARKS.md")
    return parser


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
