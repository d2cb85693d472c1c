"""What the parity check found: `report.json` of its artifact. (Apart from the check, which needs PyTorch.)"""

from typing import Literal

from pydantic import Field

from tasks.formats.value import Value

Graph = Literal["onnx", "onnx_int8"]


class Parity(Value):
    """One graph against PyTorch at one batch size."""

    name: Graph
    batch_size: int
    texts: int
    agreement: float = Field(description="share of equal answers")
    difference: float = Field(description="largest difference of a logit")
    relative_difference: float = Field(description="the same as a share of the median text's range of logits")
    worst_text: str = Field(description="the text with the largest difference, its beginning")


class ParityReport(Value):
    """`report.json` of the parity check."""

    longest_tokens: int = Field(description="tokens that the longest texts were cut to")
    onnx_agreement_bound: float
    onnx_difference_bound: float
    int8_agreement_bound: float
    int8_relative_difference_bound: float
    checks: tuple[Parity, ...]
