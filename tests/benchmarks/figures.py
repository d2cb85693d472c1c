"""`make figures`: the tables of README and docs, written from the figures that lie in docs/figures.

    python -m tests.benchmarks.figures           write every page whose figures are there
    python -m tests.benchmarks.figures --check   change nothing; exit code 1 names the pages that differ

The figures are written by what measures them: headline.json by tests.benchmarks.seeds, benchmarks.json by tests.benchmarks,
compression.json by tests.benchmarks.book, masked_lm.json by tests.benchmarks.masked_lm, causal_lm.json by
tests.benchmarks.causal_lm, known_model.json by tests.benchmarks.known_model.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TypeVar

from infra.errors import DataError
from tasks.formats.value import Value
from tests.benchmarks.book_page import Compression
from tests.benchmarks.book_page import page as compression_page
from tests.benchmarks.causal_lm_page import CausalLmSpeed
from tests.benchmarks.causal_lm_page import speed_text as causal_lm_text
from tests.benchmarks.headline import Headline, headline_text
from tests.benchmarks.known_model_page import KnownModel, known_text
from tests.benchmarks.masked_lm_page import MaskedLmSpeed, speed_text
from tests.benchmarks.page import Benchmarks
from tests.benchmarks.page import page as benchmarks_page

ROOT = Path(__file__).parents[2]
FIGURES = Path("docs") / "figures"
BEGIN, END = "<!-- Written by `make figures`: begin -->\n", "<!-- Written by `make figures`: end -->\n"
Kind = TypeVar("Kind", bound=Value)


def save_figures(root: Path, name: str, figures: Value) -> None:
    """Keep what was measured, and write the pages that it is in."""
    (root / FIGURES).mkdir(parents=True, exist_ok=True)
    (root / FIGURES / name).write_text(figures.model_dump_json(indent=1) + "\n", encoding="utf-8")
    for page, text in pages(root).items():
        page.write_text(text, encoding="utf-8")


def pages(root: Path) -> dict[Path, str]:
    """Every page under `root` whose figures are there, with the text that it should have.

    Raises DataError for a page without the marks between which its figures stand.
    """
    found: dict[Path, str] = {}
    readme = root / "README.md"
    if headline := _read(root, "headline.json", Headline):
        found[readme] = between_marks(readme, headline_text(headline))
    if benchmarks := _read(root, "benchmarks.json", Benchmarks):
        found[root / "docs" / "BENCHMARKS.md"] = benchmarks_page(benchmarks)
    if compression := _read(root, "compression.json", Compression):
        found[root / "docs" / "COMPRESSION.md"] = compression_page(compression)
    if masked_lm := _read(root, "masked_lm.json", MaskedLmSpeed):
        peer = root / "docs" / "masked-lm-with-transformers.md"
        found[peer] = between_marks(peer, speed_text(masked_lm))
    if causal_lm := _read(root, "causal_lm.json", CausalLmSpeed):
        scale = root / "docs" / "scale.md"
        found[scale] = between_marks(scale, causal_lm_text(causal_lm))
    if known_model := _read(root, "known_model.json", KnownModel):
        harness = root / "docs" / "humaneval.md"
        found[harness] = between_marks(harness, known_text(known_model))
    return found


def between_marks(page: Path, text: str) -> str:
    """The page with `text` between its marks."""
    whole = page.read_text(encoding="utf-8")
    before, begun, rest = whole.partition(BEGIN)
    _, ended, after = rest.partition(END)
    if not begun or not ended:
        raise DataError(
            f"{page} lacks the marks {BEGIN.strip()!r} and {END.strip()!r}: write both on lines of their own."
        )
    return f"{before}{BEGIN}{text}{END}{after}"


def differing(root: Path) -> list[Path]:
    """Pages that are not as their figures have them."""
    return [
        page
        for page, text in pages(root).items()
        if not page.is_file() or page.read_text(encoding="utf-8") != text
    ]


def _read(root: Path, name: str, kind: type[Kind]) -> Kind | None:
    path = root / FIGURES / name
    return kind.model_validate_json(path.read_bytes()) if path.is_file() else None


def main(arguments: Sequence[str]) -> int:
    """Write the pages, or name those that differ."""
    parser = argparse.ArgumentParser(
        "python -m tests.benchmarks.figures",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--check", action="store_true", help="change nothing, and name the pages that differ")
    wrong = differing(ROOT)
    if parser.parse_args(arguments).check:
        for page in wrong:
            print(f"{page.relative_to(ROOT)} differs from its figures: run make figures", file=sys.stderr)
        return int(bool(wrong))
    for page in wrong:
        page.write_text(pages(ROOT)[page], encoding="utf-8")
        print(page.relative_to(ROOT))
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
