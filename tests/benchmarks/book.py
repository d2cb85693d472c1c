"""One student in every form: the rows of the book's chapter on making transformers efficient, with our figures.

    python -m tests.benchmarks.book             of the newest release, into docs/COMPRESSION.md and its picture
    python -m tests.benchmarks.book --quick     few rounds and little training, to see that it works

What the release's run has not made is trained here, half an hour on two cores the first time, and kept in
STILLHOUSE_HOME/work/bench.
"""

import argparse
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from infra.errors import ArtifactError, StillhouseError
from infra.settings import get_settings
from infra.store.artifacts import Store
from tasks.compression.distillation.config import DistillConfig, PruneConfig
from tasks.compression.distillation.prune import PruneSources, prune_checkpoint
from tasks.compression.distillation.student import Sources, train_student
from tasks.compression.export.config import CompressConfig
from tasks.compression.export.export import export_onnx
from tasks.compression.pruning.config import Method
from tasks.compression.quantization.config import QatConfig, QuantizationConfig
from tasks.compression.quantization.passes import choose_own_rule, quantize_with
from tasks.compression.quantization.quantize import quantize_onnx
from tasks.compression.quantization.self_distillation import Texts, train_for_int8
from tasks.compression.quantization.torch_dynamic import quantize_checkpoint
from tasks.formats.dataset import load_split
from tasks.models.pretrained.files import WEIGHTS
from tests.benchmarks.__main__ import FULL, QUICK
from tests.benchmarks.affine_plot import largest_matrix, plot_quantization
from tests.benchmarks.book_page import Compression, page
from tests.benchmarks.book_plot import plot
from tests.benchmarks.figures import ROOT, save_figures
from tests.benchmarks.kept import Kept
from tests.benchmarks.release import Material, find_release
from tests.benchmarks.rows import Contender, Line, Stands, empty_work, make_rows, silent
from tests.benchmarks.side_by_side import SideBySide, side_by_side

DOCS = ROOT / "docs"
PRUNED: tuple[tuple[Method, float], ...] = (
    ("magnitude", 0.5),
    ("magnitude", 0.8),
    ("movement", 0.5),
    ("movement", 0.8),
)


@dataclass(frozen=True)
class Effort:
    """Epochs of what is trained here; `fine_tuned`: as many as the student had."""

    pruning: int = 2
    qat: int = 2
    fine_tuned: int | None = None


def book(material: Material, kept: Kept, effort: Effort) -> Iterator[Line | Stands]:
    """The rows, in the book's order."""
    student, data = material.student, material.dataset.folder
    if not isinstance(material.asked, dict) or "dimensions" in material.asked:
        raise ArtifactError(
            "the release is a bag of token vectors: expected a student with layers, for most rows are made from one. Name "
            "another package by --package."
        )
    asked = DistillConfig.model_validate(material.asked)
    plain = asked.model_copy(update={"alpha": 1.0, "beta": 0.0, "epochs": effort.fine_tuned or asked.epochs})
    sources = Sources(material.teacher.folder, material.outputs.folder, material.tokenizer.folder, data)
    share = material.expected_share
    yield Stands("teacher", "PyTorch", "MiniLM fine-tuned", material.teacher)
    yield Line("fine_tuned", "PyTorch", "the student's shape and start, trained on the labels alone (alpha 1)", plain,
               (material.teacher, material.outputs, material.tokenizer, material.dataset),
               lambda out: train_student(plain, sources, out, empty_work(kept), silent))  # fmt: skip
    yield Stands("distilled", "PyTorch", "the student, distilled", student)
    yield Line("torch_int8", "PyTorch", "distilled, PyTorch dynamic int8", None, (student,),
               lambda out: quantize_checkpoint(student.folder, out, embeddings=False))  # fmt: skip
    yield Stands("onnx", "ONNX Runtime", "distilled, ONNX float32", material.onnx)
    int8 = CompressConfig(expected_share=share)
    yield Line("onnx_int8", "ONNX Runtime", "distilled, dynamic int8", int8, (material.onnx, material.dataset),
               lambda out: quantize_onnx(int8, material.onnx.folder, data, out))  # fmt: skip
    static = QuantizationConfig(method="static")
    yield Line("static_int8", "ONNX Runtime", "distilled, static int8 (QDQ)", static, (material.onnx, material.dataset),
               lambda out: make_static(static, material, out))  # fmt: skip
    qat = QuantizationConfig(method="qat", qat=QatConfig(epochs=effort.qat))
    yield Line("qat_int8", "ONNX Runtime", "distilled, trained for int8, dynamic int8", qat, (student, material.dataset),
               lambda out: make_qat(qat, material, out, empty_work(kept)))  # fmt: skip
    for method, sparsity in PRUNED:
        config = PruneConfig(method=method, sparsity=sparsity, epochs=effort.pruning)
        yield Line(f"{method}_{100 * sparsity:.0f}", "ONNX Runtime", f"distilled, {sparsity:.0%} pruned by {method}, "
                   "dynamic int8", config, (student, material.outputs, material.dataset),
                   lambda out, config=config: make_pruned(config, material, out, empty_work(kept)))  # type: ignore[misc]  # fmt: skip
    yield Stands("released", "ONNX Runtime", "the release", material.released)


