"""What was measured of every model on the test split, and on validation."""

from pydantic import Field

from tasks.formats.report_file import Named, named
from tasks.formats.shares import Shares
from tasks.formats.value import Value


class ModelScores(Named):
    """Quality of one model on the test split."""

    accuracy: float
    macro_f1: float
    micro_f1: float
    roc_auc: float | None = Field(
        description="macro one-vs-rest over classes present in the test split; null for one class"
    )
    expected_calibration_error: float = Field(
        description="15 equal-width bins of the largest softmax probability"
    )
    aurc: float = Field(
        description="area under the risk-coverage curve: mean share of wrong answers over all shares of the texts that are "
        "answered, the most confident first"
    )
    expected_share: float | None = Field(
        description="share of out-of-scope texts that its threshold was chosen for; null without a rule"
    )
    accuracy_validation_share: float = Field(
        description="accuracy where threshold and temperature are chosen for validation's own share of out-of-scope texts"
    )
    calibration_error_validation_share: float = Field(description="expected calibration error of the same")
    out_of_scope_recall_validation_share: float | None = Field(description="out-of-scope recall of the same")
    accuracy_argmax: float = Field(
        description="accuracy by plain argmax of the model's own logits, without any rule"
    )
    accuracy_in_scope: float | None = Field(
        description="accuracy of in-scope rows by argmax over in-scope classes; null without such rows"
    )
    accuracy_in_scope_ruled: float | None = Field(
        description="accuracy of in-scope rows with the rule, which turns some away; null without an out-of-scope label"
    )
    out_of_scope_recall: float | None
    auroc: float | None = Field(description="AUROC of the rule's score, in scope against out of scope")


class Difference(Value):
    """How much more accurate the candidate is than the baseline, on the same rows."""

    accuracy: float = Field(description="candidate minus baseline")
    interval: tuple[float, float] = Field(description="95%, by the score of paired answers (Tango 1998)")


class Validation(Value):
    """Quality of one model on validation, which a search chooses by."""

    rows: int
    accuracy: float = Field(
        description="expected in traffic: out-of-scope rows count by their expected share"
    )


class ClassScores(Value):
    """Precision, recall and F1 of one class of the released model."""

    label: str
    precision: float
    recall: float
    f1: float
    support: int


class Confusion(Value):
    """A pair of classes that the released model mixes up."""

    actual: str
    predicted: str
    count: int


class EvaluationReport(Value):
    """Quality of every model on the same test split, `report.json` of the evaluate stage."""

    test_rows: int
    labels: tuple[str, ...]
    out_of_scope: str | None
    shares: Shares | None = Field(description="null without an out-of-scope label")
    against_baseline: Difference | None = Field(description="null where no baseline was evaluated")
    models: tuple[ModelScores, ...]
    per_class: tuple[ClassScores, ...]
    confusions: tuple[Confusion, ...] = Field(
        description="the commonest confusions of the released model, most first"
    )

    def scores(self, name: str) -> ModelScores:
        """Scores of one model by name; raises ArtifactError for a name that was not evaluated."""
        return named(self.models, name)
