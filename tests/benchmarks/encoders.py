"""What makes vectors of texts without being trained here: a tokenizer, and a graph from its ids to a vector.

All of them are ONNX graphs for ONNX Runtime, as a release is, so that none is slower for its library's sake.
"""

import json
from typing import NamedTuple

import numpy as np
import onnx
import pyarrow.parquet as pq
from onnx import ModelProto, TensorProto, helper, numpy_helper
from onnx.version_converter import convert_version
from onnxruntime.transformers.fusion_options import FusionOptions
from onnxruntime.transformers.optimizer import optimize_model
from safetensors.numpy import load_file
from tokenizers import Regex, Tokenizer, models, normalizers, pre_tokenizers

from infra.errors import ArtifactError
from tasks.compression.export.graph import prune
from tasks.models.pretrained.resolve import packaged_model
from tests.benchmarks.packaged import GLOVE, PARAPHRASE_MINILM, WORDLLAMA

OPSET, IR_VERSION = 20, 10
MINILM_SIZES = (12, 384)  # heads, hidden size
UNKNOWN = "<unk>"
# Words as the Penn Treebank has them, which GloVe's vocabulary follows: "don't" is "do" and "n't", "what's" "what" and "'s".
TREEBANK = r"\w+(?=n't)|n't|'\w+|\w+|[^\w\s]"


class Encoder(NamedTuple):
    """`graph` has the inputs `input_ids` and `attention_mask`, int64 [batch, sequence], and `vectors` float32 [batch, d]."""

    name: str
    tokenizer: Tokenizer
    pad_token: str
    graph: ModelProto
    vectors: str


def paraphrase_minilm() -> Encoder:
    """paraphrase-MiniLM-L3-v2: three layers, mean over tokens. Its package has no tokenizer; it is all-MiniLM's, BERT's.

    Raises ConfigError when the package is not installed, ArtifactError when it is another than it should be.
    """
    (path,) = PARAPHRASE_MINILM.files()
    tokenizer = Tokenizer.from_file(str(packaged_model() / "tokenizer.json"))
    graph, vectors = sentence_vectors(onnx.load(path))
    return Encoder("bert", tokenizer, "[PAD]", fuse_bert(graph, *MINILM_SIZES), vectors)


def wordllama() -> Encoder:
    """WordLlama: the mean of 256 numbers for each token of Llama 2's vocabulary, stored as float16. Raises as above."""
    weights, described = WORDLLAMA.files()
    (table,) = load_file(weights).values()
    plain = json.loads(described.read_text(encoding="utf-8")) | {
        "post_processor": None
    }  # it averages no start mark
    return word_vectors("wordllama", Tokenizer.from_str(json.dumps(plain)), table)


def glove() -> Encoder:
    """GloVe's 400,000 words of 50 numbers, lower case; words that it does not know are left out. Raises as above."""
    vectors, words = GLOVE.files()
    names = pq.read_table(words).column("index").to_pylist()
    return word_vectors("glove", word_tokenizer(names), with_unknown(np.load(vectors, allow_pickle=False)))


def word_tokenizer(words: list[str]) -> Tokenizer:
    """Whole words in lower case; the id of a word is its place, that of any other the next one after the last."""
    ids = {word: place for place, word in enumerate(words)} | {UNKNOWN: len(words)}
    tokenizer = Tokenizer(models.WordLevel(ids, unk_token=UNKNOWN))
    tokenizer.normalizer = normalizers.Lowercase()
    tokenizer.pre_tokenizer = pre_tokenizers.Split(Regex(TREEBANK), "removed", invert=True)
    return tokenizer


def with_unknown(table: np.ndarray) -> np.ndarray:
    """The table [words, d] with a row of zeros for unknown words."""
    return np.concatenate([table, np.zeros_like(table[:1])])


def word_vectors(name: str, tokenizer: Tokenizer, table: np.ndarray) -> Encoder:
    """The mean of the rows of `table` [tokens, d], float16 or float32, over a text's known tokens."""
    return Encoder(name, tokenizer, UNKNOWN, mean_graph(table, tokenizer.token_to_id(UNKNOWN)), "vectors")


def mean_graph(table: np.ndarray, unknown: int) -> ModelProto:
    """From ids to the mean of their rows of `table`, but for those of `unknown`; zeros where there are no others."""
    constants = {
        "table": table,
        "unknown": np.array(unknown, dtype=np.int64),
        "tokens": np.array([1], dtype=np.int64),
        "one": np.array(1, dtype=np.float32),
        "nothing": np.array(0, dtype=np.int64),
    }
    steps = [
        ("Gather", ["table", "input_ids"], "stored"),
        ("Cast", ["stored"], "rows"),
        ("Equal", ["input_ids", "unknown"], "is_unknown"),
        ("Where", ["is_unknown", "nothing", "attention_mask"], "counted"),
        ("Cast", ["counted"], "share"),
        ("Unsqueeze", ["share", "tokens"], "shares"),
        ("MatMul", ["shares", "rows"], "sums"),
        ("Squeeze", ["sums", "tokens"], "sum"),
        ("ReduceSum", ["share", "tokens"], "known"),
        ("Max", ["known", "one"], "divisor"),
        ("Div", ["sum", "divisor"], "vectors"),
    ]
    nodes = [
        helper.make_node(
            kind, given, [made], name=made, **({"to": TensorProto.FLOAT} if kind == "Cast" else {})
        )
        for kind, given, made in steps
    ]
    ids = [
        helper.make_tensor_value_info(name, TensorProto.INT64, ["batch", "sequence"])
        for name in ("input_ids", "attention_mask")
    ]
    vectors = helper.make_tensor_value_info("vectors", TensorProto.FLOAT, ["batch", table.shape[1]])
    weights = [numpy_helper.from_array(value, name) for name, value in constants.items()]
    graph = helper.make_graph(nodes, "vectors", ids, [vectors], weights)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION)


def sentence_vectors(model: ModelProto) -> tuple[ModelProto, str]:
    """A sentence-transformer's graph with nothing but its last output, the sentence's vector, and that output's name.

    Raises ArtifactError when its inputs are not ids and mask: what else there is would have to be filled in.
    """
    inputs = [value.name for value in model.graph.input]
    if inputs != ["input_ids", "attention_mask"]:
        raise ArtifactError(
            f"the encoder takes {', '.join(inputs)}: expected input_ids and attention_mask. Take another version of it."
        )
    del model.graph.output[:-1]
    prune(model.graph)
    return convert_version(model, OPSET), model.graph.output[0].name


def fuse_bert(model: ModelProto, heads: int, hidden: int) -> ModelProto:
    """BERT's attention, norms and activations as ONNX Runtime's own operators, by its optimizer for transformers.

    The lookups stay apart: its quantizer takes them so.
    """
    options = FusionOptions("bert")
    options.enable_embed_layer_norm = False
    fused: ModelProto = optimize_model(
        model,
        model_type="bert",
        num_heads=heads,
        hidden_size=hidden,
        optimization_options=options,
        opt_level=0,
    ).model
    if "com.microsoft" not in {opset.domain for opset in fused.opset_import}:
        fused.opset_import.append(helper.make_opsetid("com.microsoft", 1))
    return fused
