"""The rows of the benchmark: what a user would pick instead, what others make of the same teacher, and ours.

What is not there from the release's own run is made here on the same curated data set and kept. Each has the same
out-of-scope rule, chosen on validation, and is scored on the whole test split.
"""

import shutil
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from pydantic import BaseModel

from infra.errors import ConfigError
from infra.fingerprint import canonical
from infra.store import Store
from tasks.baseline.config import BaselineConfig, FastTextConfig
from tasks.baseline.fast_text import fit_fast_text
from tasks.baseline.tfidf import fit_baseline
from tasks.compress.config import CompressConfig
from tasks.compress.export import export_onnx
from tasks.compress.quantize import quantize_onnx
from tasks.deploy.package import package_model
from tasks.distill.bag import train_bag
from tasks.distill.bag_config import BagConfig
from tasks.distill.student import Sources
from tasks.encoder.checkpoint import load_info
from tasks.evaluate.config import PredictConfig
from tasks.evaluate.predict import predict
from tasks.labelled_text.dataset import load_split
from tasks.quantization.config import QuantizationConfig
from tasks.quantization.passes import choose_own_rule, quantize_with
from tasks.quantization.torch_dynamic import quantize_checkpoint
from tasks.quantization.transformers_exporter import export_with_transformers
from tasks.runtimes.openvino import import_openvino
from tasks.train.config import TrainConfig
from tasks.train.teacher import train_teacher
from tests.benchmarks.kept import Kept
from tests.benchmarks.release import Artifact, Material, same_inputs

INSTEAD, PEERS, OURS = "instead", "of the same teacher", "ours"


@dataclass(frozen=True)
class Contender:
    """One row: its folder, and its accuracy on the whole test split."""

    name: str
    group: str
    what: str
    folder: Path
    accuracy: float


@dataclass(frozen=True)
class Line:
    """How a row is made: `make` fills a folder, from inputs whose digests are given, asked for by a config."""

    name: str
    group: str
    what: str
    config: BaseModel | None
    inputs: tuple[Artifact, ...]
    make: Callable[[Path], Mapping[str, float]]


def contenders(store: Store, material: Material, kept: Kept) -> tuple[list[Contender], list[str]]:
    """All rows, and a sentence for each that could not be made because its library is not installed."""
    found, left_out = [], []
    for line in lines(material, kept):
        digests = {str(i): item.digest for i, item in enumerate(line.inputs)}
        try:
            made = kept.made(line.name, canonical(line.config), digests, line.make)
        except ConfigError as error:
            left_out.append(f"{line.name}: {error}")
            continue
        accuracy = _accuracy(kept, line.name, made.folder, made.key, material)
        found.append(Contender(line.name, line.group, line.what, made.folder, accuracy))
    own = (("teacher", PEERS, "MiniLM fine-tuned, PyTorch float32", material.teacher),
           ("released", OURS, "the release, by `Classifier`", material.released))  # fmt: skip
    for name, group, what, artifact in own:
        record = same_inputs(store, "predict", model=artifact, dataset=material.dataset)
        accuracy = (
            record.metrics["test_accuracy"]
            if record
            else _accuracy(kept, name, artifact.folder, artifact.digest, material)
        )
        found.append(Contender(name, group, what, artifact.folder, accuracy))
    order = (INSTEAD, PEERS, OURS)
    return sorted(found, key=lambda contender: order.index(contender.group)), left_out


def lines(material: Material, kept: Kept) -> Iterator[Line]:
    """The rows that are made here."""
    dataset, teacher = material.dataset, material.teacher
    data, trained = dataset.folder, teacher.folder
    tfidf, fast_text = BaselineConfig(), FastTextConfig()
    quantized = fast_text.model_copy(update={"quantized": True})
    probe = TrainConfig(method="linear_probe", max_length=load_info(trained).max_length)
    yield Line("tfidf", INSTEAD, "TF-IDF of words and characters, logistic regression", tfidf, (dataset,),
               lambda out: fit_baseline(tfidf, data, out))  # fmt: skip
    yield Line("fasttext", INSTEAD, "fastText", fast_text, (dataset,),
               lambda out: fit_fast_text(fast_text, data, out))  # fmt: skip
    yield Line("fasttext_q", INSTEAD, "fastText, quantized", quantized, (dataset,),
               lambda out: fit_fast_text(quantized, data, out))  # fmt: skip
    yield Line("frozen", INSTEAD, "logistic regression on frozen MiniLM vectors, PyTorch", probe,
               (material.base, dataset),
               lambda out: train_teacher(probe, material.base.folder, data, out, _work(kept), _silent))  # fmt: skip
    bag = BagConfig()
    yield Line("bag", OURS, "bag of token vectors distilled from the teacher, int8, by `Classifier`", bag,
               (teacher, material.outputs, material.tokenizer, dataset),
               lambda out: make_bag(bag, material, out, _work(kept)))  # fmt: skip
    yield Line("torch_int8", PEERS, "PyTorch dynamic int8", None, (teacher,),
               lambda out: quantize_checkpoint(trained, out, embeddings=False))  # fmt: skip
    yield Line("exporter_int8", PEERS, "transformers.exporters, ONNX Runtime int8 defaults", None,
               (teacher, dataset), lambda out: export_with_transformers(trained, data, out, None))  # fmt: skip
    yield Line("openvino_int8", PEERS, "OpenVINO, NNCF static int8", None, (teacher, dataset),
               lambda out: make_openvino(trained, data, out))  # fmt: skip


def make_bag(config: BagConfig, material: Material, output_dir: Path, work: Path) -> Mapping[str, float]:
    """A bag of token vectors, laid out as a release."""
    sources = Sources(material.teacher.folder, material.outputs.folder, material.tokenizer.folder,
                      material.dataset.folder)  # fmt: skip
    steps = {name: output_dir / "steps" / name for name in ("checkpoint", "onnx", "int8")}
    for folder in steps.values():
        folder.mkdir(parents=True)
    metrics = dict(train_bag(config, sources, steps["checkpoint"], work, _silent))
    export_onnx(CompressConfig(), steps["checkpoint"], sources.dataset, steps["onnx"])
    quantize_onnx(CompressConfig(), steps["onnx"], sources.dataset, steps["int8"])
    return metrics | package_model(steps["int8"], output_dir)


def make_openvino(teacher: Path, dataset: Path, output_dir: Path) -> Mapping[str, float]:
    """The teacher in OpenVINO's int8, its rule chosen on its own logits."""
    import_openvino()  # said before the teacher is exported for it
    (float32 := output_dir / "float32").mkdir()
    export_onnx(CompressConfig(), teacher, dataset, float32)
    texts = load_split(dataset, "train").texts
    quantize_with(QuantizationConfig(method="openvino"), float32, texts, output_dir)
    return choose_own_rule(output_dir, dataset, None)


def _accuracy(kept: Kept, name: str, folder: Path, digest: str, material: Material) -> float:
    inputs = {"model": digest, "dataset": material.dataset.digest}
    made = kept.made(
        f"{name}-answers",
        None,
        inputs,
        lambda out: predict(PredictConfig(), folder, material.dataset.folder, out),
    )
    return made.metrics["test_accuracy"]


def _work(kept: Kept) -> Path:
    """An empty place for the checkpoints of a training."""
    shutil.rmtree(kept.root / "work", ignore_errors=True)
    (kept.root / "work").mkdir(parents=True)
    return kept.root / "work"


def _silent(metrics: Mapping[str, float], step: int) -> None:
    """An observer that looks away."""
