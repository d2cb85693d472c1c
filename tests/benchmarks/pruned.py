"""What pruning a trained student does to accuracy, size and latency: a line of a Markdown table for each, and its report.

    python -m tests.benchmarks.pruned CHECKPOINT OUTPUTS DATASET magnitude:0.5 movement:0.8 magnitude:0.8:32x32 ...

OUTPUTS are the teacher's (`.stillhouse/artifacts/teacher_outputs/KEY`), of which `--texts` are learned from in `--epochs`.
Accuracy is of the int8 graph on the whole test split; MB are of its files. Each graph is timed in turns with the dense one.
"""

import argparse
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq

from tasks.compression.distillation.config import PruneConfig
from tasks.compression.distillation.outputs import LOGITS, TEXTS, VECTORS
from tasks.compression.distillation.prune import PruneSources, prune_checkpoint
from tasks.compression.export.config import CompressConfig
from tasks.compression.export.export import export_onnx
from tasks.compression.export.ruled import answer_alone
from tasks.compression.quantization.quantize import quantize_onnx
from tasks.formats.dataset import load_split
from tasks.inference.onnx import OnnxRunner
from tasks.models.model import SentenceClassifier
from tests.benchmarks.pruning_report import report_pruning

QUERY = "What is the pin number for my account?"
HEADER = (
    "| pruned | zeros | accuracy int8 | MB int8 | latency / dense | zstd MB of the matrices | seconds of training |\n"
    "|---|---|---|---|---|---|---|"
)


def fewer(outputs: Path, texts: int, folder: Path) -> Path:
    """The first `texts` of the teacher's outputs: the training rows stand first."""
    folder.mkdir()
    pq.write_table(pq.read_table(outputs / TEXTS).slice(0, texts), folder / TEXTS)
    for name in (VECTORS, LOGITS):
        np.save(folder / name, np.load(outputs / name, mmap_mode="r")[:texts])
    return folder


def graph_of(checkpoint: Path, dataset: Path, folder: Path) -> Path:
    """The int8 graph of a checkpoint."""
    for name in ("onnx", "int8"):
        (folder / name).mkdir(parents=True)
    export_onnx(CompressConfig(), checkpoint, dataset, folder / "onnx")
    quantize_onnx(CompressConfig(), folder / "onnx", dataset, folder / "int8")
    return folder / "int8"


def asked_for(text: str, epochs: int) -> PruneConfig:
    """`method:sparsity[:ROWSxCOLUMNS]`; soft_movement takes its penalty for the sparsity."""
    method, amount, *block = text.split(":")
    rows, columns = (block[0] if block else "1x1").split("x")
    fields = {"method": method, "epochs": epochs, "block_rows": int(rows), "block_columns": int(columns)}
    return PruneConfig(**fields, **{"penalty" if method == "soft_movement" else "sparsity": float(amount)})


def main() -> None:
    """Print the table, then the reports."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    for name in ("checkpoint", "outputs", "dataset"):
        parser.add_argument(name, type=Path)
    parser.add_argument("pruned", nargs="+")
    parser.add_argument("--epochs", type=int, default=2)
    parser.add_argument("--texts", type=int, default=15_000)
    asked = parser.parse_args()
    test, reports = load_split(asked.dataset, "test"), []
    sys.stdout.write(HEADER + "\n")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        outputs = fewer(asked.outputs, asked.texts, folder / "outputs")
        dense = graph_of(asked.checkpoint, asked.dataset, folder / "dense")
        for text in asked.pruned:
            config, place = asked_for(text, asked.epochs), folder / text
            sources, began = PruneSources(asked.checkpoint, outputs, asked.dataset), time.monotonic()
            prune_checkpoint(config, sources, place / "out", place / "work", lambda values, step: None)
            seconds, graph = time.monotonic() - began, graph_of(place / "out", asked.dataset, place)
            body = SentenceClassifier.load(place / "out").body
            report = report_pruning(body, config.block, (dense, graph), [QUERY])
            reports.append(f"{text}: {report.text()}")
            answers = answer_alone(OnnxRunner(graph, threads=1), test.texts, graph).argmax(axis=1)
            sys.stdout.write(
                f"| {text} | {report.sparsity:.1%} | {(answers == test.labels).mean():.4f} | "
                f"{report.pruned_bytes / 1e6:.2f} | {report.latency_ratio} | {report.int8.zstd / 1e6:.2f} of "
                f"{report.int8.dense / 1e6:.2f} | {seconds:.0f} |\n"
            )
            sys.stdout.flush()
    sys.stdout.write("\n" + "\n\n".join(reports) + "\n")


if __name__ == "__main__":
    main()
