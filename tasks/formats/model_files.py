"""The files of a model that inference needs, so that sizes are compared like for like."""

from pathlib import Path

from infra.errors import ArtifactError
from tasks.formats.model_folder import Kind, graph_file, kind_of

TOKENIZER_FILES = ("tokenizer.json", "tokenizer_config.json", "special_tokens_map.json")
HEAD_FOLDER = "3_Dense"
# Of each kind but `onnx`, whose graph has one of two names.
FILES: dict[Kind, tuple[str, ...]] = {
    "tfidf": ("baseline.json", "model.safetensors", "vocabulary.json"),
    "fast_text": ("fasttext.json", "model.bin", "model.safetensors"),
    "pytorch": ("config.json", "model.safetensors", "classifier.json", *TOKENIZER_FILES),
    "pytorch_int8": ("config.json", "int8.safetensors", "classifier.json", *TOKENIZER_FILES),
    "openvino": ("openvino_model.xml", "openvino_model.bin", "config.json", "tokenizer.json"),
}


def inference_files(folder: Path) -> list[Path]:
    """Every file that answering a text takes: weights or graph, tokenizer, configuration.

    Left out are records, measurements, cards and plots. Raises ArtifactError when the folder holds no model.
    """
    kind = kind_of(folder)
    if kind != "onnx":
        head = sorted((folder / HEAD_FOLDER).glob("*")) if kind == "pytorch" else []
        return _present(folder, FILES[kind]) + [path for path in head if path.is_file()]
    graph = graph_file(folder)
    beside = sorted(graph.parent.glob("*.onnx.data*"))
    if beside:
        raise ArtifactError(
            f"{folder} keeps weights in {[path.name for path in beside]}: expected one self-contained "
            "ONNX file. Export again."
        )
    return [graph, *_present(folder, ("config.json", "tokenizer.json"))]


def inference_bytes(folder: Path) -> int:
    """Bytes of `inference_files`."""
    return sum(path.stat().st_size for path in inference_files(folder))


def _present(folder: Path, names: tuple[str, ...]) -> list[Path]:
    return [folder / name for name in names if (folder / name).is_file()]