def make_static(config: QuantizationConfig, material: Material, output_dir: Path) -> Mapping[str, float]:
    """Static int8 of the student's graph, with a rule of its own."""
    texts = load_split(material.dataset.folder, "train").texts
    quantize_with(config, material.onnx.folder, texts, output_dir)
    return choose_own_rule(output_dir, material.dataset.folder, material.expected_share)


def make_qat(
    config: QuantizationConfig, material: Material, output_dir: Path, work: Path
) -> Mapping[str, float]:
    """The student trained on with fake quantization, then dynamic int8."""
    splits = (load_split(material.dataset.folder, name).texts for name in ("train", "validation"))
    (checkpoint := output_dir / "steps" / "checkpoint").mkdir(parents=True)
    metrics = train_for_int8(config, material.student.folder, Texts(*splits), checkpoint, work, silent)
    return {**metrics, **to_int8(checkpoint, material, output_dir)}


def make_pruned(config: PruneConfig, material: Material, output_dir: Path, work: Path) -> Mapping[str, float]:
    """The student pruned while it goes on learning from the teacher, then dynamic int8."""
    sources = PruneSources(material.student.folder, material.outputs.folder, material.dataset.folder)
    (checkpoint := output_dir / "steps" / "checkpoint").mkdir(parents=True)
    metrics = prune_checkpoint(config, sources, checkpoint, work, silent)
    return {**metrics, **to_int8(checkpoint, material, output_dir)}


def to_int8(checkpoint: Path, material: Material, output_dir: Path) -> Mapping[str, float]:
    """Export and quantize a checkpoint into `output_dir`."""
    config, onnx = CompressConfig(expected_share=material.expected_share), output_dir / "steps" / "onnx"
    onnx.mkdir()
    export_onnx(config, checkpoint, material.dataset.folder, onnx)
    return quantize_onnx(config, onnx, material.dataset.folder, output_dir)


def main(arguments: Sequence[str]) -> int:
    """Make what is missing, measure, write page and picture."""
    parser = argparse.ArgumentParser(
        "python -m tests.benchmarks.book",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--quick", action="store_true", help="few rounds, figures of no worth")
    parser.add_argument("--package", help="first digits of the key of a package (artifacts/package/...)")
    parser.add_argument("--docs", type=Path, help="the folder that is written to; default: docs")
    asked = parser.parse_args(arguments)
    try:
        store = Store(get_settings())
        material = find_release(store, asked.package)
        kept = Kept(store.settings.work / "bench", lambda name: print(f"making {name}", file=sys.stderr))
        lines = book(material, kept, Effort(1, 1, 1) if asked.quick else Effort())
        rows = make_rows(store, material, kept, lines)
        found = measure(rows.made, material, asked.quick)
    except StillhouseError as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
        return 2
    docs, measured = (
        asked.docs or (kept.root if asked.quick else DOCS),
        Compression(found=found, rows=rows),
    )
    (docs / "images").mkdir(parents=True, exist_ok=True)
    plot(found, rows.made, docs / "images" / "compression.png")
    weights = material.student.folder / WEIGHTS
    plot_quantization(weights, largest_matrix(weights), docs / "images" / "affine.png")
    if docs == DOCS:
        save_figures(ROOT, "compression.json", measured)
    else:
        (docs / "COMPRESSION.md").write_text(page(measured), encoding="utf-8")
    print(docs / "COMPRESSION.md")
    return 0


def measure(rows: Sequence[Contender], material: Material, quick: bool) -> SideBySide:
    """All rows beside the yardstick in one run."""
    folders = {row.name: row.folder for row in rows}
    return side_by_side(QUICK if quick else FULL, folders, material.teacher.folder, material.dataset.folder)


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
