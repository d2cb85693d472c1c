"""A release as the stages make it, by a real tokenizer and in int8, and what `Classifier` answers with it."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from tasks.compression.export.config import CompressConfig
from tasks.compression.export.export import export_onnx
from tasks.compression.quantization.quantize import quantize_onnx
from tasks.inference.classifier import Classifier
from tasks.serving.release.package import package_model
from tests.conftest import ROOT
from tests.flows.tiny import KEPT
from tests.tasks.models.tiny_encoder import OUT_OF_SCOPE, WORDS, write_dataset, write_teacher

LONG = "please tell me about my savings and the next flight " * 60  # 600 tokens
ODD = [
    "",
    "   ",
    "สวัสดี โอนเงินสี่สิบยูโร",
    "Café naïve ÅÄÖ",
    "日本語 한국어 😀",
    "money\t40\n\u00a0!!",
    "[SEP] money [MASK]",
    "x" * 300,
]
Answer = tuple[str, float]  # label and confidence


@dataclass(frozen=True)
class Opened:
    """A folder, texts, and the released answer to each of them alone."""

    folder: Path
    texts: list[str]
    answers: list[Answer]

    def assert_same(self, given: list[Answer], score: float, cut_score: float | None = None) -> None:
        """The same labels; confidences apart by `score` at most, by `cut_score` where a text is too long for the model."""
        assert [label for label, _ in given] == [label for label, _ in self.answers]
        for text, (_, mine), (_, theirs) in zip(self.texts, self.answers, given, strict=True):
            assert abs(mine - theirs) <= (cut_score or score if text == LONG else score), text


@pytest.fixture(scope="session")
def opened(tmp_path_factory: pytest.TempPathFactory) -> Opened:
    root = tmp_path_factory.mktemp("opened")
    checkpoint = write_teacher(root / "checkpoint", (*sorted(WORDS), OUT_OF_SCOPE), KEPT)
    dataset = write_dataset(root / "dataset")
    for name in ("onnx", "int8"):
        (root / name).mkdir()
    export_onnx(CompressConfig(), checkpoint, dataset, root / "onnx")
    quantize_onnx(CompressConfig(), root / "onnx", dataset, root / "int8")
    package_model(root / "int8", root / "release")
    random = np.random.default_rng(0)
    words = [token for token in KEPT if token.isalpha()] + ["Savings", "unheard-of", "ticket's"]
    texts = [" ".join(random.choice(words, size=random.integers(1, 20))) for _ in range(200)] + [*ODD, LONG]
    classifier = Classifier(root / "release")
    answers = [classifier.predict([text])[0] for text in texts]
    return Opened(root / "release", texts, [(answer.label, answer.confidence) for answer in answers])


@pytest.fixture(scope="session")
def documented() -> Callable[[str], str]:
    """The code in docs/use-a-release.md that has a line with these words, without what it prints at its end."""
    blocks = re.findall(
        r"```(?:python|js)\n(.*?)```", (ROOT / "docs" / "use-a-release.md").read_text("utf-8"), re.DOTALL
    )

    def find(words: str) -> str:
        block = next(block for block in blocks if words in block)
        return re.sub(r"^(print|console\.log)\(.*\n", "", block, flags=re.MULTILINE)

    return find
