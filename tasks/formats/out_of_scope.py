"""What a model answers with: its labels, and its out-of-scope rule, which `tasks/decision` chooses and applies."""

from typing import Literal

from pydantic import Field

from tasks.formats.value import Value

Score = Literal["energy", "log_odds", "confidence"]


class Labels(Value):
    """The classes of a data set or of a model."""

    labels: tuple[str, ...] = Field(description="class names; a label's id is its index")
    out_of_scope: str | None = Field(description="the label of what the model does not serve, or null")

    @property
    def out_of_scope_id(self) -> int | None:
        """Id of the out-of-scope label, None where there is none."""
        return None if self.out_of_scope is None else self.labels.index(self.out_of_scope)


class OutOfScopeRule(Value):
    """Texts whose score lies under the threshold are out of scope."""

    label: str = Field(description="the out-of-scope class")
    score: Score = Field(
        description="energy: logsumexp of in-scope logits; log_odds: that minus the class's own logit; confidence: log of "
        "the largest softmax over in-scope logits"
    )
    threshold: float = Field(description="out of scope when score < threshold, in units of the logits")
    expected_share: float = Field(
        description="share of out-of-scope texts in traffic that the threshold is for", ge=0, le=1
    )


class RuledLabels(Labels):
    """The labels of a model that carries its rule."""

    rule: OutOfScopeRule | None = Field(description="when a text is out of scope, chosen on validation")
