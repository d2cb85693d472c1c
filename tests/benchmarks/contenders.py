"""The rows of the benchmark: what a user would pick instead, what others make of the same teacher, and ours."""

from collections.abc import Iterator, Mapping
from pathlib import Path

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
from tasks.labelled_text.dataset import load_split
from tasks.quantization.config import QuantizationConfig
from tasks.quantization.passes import choose_own_rule, quantize_with
from tasks.quantization.torch_dynamic import quantize_checkpoint
from tasks.quantization.transformers_exporter import export_with_transformers
from tasks.runtimes.openvino import import_openvino
from tasks.train.config import TrainConfig
from tasks.train.teacher import train_teacher
from tests.benchmarks.kept import Kept
from tests.benchmarks.release import Material
from tests.benchmarks.rows import Line, Stands, empty_work, silent

INSTEAD, PEERS, OURS = "instead", "of the same teacher", "ours"


def contenders(material: Material, kept: Kept) -> Iterator[Line | Stands]:
    """The rows, group by group. What the release's own run has not made is made on the same curated data set."""
    dataset, teacher = material.dataset, material.teacher
    data, trained = dataset.folder, teacher.folder
    share = material.expected_share
    tfidf, fast_text = BaselineConfig(expected_share=share), FastTextConfig(expected_share=share)
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
               lambda out: train_teacher(probe, material.base.folder, data, out, empty_work(kept), silent))  # fmt: skip
    yield Stands("teacher", PEERS, "MiniLM fine-tuned, PyTorch float32", teacher)
    yield Line("torch_int8", PEERS, "PyTorch dynamic int8", None, (teacher,),
               lambda out: quantize_checkpoint(trained, out, embeddings=False))  # fmt: skip
    yield Line("exporter_int8", PEERS, "transformers.exporters, ONNX Runtime int8 defaults", None,
               (teacher, dataset), lambda out: export_with_transformers(trained, data, out, share))  # fmt: skip
    yield Line("openvino_int8", PEERS, "OpenVINO, NNCF static int8", None, (teacher, dataset),
               lambda out: make_openvino(trained, data, out, share))  # fmt: skip
    bag = BagConfig(max_length=load_info(trained).max_length)
    yield Line("bag", OURS, "bag of token vectors distilled from the teacher, int8, by `Classifier`", bag,
               (teacher, material.outputs, material.tokenizer, dataset),
               lambda out: make_bag(bag, material, out, empty_work(kept)))  # fmt: skip
    yield Stands("released", OURS, "the release, by `Classifier`", material.released)


def make_bag(config: BagConfig, material: Material, output_dir: Path, work: Path) -> Mapping[str, float]:
    """A bag of token vectors, laid out as a release."""
    sources = Sources(material.teacher.folder, material.outputs.folder, material.tokenizer.folder,
                      material.dataset.folder)  # fmt: skip
    steps = {name: output_dir / "steps" / name for name in ("checkpoint", "onnx", "int8")}
    for folder in steps.values():
        folder.mkdir(parents=True)
    metrics = dict(train_bag(config, sources, steps["checkpoint"], work, silent))
    compress = CompressConfig(expected_share=material.expected_share)
    export_onnx(compress, steps["checkpoint"], sources.dataset, steps["onnx"])
    quantize_onnx(compress, steps["onnx"], sources.dataset, steps["int8"])
    return metrics | package_model(steps["int8"], output_dir)


def make_openvino(
    teacher: Path, dataset: Path, output_dir: Path, expected_share: float | None
) -> Mapping[str, float]:
    """The teacher in OpenVINO's int8, its rule chosen on its own logits."""
    import_openvino()  # said before the teacher is exported for it
    (float32 := output_dir / "float32").mkdir()
    export_onnx(CompressConfig(), teacher, dataset, float32)
    texts = load_split(dataset, "train").texts
    quantize_with(QuantizationConfig(method="openvino"), float32, texts, output_dir)
    return choose_own_rule(output_dir, dataset, expected_share)
