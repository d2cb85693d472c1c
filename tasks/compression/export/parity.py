"""Check parity: the exported graphs answer as PyTorch does, alone and in batches, short and long, or a ParityError.

Texts go in, not token ids, so the exported tokenizer is checked with the graph. The rule and the temperature of each
graph are applied to PyTorch's logits too: what is compared is the export, not two thresholds.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from tqdm import tqdm

from infra.errors import ParityError
from tasks.compression.export.config import ParityConfig
from tasks.compression.export.parity_report import Graph, Parity, ParityReport
from tasks.decision.rule import apply_rule
from tasks.decision.temperature import apply_temperature
from tasks.formats.checkpoint import load_info
from tasks.formats.dataset import load_split
from tasks.formats.onnx_folder import read_rule, read_temperature
from tasks.formats.report_file import write_report
from tasks.inference.onnx import OnnxRunner
from tasks.inference.pytorch import PytorchRunner
from tasks.inference.runner import Runner

SHOWN_CHARACTERS = 80


def check_parity(
    config: ParityConfig, checkpoint: Path, onnx: Path, onnx_int8: Path, dataset: Path, output_dir: Path
) -> dict[str, float]:
    """Compare both graphs with the checkpoint and write `report.json`, a ParityReport.

    Returns agreement and largest difference of each graph, the worse of both batch sizes. Raises ParityError with the
    worst text and the figures when a bound of `config` is passed.
    """
    info = load_info(checkpoint)
    texts = choose_texts(load_split(dataset, "test").texts, config.rows, info.max_length)
    reference = answer(PytorchRunner(checkpoint, accelerated=True), texts, config.batch_size)
    checks = []
    folders: dict[Graph, Path] = {"onnx": onnx, "onnx_int8": onnx_int8}
    for name, folder in folders.items():
        ruled = apply_rule(reference, read_rule(folder), info.out_of_scope_id)
        expected = apply_temperature(ruled, read_temperature(folder))
        runner = OnnxRunner(folder, threads=1)
        for size in (1, config.batch_size):
            checks.append(compare(name, size, texts, expected, answer(runner, texts, size)))
    for check in checks:
        require(check, config)
    report = ParityReport(
        longest_tokens=info.max_length,
        onnx_agreement_bound=config.onnx_agreement,
        onnx_difference_bound=config.onnx_difference,
        int8_agreement_bound=config.int8_agreement,
        int8_relative_difference_bound=config.int8_difference,
        checks=tuple(checks),
    )
    write_report(output_dir, report)
    return {
        f"{name}_{figure}": float(worst(getattr(check, figure) for check in checks if check.name == name))
        for name in folders
        for figure, worst in (("agreement", min), ("difference", max), ("relative_difference", max))
    }


def choose_texts(texts: Sequence[str], rows: int, max_length: int) -> list[str]:
    """At most `rows` texts spread evenly over `texts`, then the edges: no word, one, the longest, one cut short."""
    chosen = [texts[i] for i in np.unique(np.linspace(0, len(texts) - 1, rows).astype(int))]
    words = " ".join(texts[: 2 * max_length]).split()
    endless = " ".join(words * (2 * max_length // len(words) + 1))
    return [*chosen, "", words[0], max(texts, key=len), endless]


def answer(runner: Runner, texts: Sequence[str], batch_size: int) -> np.ndarray:
    """Logits float32 [n, classes] of `texts` in batches as they come, so that short texts are padded to long ones."""
    starts = tqdm(range(0, len(texts), batch_size), f"compare, batch {batch_size}", leave=False, disable=None)
    return np.concatenate([runner.logits(texts[start : start + batch_size]) for start in starts])


def compare(
    name: Graph,
    batch_size: int,
    texts: Sequence[str],
    expected: np.ndarray,
    found: np.ndarray,
) -> Parity:
    """Figures of `found` against `expected`, both float32 [n, classes]. NaN counts as an infinite difference.

    The range that a difference is held against is the median text's: the logits of a single text of three classes may
    all be nearly equal, and any difference is large beside them.
    """
    difference = np.nan_to_num(np.abs(found - expected), nan=np.inf).max(axis=1)
    worst = int(difference.argmax())
    return Parity(
        name=name,
        batch_size=batch_size,
        texts=len(texts),
        agreement=float((found.argmax(axis=1) == expected.argmax(axis=1)).mean()),
        difference=float(difference[worst]),
        relative_difference=float(difference[worst] / max(np.median(np.ptp(expected, axis=1)), 1e-6)),
        worst_text=texts[worst][:SHOWN_CHARACTERS],
    )


def require(check: Parity, config: ParityConfig) -> None:
    """Raise ParityError when a figure passes its bound."""
    if check.name == "onnx":
        agreement, difference, bound = config.onnx_agreement, check.difference, config.onnx_difference
        remedy = (
            "The export is wrong: look at what changed in torch, transformers or onnxruntime (make check)."
        )
    else:
        agreement, bound = config.int8_agreement, config.int8_difference
        difference = check.relative_difference
        remedy = "Quantize without embeddings, or allow more by the bounds under compress.parity."
    if check.agreement >= agreement and difference <= bound:
        return
    raise ParityError(
        f"{check.name} at batch {check.batch_size} gives PyTorch's answer on {check.agreement:.4f} of {check.texts} "
        f"texts (expected at least {agreement}), and its largest difference is {difference:.3g} (expected at most "
        f"{bound}), at {check.worst_text!r}. {remedy}"
    )
