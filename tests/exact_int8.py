"""Whether ONNX Runtime's int8 products are those of the integers on this processor."""

import cpuinfo
import pytest

from infra.cli.doctor import INT8_FLAGS

# On AVX2 alone, products of unsigned by signed bytes are added in 16 bits, and saturate (ONNX Runtime's documentation of
# quantization, "When and why do I need to try U8U8?").
EXACT_INT8 = bool(set(INT8_FLAGS) & set(cpuinfo.get_cpu_info().get("flags", [])))
needs_exact_int8 = pytest.mark.skipif(
    not EXACT_INT8,
    reason="needs a processor with int8 dot products (VNNI): on others ONNX Runtime's products saturate",
)
