"""What the HTML report is made of. The stages' own files are read here as far as the report shows them."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from infra.errors import ArtifactError
from tasks.report.summary import RunSummary
from tasks.results.values import BenchmarkReport, EvaluationReport, Value


class View(BaseModel):
    """The part of another stage's file that the report shows; what else is in it is of no concern here."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class ExampleView(View):
    """A row that curation dropped or changed."""

    row: int | None
    text: str
    label: str
    note: str = ""


class StepView(View):
    """One step of curation."""

    name: str
    reason: str
    rows_in: int
    rows_out: int
    changed: int
    examples: tuple[ExampleView, ...]


class CurationView(View):
    """`curation.json` of a curated data set."""

    rows_in: int
    rows_out: int
    splits: dict[str, int]
    steps: tuple[StepView, ...]
    warnings: tuple[str, ...] = ()


class TokenizerView(View):
    """`measurements.json` of a tokenizer: the base model's against the student's on held-out text."""

    mode: str
    split: str
    texts: int
    before: dict[str, float]
    after: dict[str, float]
    coverage: float | None = None
    unchanged_texts: float | None = None


class SourceView(View):
    """A table that rows came from."""

    name: str
    digest: str = ""
    attribution: str | None = None


class ExtractView(View):
    """`extract.json` of an extract, and `provenance.json` over it: the SQL as asked and as run, and whose data it read."""

    sql: str
    sql_executed: str | None = None
    dialect: str
    rows: int
    sources: tuple[SourceView, ...] = ()
    notes: tuple[str, ...] = ()


class LineageNode(Value):
    """One artifact on the way from the sources to the release."""

    id: str = Field(description="unique name, such as artifact:distill/0123abcd")
    name: str = Field(description="stage that made it, or what kind of source it is")
    kind: str = Field(description="kind of the reference, such as CheckpointRef")
    digest: str
    state: Literal["computed", "cached", "source"]
    inputs: tuple[str, ...] = Field(description="ids of what it was made from")


@dataclass(frozen=True)
class ReportInputs:
    """Values and image files of one run; a part that is missing is left out of the page."""

    title: str
    summary: RunSummary
    evaluation: EvaluationReport
    benchmark: BenchmarkReport
    plots: Sequence[Path] = ()
    curation: CurationView | None = None
    tokenizer: TokenizerView | None = None
    extract: ExtractView | None = None
    curves: Mapping[str, Mapping[str, Sequence[tuple[int, float]]]] = field(default_factory=dict)
    lineage: Sequence[LineageNode] = ()
    config: str = ""
    links: Mapping[str, str] = field(default_factory=dict)


Shown = TypeVar("Shown", bound=View)


def read_view(path: Path, kind: type[Shown], over: str = "") -> Shown:
    """Read a stage's JSON as far as the report shows it, with the fields of the file `over` beside it, where there is one.

    Raises ArtifactError when it is something else.
    """
    try:
        fields = json.loads(path.read_text(encoding="utf-8"))
        if over and (path.parent / over).is_file():
            fields |= json.loads((path.parent / over).read_text(encoding="utf-8"))
        return kind.model_validate(fields)
    except (OSError, ValueError, ValidationError) as error:
        raise ArtifactError(
            f"{path} cannot be shown ({error}): expected a {kind.__name__}. Run its stage again."
        ) from error
