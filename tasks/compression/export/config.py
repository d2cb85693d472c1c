"""What is asked of export, quantization and the parity check between them and PyTorch."""

from typing import Literal

from pydantic import Field

from tasks.formats.asked import Asked

Weights = Literal["int8", "int4_embeddings", "int4"]  # of a release; what is not int4 is dynamic int8


class ParityConfig(Asked):
    """How closely an exported model must answer as the checkpoint it was made from."""

    rows: int = Field(
        512, ge=8, le=100_000, description="texts of the test split compared, spread evenly over it"
    )
    batch_size: int = Field(
        32, ge=2, le=1024, description="texts of a batch; every text is also compared alone"
    )
    onnx_agreement: float = Field(
        0.995, ge=0, le=1, description="smallest share of equal answers of the float32 graph and PyTorch"
    )
    onnx_difference: float = Field(
        1e-3, gt=0, description="largest difference of a float32 logit from PyTorch's, in units of the logits"
    )
    int8_agreement: float = Field(
        0.95,
        ge=0,
        le=1,
        description="smallest share of equal answers of the int8 graph and PyTorch; finds a broken graph, while what "
        "int8 costs in accuracy is for the gate to judge",
    )
    int8_difference: float = Field(
        0.25,
        gt=0,
        description="largest difference of an int8 logit from PyTorch's, as a share of the median text's range of logits",
    )


class CompressConfig(Asked):
    """From a checkpoint to one self-contained int8 ONNX file."""

    expected_share: float | None = Field(
        None,
        ge=0,
        le=1,
        description="share of out-of-scope texts in traffic that the rule in the graph is chosen for; "
        "unset: their share of validation",
    )
    quantize_embeddings: bool = Field(
        True,
        description="embeddings as int8 too: four times smaller, and most of a small model is embeddings; false is for "
        "weights int8 alone",
    )
    weights: Weights = Field(
        "int8",
        description="form of the quantized weights. int4_embeddings: the table of words in 4 bits, in blocks of 32 with a "
        "scale each, which makes it 40% smaller and no less accurate (docs/LOG.md); a query takes a tenth longer. int4: "
        "the matrices too, which makes a query take twice as long",
        json_schema_extra={"key": "unless_default", "often": True},
    )
    parity: ParityConfig = Field(
        ParityConfig(), description="bounds of the parity check", json_schema_extra={"key": "ignore"}
    )
