"""What a WordPiece tokenizer can and cannot emit, and the same tokenizer over fewer tokens.

WordPiece cuts a word greedily into the longest pieces of its vocabulary (Devlin et al. 2018; Wu et al. 2016).
So a word whose pieces are all kept is cut as before, and a word whose characters are all kept, both as they
stand at its start and within, is never unknown: the greedy cut can always go on by one character.
"""

import json
from functools import cached_property
from typing import Any

import numpy as np
from tokenizers import Tokenizer

from infra.errors import ConfigError

ANY_LETTER = "a"


class WordPiece:
    """A WordPiece tokenizer and questions about its tokens. Raises ConfigError for any other kind."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        self.tokenizer = tokenizer
        self.spec = json.loads(tokenizer.to_str())
        kind = self.spec["model"]["type"]
        if kind != "WordPiece":
            raise ConfigError(
                f"the base model's tokenizer is of kind {kind}: expected WordPiece, the one kind whose "
                "vocabulary can be trimmed. Use `--tokenizer.mode keep` for all of it or `train` for another."
            )
        self.prefix: str = self.spec["model"]["continuing_subword_prefix"]
        self.ids: dict[str, int] = tokenizer.get_vocab(with_added_tokens=True)
        self.tokens = {id_: token for token, id_ in sorted(self.ids.items(), key=lambda item: item[1])}

    @cached_property
    def special(self) -> list[str]:
        """Added tokens and the unknown token, by id: they stay whatever the texts are."""
        named = {token["content"] for token in self.spec["added_tokens"]} | {self.spec["model"]["unk_token"]}
        return sorted(named & self.ids.keys(), key=self.ids.__getitem__)

    @cached_property
    def reachable(self) -> list[str]:
        """Tokens that some text can give, by id, special ones left out.

        A token is dead when the normalizer changes it (capitals, accents) or the pre-tokenizer cuts it:
        `[unused7]`, or `##,` since a comma is always a word of its own.
        """
        special = set(self.special)
        return [
            token for token in self.tokens.values() if token not in special and self._can_be_emitted(token)
        ]

    @cached_property
    def characters(self) -> list[str]:
        """Reachable tokens of a single character, at the start of a word and within."""
        return [token for token in self.reachable if len(self.body(token)) == 1]

    def body(self, token: str) -> str:
        """A token's text without the mark of a continued word."""
        return token.removeprefix(self.prefix) or token

    def normalized(self, text: str) -> str:
        """Text as the model sees it: lower case, without accents, as the tokenizer has it."""
        return text if self.tokenizer.normalizer is None else self.tokenizer.normalizer.normalize_str(text)

    def _can_be_emitted(self, token: str) -> bool:
        word = token if self.body(token) == token else ANY_LETTER + self.body(token)
        cut = self.tokenizer.pre_tokenizer
        return self.normalized(word).strip() == word and (cut is None or len(cut.pre_tokenize_str(word)) == 1)


def with_tokens(base: WordPiece, kept: np.ndarray) -> Tokenizer:
    """The tokenizer over the tokens `kept`, int64 [n], base ids; the new id is the index."""
    new_ids = {base.tokens[old]: new for new, old in enumerate(kept.tolist())}
    spec = json.loads(base.tokenizer.to_str())
    spec["model"]["vocab"] = new_ids
    for token in spec["added_tokens"]:
        token["id"] = new_ids[token["content"]]
    if spec["post_processor"] is not None:
        _renumber(spec["post_processor"], new_ids)
    return Tokenizer.from_str(json.dumps(spec))


def _renumber(processor: dict[str, Any], new_ids: dict[str, int]) -> None:
    """Give the special tokens that a post-processor puts around a text their new ids, in place."""
    match processor:
        case {"type": "TemplateProcessing", "special_tokens": dict(tokens)}:
            for token in tokens.values():
                token["ids"] = [new_ids[name] for name in token["tokens"]]
        case {"type": "BertProcessing" | "RobertaProcessing", "sep": list(sep), "cls": list(cls)}:
            processor["sep"], processor["cls"] = [[pair[0], new_ids[pair[0]]] for pair in (sep, cls)]
        case {"type": "Sequence", "processors": list(parts)}:
            for part in parts:
                _renumber(part, new_ids)
        case _:
            raise ConfigError(
                f"the base model's tokenizer has a post-processor of type {processor.get('type')!r}: "
                "expected a template or BERT's or RoBERTa's. Use `--tokenizer.mode keep`."
            )
