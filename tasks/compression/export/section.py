"""What an export has to show: its graph, and whether that and the quantized one answer as PyTorch does."""

from pathlib import Path

from tasks.compression.export.parity_report import ParityReport
from tasks.formats.model_facts import answer_facts, read_json
from tasks.formats.report_file import REPORT_FILE, read_report
from tasks.formats.section import Column, Section, Table

GRAPH_READS, PARITY_READS = ("config.json",), (REPORT_FILE,)
COLUMNS = (
    Column(name="name", heading="graph"),
    Column(name="batch_size", heading="batch"),
    Column(name="texts", heading="texts"),
    Column(name="agreement", heading="equal answers", places=4),
    Column(name="agreement_bound", heading="at least"),
    Column(name="difference", heading="largest difference\nof a logit", places=6),
    Column(name="relative_difference", heading="as a share\nof the range", places=6),
    Column(name="difference_bound", heading="at most"),
    Column(name="worst_text", heading="where"),
)


def exported_section(folder: Path) -> Section:
    """The graph of float32."""
    return graph_section("ONNX", folder)


def parity_section(folder: Path) -> Section:
    """Each graph against PyTorch, alone and in batches, with the bounds that were held."""
    report = read_report(folder, ParityReport)
    bounds = {
        "onnx": (report.onnx_agreement_bound, report.onnx_difference_bound),
        "onnx_int8": (report.int8_agreement_bound, report.int8_relative_difference_bound),
    }
    rows = [
        check.model_dump()
        | dict(zip(("agreement_bound", "difference_bound"), bounds[check.name], strict=True))
        for check in report.checks
    ]
    note = (
        f"Texts in, not token ids, the longest cut to {report.longest_tokens} tokens. The bound of onnx is on the difference, "
        "that of onnx_int8 on its share of the median text's range of logits."
    )
    return Section(
        title="Parity with PyTorch", tables=(Table(columns=COLUMNS, rows=tuple(rows)),), notes=(note,)
    )


def graph_section(title: str, folder: Path) -> Section:
    """A graph has the shape of its checkpoint: what is its own is how it answers."""
    return Section(title=title, facts=answer_facts(read_json(folder / "config.json")))
