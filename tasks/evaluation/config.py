"""What is asked of the predict and evaluate stages."""

from pydantic import Field

from tasks.formats.asked import Asked


class PredictConfig(Asked):
    """Logits of one model over the validation and test splits."""

    expected_share: float | None = Field(
        None,
        ge=0,
        le=1,
        description="share of out-of-scope texts in traffic, for a model without a rule yet (PyTorch); "
        "unset: their share of validation",
    )
    batch_size: int = Field(
        64,
        ge=1,
        le=4096,
        description="texts answered at once; ONNX is always asked one text at a time, as it is served",
        json_schema_extra={"key": "ignore"},
    )


class EvaluateConfig(Asked):
    """Quality of every model on the same test split."""

    bins: int = Field(
        15, ge=2, le=100, description="equal-width bins of confidence in the expected calibration error"
    )
    confusions: int = Field(20, ge=1, le=1000, description="commonest confusions kept in the report")
    classes_drawn: int = Field(
        25, ge=2, le=60, description="rows of the confusion plot at most: the classes with the most mistakes"
    )
    expected_share_source: str | None = Field(
        None,
        min_length=1,
        max_length=80,
        description="whose share of out-of-scope texts the thresholds are for, as tables and card say it",
        json_schema_extra={"key": "unless_default"},
    )
    predict: PredictConfig = Field(PredictConfig(), description="how the predictions are made")
