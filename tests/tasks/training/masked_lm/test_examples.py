"""What the report shows of masks is what the training sees, whatever the tokens are."""

from pathlib import Path

import numpy as np
import pytest
from tokenizers import decoders

from tasks.data.packing.pack import pack_tables
from tasks.data.packing.tokens import open_tokenizer
from tasks.formats.mask_examples import MaskExamples
from tasks.formats.packed_tokens import open_packed
from tasks.formats.report_file import read_report
from tasks.training.loop.objective import Draw
from tasks.training.masked_lm.config import AdaptConfig, ExamplesConfig, TrainingMaskingConfig
from tasks.training.masked_lm.examples import MOST_TOKENS, show_masks, written
from tasks.training.masked_lm.masking import IGNORED, Vocabulary
from tasks.training.masked_lm.objective import MaskedLmObjective
from tasks.training.masked_lm.stages import show_masks as stage
from tests.tasks.data.packing.sources import NO_SPLITS, lines, pinned
from tests.tasks.data.packing.tiny_tokenizers import byte_level, saved
from tests.tasks.models.tiny_encoder import VOCABULARY, tiny_tokenizer
from tests.tasks.sections import shown

LONG = "a" * 60
TEXTS = [
    "what is my balances",
    f"tell me about the {LONG}",
    "rain and sun in paris",
    "show flights please",
] * 30
LENGTH = 8


def packed(folder: Path, length: int = LENGTH, texts: list[str] = TEXTS) -> tuple[Path, Path]:
    """A model's folder and packed text, of a vocabulary in which one token is long."""
    tokenizer = tiny_tokenizer([*VOCABULARY, LONG])
    tokenizer.backend_tokenizer.decoder = decoders.WordPiece()
    model = saved(tokenizer, folder / "model")
    config = NO_SPLITS.model_copy(update={"length": length})
    pack_tables(config, model, pinned(lines(folder / "texts.jsonl", texts)), folder / "tokens")
    return model, folder / "tokens"


@pytest.mark.parametrize("kind", ["token", "whole_word"])
def test_what_is_shown_is_what_the_training_sees_in_its_first_pass(tmp_path: Path, kind: str) -> None:
    model, tokens = packed(tmp_path)
    training = AdaptConfig(
        masking=TrainingMaskingConfig(kind=kind, rate=0.4, mask_share=0.5, random_share=0.3), seed=7
    )
    show_masks(ExamplesConfig.of(training), model, tokens, tmp_path)
    found = read_report(tmp_path, MaskExamples)
    assert [(way.kind == kind, way.trained) for way in found.maskings] == [(True, True), (False, False)]
    numbers = np.array([block.number for block in found.blocks])
    opened = open_packed(tokens / "train")
    blocks, vocabulary = opened.blocks(LENGTH), Vocabulary.of_packed(opened.info.vocabulary)
    batch = MaskedLmObjective(blocks, training.masking, vocabulary).batch(numbers, Draw(7, 0))
    tokenizer = open_tokenizer(model)
    kinds = set()
    for block, ids, labels, seams in zip(
        found.blocks, batch.input_ids, batch.labels, blocks.seams(numbers), strict=True
    ):
        seen = [token.text for token in block.tokens]
        for one in block.hidden[0]:
            seen[one.at] = one.text
            kinds.add(one.how)
            assert block.tokens[one.at].text == written(tokenizer, int(labels[one.at]))
            assert (one.how == "same") == (ids[one.at] == labels[one.at])
        assert seen == [written(tokenizer, int(token)) for token in ids]
        assert [one.at for one in block.hidden[0]] == np.flatnonzero(labels.numpy() != IGNORED).tolist()
        assert [token.begins for token in block.tokens] == seams.tolist() and any(seams[1:])
    assert kinds == {"mask", "random", "same"}


def test_a_token_is_written_as_it_stands_in_a_text(tmp_path: Path) -> None:
    pieces = open_tokenizer(packed(tmp_path)[0])
    ids = pieces.tokenizer.encode("what balances").ids
    assert [written(pieces, token) for token in ids] == ["[CLS]", "what", "balance", "s", "[SEP]"]
    letters = byte_level()
    letters.backend_tokenizer.decoder = decoders.ByteLevel()
    letters = open_tokenizer(saved(letters, tmp_path / "letters"))
    ids = letters.tokenizer.encode("is the <mask>\n").ids
    assert "".join(written(letters, token) for token in ids) == "istheĠ<mask>Ċ"
    assert written(letters, letters.tokenizer.token_to_id("Ã")) == "�"  # half of a character


def test_a_long_block_shows_its_first_tokens_and_a_short_text_all_its_blocks(tmp_path: Path) -> None:
    model, tokens = packed(tmp_path, length=300)
    assert show_masks(ExamplesConfig(), model, tokens, tmp_path) == {"blocks": 2.0}
    for block in read_report(tmp_path, MaskExamples).blocks:
        assert len(block.tokens) == MOST_TOKENS and all(one.at < MOST_TOKENS for one in block.hidden[0])
    (tmp_path / "copy").mkdir()
    assert "its first 256 tokens" in shown(stage, copied(tmp_path), tmp_path / "copy").passages[1].title


def test_the_section_has_seams_marks_and_both_ways_of_each_block(tmp_path: Path) -> None:
    model, tokens = packed(tmp_path, texts=[f"rain and {LONG}"] * 60)
    masking = TrainingMaskingConfig(rate=0.5, mask_share=0.4, random_share=0.4)
    show_masks(ExamplesConfig(masking=masking), model, tokens, tmp_path)
    section = shown(stage, copied(tmp_path), tmp_path / "copy")
    assert section.lines[0].startswith(
        "Random tokens: 50% of the tokens, of these 40% as the mask token, 40% as a random one, 20%"
    )
    assert (
        section.lines[1]
        == "Whole words: 20% of the words, of these 100% as the mask token. The other way, beside it."
    )
    key, *both = section.passages
    assert {piece.mark for piece in key.pieces} == {"", "hidden", "swapped", "kept", "seam"}
    titles = [passage.title.rpartition(", ") for passage in both]
    assert [name for _, _, name in titles] == ["random tokens", "whole words"] * 3
    assert len({block for block, _, _ in titles}) == 3
    for passage in both:
        begun = [place for place, piece in enumerate(passage.pieces) if piece.mark == "seam"]
        assert begun and all(passage.pieces[place + 1].text == "[CLS]" for place in begun)
        assert all(
            bool(piece.over) == (piece.mark in ("hidden", "swapped", "kept")) for piece in passage.pieces
        )
        assert all(len(piece.text) <= 40 for piece in passage.pieces)
    words = {word for passage in both for piece in passage.pieces for word in (piece.text, piece.over)}
    assert {"[MASK]", f"{LONG[:39]}…"} <= words


def copied(folder: Path) -> Path:
    """The report alone, as the artifact has it."""
    (folder / "out").mkdir()
    (folder / "report.json").rename(folder / "out" / "report.json")
    return folder / "out"
