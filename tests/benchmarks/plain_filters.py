"""The rules of our curation as a plain function, for the loops that it is compared with: standard library alone.

What it goes by (patterns, bounds) is ours, and comes as JSON: a peer runs in an environment that has nothing of ours.
"""

import ast
import re
import warnings
from typing import Any


class PlainFilters:
    """Call it with a text: the text without secrets, or None for one that is of no use."""

    def __init__(self, spec: dict[str, Any]) -> None:
        self.spec = spec
        self.generated = re.compile(spec["generated"], re.IGNORECASE)
        self.numbers, self.name = re.compile(spec["numbers"]), re.compile(r"[^\W\d]\w*")
        self.secrets = [(re.compile(pattern, flags), word) for pattern, flags, word in spec["secrets"]]

    def __call__(self, text: str) -> str | None:
        if not text.strip() or not self.parses(text) or not self.is_code(text):
            return None
        clean = self.redacted(text)
        return clean if clean == text or self.parses(clean) else None

    def parses(self, text: str) -> bool:
        """In this process: a file that brings the parser down ends the loop."""
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                ast.parse(text.removeprefix("\ufeff"))
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            return False
        return True

    def is_code(self, text: str) -> bool:
        """Not generated, no long lines, no data, not minified."""
        bounds, lines = self.spec, text.splitlines() or [""]
        blanks = sum(map(text.count, " \t\r\n"))
        size, names = max(len(text) - blanks, 1), self.name.findall(text)
        minified = blanks < bounds["minified_blanks"] * len(text)
        return not (
            self.generated.search("\n".join(text.split("\n")[: bounds["generated_lines"]]))
            or max(map(len, lines)) > bounds["max_line"]
            or sum(map(len, lines)) / len(lines) > bounds["max_mean_line"]
            or sum(len(word) for word in re.findall(r"\w+", text)) / size < bounds["words_share"]
            or sum(len(match.group()) for match in self.numbers.finditer(text)) / size
            > bounds["numbers_share"]
            or (minified and sum(len(name) == 1 for name in names) > bounds["minified_letters"] * len(names))
        )

    def redacted(self, text: str) -> str:
        """Secrets and addresses replaced, again until nothing changes."""
        while True:
            clean = text
            for pattern, word in self.secrets:
                clean = pattern.sub(word, clean)
            if clean == text:
                return text
            text = clean
