"""What each cut of a trained student costs and saves, without training: one line of a Markdown table for each.

    python -m tests.benchmarks.shrink CHECKPOINT DATASET [vocabulary[:rank] ...]

`5000` cuts the vocabulary to 5,000 tokens, `5000:128` factorises its embeddings to 128 as well, `0:128` does that alone.
MB are of the int8 graph with its tokenizer and configuration. Accuracy is on the whole test split with the rule in the
graph; agreement is with the uncut checkpoint, by plain argmax in float32 and in int8.
"""

import argparse
import sys
import tempfile
from pathlib import Path

import numpy as np
from sklearn.metrics import roc_auc_score

from tasks.compression.export.config import CompressConfig
from tasks.compression.export.export import export_onnx
from tasks.compression.export.ruled import answer_alone
from tasks.compression.quantization.quantize import quantize_onnx
from tasks.compression.trimming.config import SizeConfig
from tasks.compression.trimming.shrink import shrink
from tasks.decision.rule import score
from tasks.formats.checkpoint import load_info
from tasks.formats.dataset import Split, load_split
from tasks.formats.model_files import inference_bytes
from tasks.formats.onnx_folder import read_rule
from tasks.inference.onnx import OnnxRunner
from tasks.models.inference import answer_texts
from tasks.models.loading import load_tokenizer
from tasks.models.model import SentenceClassifier

HEADER = (
    "| tokens | rank | parameters | agreement float32 | accuracy float32 | int8 MB | accuracy int8 | AUROC int8 |\n"
    "|---|---|---|---|---|---|---|---|"
)


def logits_of(checkpoint: Path, texts: list[str]) -> np.ndarray:
    """Float32 logits of a checkpoint."""
    model = SentenceClassifier.load(checkpoint)
    return answer_texts(model, load_tokenizer(checkpoint), texts, load_info(checkpoint).max_length).logits


def measured(checkpoint: Path, dataset: Path, test: Split, folder: Path) -> tuple[float, float, float, float]:
    """Accuracy of the float32 graph; megabytes, accuracy and AUROC of the out-of-scope rule's score of the int8 one."""
    onnx, int8 = folder / "onnx", folder / "int8"
    for graph in (onnx, int8):
        graph.mkdir()
    export_onnx(CompressConfig(), checkpoint, dataset, onnx)
    quantize_onnx(CompressConfig(), onnx, dataset, int8)
    answers = [answer_alone(OnnxRunner(graph, threads=1), test.texts, graph) for graph in (onnx, int8)]
    accuracies = [float((logits.argmax(axis=1) == test.labels).mean()) for logits in answers]
    rule, outside = read_rule(int8), load_info(checkpoint).out_of_scope_id
    auroc = float("nan")
    if rule is not None and outside is not None:
        auroc = float(roc_auc_score(test.labels != outside, score(answers[1], outside, rule.score)))
    return accuracies[0], inference_bytes(int8) / 1e6, accuracies[1], auroc


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("dataset", type=Path)
    parser.add_argument("cuts", nargs="*", default=["8000", "5000", "4000", "3000"])
    parser.add_argument("--alike", action="store_true", help="factorise without counting tokens")
    asked = parser.parse_args()
    test = load_split(asked.dataset, "test")
    before = logits_of(asked.checkpoint, test.texts).argmax(axis=1)
    sys.stdout.write(HEADER + "\n")
    for cut in ["0", *asked.cuts]:
        tokens, rank = (int(part) or None for part in f"{cut}:0".split(":")[:2])
        config = SizeConfig(vocabulary_size=tokens, embedding_rank=rank, count_tokens=not asked.alike)
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            found = shrink(config, asked.checkpoint, asked.dataset, folder / "cut")
            same = (logits_of(folder / "cut", test.texts).argmax(axis=1) == before).mean()
            whole, size, accuracy, auroc = measured(folder / "cut", asked.dataset, test, folder)
        sys.stdout.write(
            f"| {tokens or 'all'} | {rank or '-'} | {found['parameters']:,.0f} | {same:.4f} | {whole:.4f} | "
            f"{size:.2f} | {accuracy:.4f} | {auroc:.4f} |\n"
        )
        sys.stdout.flush()


if __name__ == "__main__":
    main()
