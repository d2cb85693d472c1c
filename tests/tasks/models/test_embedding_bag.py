from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import AutoModel

from tasks.compression.export.config import CompressConfig
from tasks.compression.export.export import export_onnx
from tasks.compression.quantization.quantize import quantize_onnx
from tasks.formats.checkpoint import CheckpointInfo
from tasks.formats.dataset import load_info, load_split
from tasks.inference.runner import open_runner
from tasks.models.batching import pad
from tasks.models.embedding_bag import FIRST, SECOND, BagOfTokensConfig, pair_rows
from tasks.models.model import SentenceClassifier
from tests.tasks.models.tiny_encoder import VOCABULARY, tiny_tokenizer, write_dataset


def make_bag(pairs: int = 50) -> SentenceClassifier:
    torch.manual_seed(0)
    shape = BagOfTokensConfig(vocab_size=len(VOCABULARY), hidden_size=8, pairs=pairs, pad_token_id=0)
    model = SentenceClassifier.from_config(shape, 4)
    for table in model.body.parameters():
        torch.nn.init.normal_(table)
    torch.nn.init.normal_(model.head.weight, std=3.0)
    return model.eval()


def save_bag(folder: Path, dataset: Path) -> Path:
    info = load_info(dataset)
    make_bag().save(
        folder,
        tiny_tokenizer(),
        CheckpointInfo(labels=info.labels, out_of_scope=info.out_of_scope, max_length=32),
    )
    return folder


@pytest.mark.parametrize("pairs", [0, 50])
def test_logits_are_those_of_the_plain_formula(pairs: int) -> None:
    model, rows = make_bag(pairs), [[2, 7, 9, 3], [2, 11, 3]]
    weights = {name: value.numpy() for name, value in model.state_dict().items()}
    expected = []
    for row in rows:
        vectors = weights["body.embeddings.word_embeddings.weight"][row]
        if pairs:
            numbers = [
                (before * FIRST + token * SECOND) % pairs
                for before, token in zip([0, *row], row, strict=False)
            ]
            vectors = vectors + weights["body.embeddings.pair_embeddings.weight"][numbers]
        mean = vectors.mean(axis=0)
        expected.append(mean / np.linalg.norm(mean) @ weights["head.weight"].T + weights["head.bias"])
    with torch.no_grad():
        found = model(*pad(rows, 0)).logits.numpy()
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_pairs_tell_the_order_and_tokens_alone_do_not() -> None:
    one, other = torch.tensor([[2, 7, 9, 3]]), torch.tensor([[2, 9, 7, 3]])
    mask = torch.ones_like(one)
    with torch.no_grad():
        ordered, unordered = make_bag(50), make_bag(0)
        assert not torch.allclose(ordered(one, mask).logits, ordered(other, mask).logits)
        assert torch.allclose(unordered(one, mask).logits, unordered(other, mask).logits, atol=1e-6)


def test_pairs_of_large_ids_have_rows() -> None:
    ids = torch.tensor([[2**31 - 1, 2**31 - 1]])
    assert 0 <= int(pair_rows(ids, 7).min()) <= int(pair_rows(ids, 7).max()) < 7


def test_a_text_of_one_token_has_a_pair() -> None:
    assert pair_rows(torch.tensor([[5]]), 1_000).tolist() == [[5 * SECOND % 1_000]]


def test_transformers_reads_the_saved_encoder(tmp_path: Path) -> None:
    folder = save_bag(tmp_path / "bag", write_dataset(tmp_path / "dataset"))
    again = AutoModel.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
    assert again.config.model_type == "bag_of_tokens"
    for name, value in make_bag().body.state_dict().items():
        assert torch.equal(again.state_dict()[name], value)


def test_it_is_exported_and_quantized_like_any_classifier(tmp_path: Path) -> None:
    dataset = write_dataset(tmp_path / "dataset")
    checkpoint = save_bag(tmp_path / "bag", dataset)
    folders = {"pytorch": checkpoint, "onnx": tmp_path / "onnx", "int8": tmp_path / "int8"}
    for name in ("onnx", "int8"):
        folders[name].mkdir()
    export_onnx(CompressConfig(), checkpoint, dataset, folders["onnx"])
    quantize_onnx(CompressConfig(), folders["onnx"], dataset, folders["int8"])
    texts = load_split(dataset, "test").texts
    in_scope = {}
    for name, folder in folders.items():
        runner = open_runner(folder, threads=1)
        logits = np.concatenate([runner.logits([text]) for text in texts])
        in_scope[name] = logits[:, :-1] * (runner.temperature or 1)
    np.testing.assert_allclose(in_scope["onnx"], in_scope["pytorch"], atol=1e-4)
    assert (in_scope["int8"].argmax(axis=1) == in_scope["pytorch"].argmax(axis=1)).mean() > 0.8
