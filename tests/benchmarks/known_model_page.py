"""The harness checked on a model whose figure is known, as docs/humaneval.md shows it."""

from tasks.evaluation.code_execution.evaluate import HumanEval
from tasks.formats.value import Value
from tests.benchmarks.tables import table

PUBLISHED = 0.616
SOURCE = "Qwen2.5-Coder Technical Report, arXiv:2409.12186v3, the instruct models' table of EvalPlus"


class KnownModel(Value):
    """What was measured, and of which file."""

    command: str
    cpu: str
    precision: str
    file: str
    sha256: str
    most_tokens: int
    found: HumanEval

    @property
    def agrees(self) -> bool:
        """Whether the published figure lies in the interval."""
        low, high = self.found.pass_at_1_interval
        return low <= PUBLISHED <= high


def known_text(known: KnownModel) -> str:
    """The figure beside the published one, and how it was measured."""
    found = known.found
    low, high = found.pass_at_1_interval
    rows = [
        ["published, 164 problems", f"{PUBLISHED:.1%}", ""],
        [
            f"here, {found.problems} problems",
            f"{found.pass_at_1:.1%}",
            f"{low:.1%} to {high:.1%}",
        ],
    ]
    inside = "lies in the interval" if known.agrees else "does not lie in the interval"
    reasons = ", ".join(f"{reason} {count}" for reason, count in found.reasons.items())
    return (
        f"Qwen2.5-Coder-0.5B-Instruct, by `{known.command}`. The published figure ({SOURCE}) {inside}.\n\n"
        f"{table(['', 'pass@1', '95%'], rows)}\n\n"
        f"Weights of `{known.file}` (sha256 {known.sha256[:12]}..., 4 to 8 bits a weight; the published figure is that of 16), "
        f"computed in {known.precision} on {known.cpu}; greedy, Qwen's own prompt and chat template, at most "
        f"{known.most_tokens} tokens, the first {found.problems} problems by the digest of their name. Of an answer the code "
        f"block counts, without the tests that the model adds. Outcomes: {reasons}; Python {found.python}. The published one "
        "was judged by EvalPlus.\n"
    )
