"""What a masked language model's training has to show: its curves are drawn beside it, and what it sees before it."""

from collections.abc import Iterator
from pathlib import Path
from typing import Literal

from tasks.formats.mask_examples import HiddenToken, MaskExamples, ShownBlock, ShownMasking
from tasks.formats.model_facts import read_json, shape_facts
from tasks.formats.report_file import read_report
from tasks.formats.section import Passage, Piece, Section, show

READS = ("config.json",)
MASKS = (
    "Of validation the same tokens are hidden each time, 15% of each text; in training others in each pass, as many as were "
    "asked for: its perplexity is another one, and may lie above."
)
KINDS = {"token": ("random tokens", "tokens"), "whole_word": ("whole words", "words")}
MARKS: dict[str, Literal["hidden", "swapped", "kept"]] = {
    "mask": "hidden",
    "random": "swapped",
    "same": "kept",
}
SEAM = Piece(text="¶", mark="seam")
ASKED = "token"  # what stands over a marked one in the key
LONGEST = 40  # letters of a token: what is longer is cut


def adapted_section(folder: Path) -> Section:
    """The model's shape."""
    return _trained("Adapted", folder)


def headed_section(folder: Path) -> Section:
    """The same of a model that had no head."""
    return _trained("Before: given a head", folder)


def examples_section(folder: Path) -> Section:
    """A few blocks, each as both ways of masking show it."""
    found = read_report(folder, MaskExamples)
    return Section(
        title="What the model sees",
        lines=tuple(_said(masking) for masking in found.maskings),
        passages=(
            _key(found.mask_token),
            *(_passage(found, block, way) for block in found.blocks for way in range(len(found.maskings))),
        ),
    )


def averaged_section(folder: Path) -> Section:
    """The same of a model between the two."""
    return _trained("Averaged: between the model before and the adapted one", folder)


def _trained(title: str, folder: Path) -> Section:
    return Section(title=title, facts=shape_facts(read_json(folder / "config.json")), notes=(MASKS,))


def _said(masking: ShownMasking) -> str:
    name, of = KINDS[masking.kind]
    share = f"{name.capitalize()}: {show(100 * masking.rate, unit='%')} of the {of}"
    whose = (
        "This is how the training masks, here in its first pass."
        if masking.trained
        else "The other way, beside it."
    )
    ways = {"as the mask token": masking.mask, "as a random one": masking.random,
            "as they are": round(1 - masking.mask - masking.random, 6)}  # fmt: skip
    how = ", ".join(f"{show(100 * part, unit='%')} {way}" for way, part in ways.items() if part)
    return f"{share}, of these {how}. {whose}"


def _key(mask: str) -> Passage:
    return Passage(
        pieces=(
            Piece(text=_cut(mask), over=ASKED, mark="hidden"),
            Piece(text="hidden,"),
            Piece(text="other", over=ASKED, mark="swapped"),
            Piece(text="another token in its place,"),
            Piece(text=ASKED, over=ASKED, mark="kept"),
            Piece(text="shown as it is: the model is to find what stands over each."),
            SEAM,
            Piece(
                text="a seam: here a text begins, right behind another's end. A dotted line parts the tokens of a word."
            ),
        )
    )


def _passage(found: MaskExamples, block: ShownBlock, way: int) -> Passage:
    name, _ = KINDS[found.maskings[way].kind]
    part = f", its first {len(block.tokens)} tokens" if len(block.tokens) < found.length else ""
    return Passage(
        title=f"Block {block.number:,}, {name}{part}", pieces=tuple(_pieces(block, block.hidden[way]))
    )


def _pieces(block: ShownBlock, hidden: tuple[HiddenToken, ...]) -> Iterator[Piece]:
    by_place = {one.at: one for one in hidden}
    for at, token in enumerate(block.tokens):
        if token.begins:
            yield SEAM
        joined = not (token.starts or token.begins or token.special)
        if asked := by_place.get(at):
            yield Piece(text=_cut(asked.text), over=_cut(token.text), mark=MARKS[asked.how], joined=joined)
        else:
            yield Piece(text=_cut(token.text), mark="soft" if token.special else "", joined=joined)


def _cut(token: str) -> str:
    return token if len(token) <= LONGEST else f"{token[: LONGEST - 1]}…"
