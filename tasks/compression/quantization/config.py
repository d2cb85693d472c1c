"""What is asked of quantization: one method, and the options of each."""

from typing import Literal

from pydantic import Field

from tasks.formats.asked import Asked
from tasks.training.config import LoopConfig

Method = Literal["none", "dynamic", "static", "qat", "weights4bit", "torch_dynamic", "openvino"]
Ranges = Literal["min_max", "percentile", "entropy"]


class CalibrationConfig(Asked):
    """From which texts, and how, the fixed ranges of activations are found."""

    ranges: Ranges = Field(
        "min_max",
        description="min_max: all that was seen; percentile: without the rarest values; entropy: the range whose "
        "int8 form keeps most of the distribution",
    )
    percentile: float = Field(
        99.999, gt=50, le=100, description="share of values within the range, in percent; for percentile"
    )
    bins: Literal[512, 1024, 2048, 4096, 8192] = Field(
        4096, description="bins of the histogram of an activation, for percentile and entropy"
    )
    texts: int = Field(512, ge=1, le=100_000, description="training texts that are run for it")


class FallbackConfig(Asked):
    """When layers go back to float32."""

    agreement: float | None = Field(
        None,
        ge=0,
        le=1,
        description="share of texts that int8 must answer as float32 does; layers that hurt go back to float32 until it "
        "does; unset: all are int8",
    )
    texts: int = Field(512, ge=1, le=100_000, description="validation texts it is measured on")


class Weights4BitConfig(Asked):
    """Blocks of weights that share a scale, four bits each."""

    block_size: Literal[16, 32, 64, 128] = Field(32, description="weights of a row that share a scale")
    matrices: Literal["4bit", "int8"] = Field(
        "int8",
        description="4bit: matrices too; int8: embeddings alone are 4 bits and matrices dynamic int8, which is faster",
    )


class QatConfig(LoopConfig):
    """Quantization-aware training: the loop's options, with defaults for a few epochs from a trained model."""

    epochs: int | None = Field(2, ge=1, le=1000, description="passes over the rows")
    learning_rate: float = Field(
        1e-5,
        gt=0,
        le=1,
        description="peak rate of AdamW: a tenth of fine-tuning's, for little is to be learned",
    )
    range_momentum: float = Field(
        0.02, gt=0, le=1, description="share of each batch's range in the moving range of an activation"
    )


class QuantizationConfig(Asked):
    """How a model becomes smaller and faster by fewer bits."""

    method: Method = Field(
        "dynamic",
        description="dynamic: int8, ranges of activations from each text; static: ranges fixed by calibration; qat: "
        "trained for int8, then dynamic; weights4bit: embeddings or all weights as 4 bits; torch_dynamic: int8 in "
        "PyTorch; openvino: static int8 for OpenVINO; none: float32",
    )
    embeddings: bool = Field(
        True, description="embeddings too: most of a small model is embeddings; openvino decides itself"
    )
    calibration: CalibrationConfig = Field(CalibrationConfig(), description="for static and openvino")
    fallback: FallbackConfig = Field(FallbackConfig(), description="for dynamic, qat and static")
    weights4bit: Weights4BitConfig = Field(Weights4BitConfig(), description="for weights4bit")
    qat: QatConfig = Field(QatConfig(), description="for qat")
