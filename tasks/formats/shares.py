"""What share of texts is out of scope, and how a table says for which of them its figures are."""

import textwrap

from pydantic import Field

from tasks.formats.value import Value

HEAD_WIDTH = 10  # characters of a line over a column


class Shares(Value):
    """What share of texts is out of scope: in what a threshold was chosen for, and in the splits."""

    expected: float = Field(description="the share that the candidate's threshold was chosen for")
    source: str | None = Field(description="where it is from; null: from nobody, it is validation's own")
    validation: float
    test: float


def percent(share: float) -> str:
    """A declared share as it is said: `18%`, `2.5%`."""
    return f"{100 * share:.3g}%"


def quality_headings(shares: Shares | None) -> dict[str, str]:
    """Fields of a row that say how good a model is, each with the head of its column: what its rule knew, and from whom."""
    if shares is None:
        return {"accuracy": "accuracy"}
    of_validation = f"accuracy\nfor {shares.validation:.1%}:\nvalidation"
    declared = {"accuracy": of_validation}
    if shares.source is not None:
        whose = textwrap.fill(f"for {percent(shares.expected)}: {shares.source}", HEAD_WIDTH)
        declared = {"accuracy": f"accuracy\n{whose}", "accuracy_validation_share": of_validation}
    rest = {
        "accuracy_argmax": "argmax,\nno rule",
        "accuracy_in_scope": "in-scope\nrows",
        "auroc": "AUROC",
    }
    return declared | rest


def shares_note(shares: Shares | None) -> str:
    """What the heads of the columns mean; nothing without an out-of-scope label."""
    if shares is None:
        return ""
    return (
        f"All on the same test rows, {shares.test:.1%} of which are out of scope. Threshold and temperature are chosen on "
        f"validation, of which {shares.validation:.1%} are, for the share of such texts that stands over the column: "
        "to know it beforehand helps. Argmax: the model's own logits, without a rule. In-scope rows: their accuracy by "
        "argmax over in-scope classes. AUROC: of the rule's score, in scope against out of scope, whatever the threshold."
    )
