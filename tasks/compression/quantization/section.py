"""What a quantized graph has to show."""

from pathlib import Path

from tasks.compression.export.section import graph_section
from tasks.formats.section import Section


def quantized_section(folder: Path) -> Section:
    """The graph of small weights, whose threshold was chosen anew."""
    return graph_section("Quantized ONNX", folder)
