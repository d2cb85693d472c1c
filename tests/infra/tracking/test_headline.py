"""What a flow's own run shows is bounded, and is what differs from the defaults."""

from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, create_model

from infra.tracking.headline import METRICS, PARAMETERS, asked, headline


class Section(BaseModel):
    model_config = ConfigDict(frozen=True)

    epochs: int = 3
    rate: float = 0.1
    workers: int = Field(1, json_schema_extra={"key": "ignore"})
    table: Path | None = Field(None, json_schema_extra={"key": "content"})
    splits: dict[str, float] = Field(default_factory=dict)


class Config(BaseModel):
    model_config = ConfigDict(frozen=True)

    train: Section = Section()
    distill: Section = Section(epochs=9)
    name: str = "intents"


def test_nothing_is_shown_of_what_stands_at_its_default() -> None:
    assert asked(Config()) == []


def test_what_differs_is_shown_by_its_dotted_name() -> None:
    config = Config(train=Section(epochs=4, splits={"test": 0.2}), name="")
    assert asked(config) == [("train.epochs", "4"), ("train.splits.test", "0.2"), ("name", "")]


def test_a_section_with_a_default_of_its_own_shows_what_differs_from_its_fields() -> None:
    assert asked(Config(distill=Section(epochs=8))) == [("distill.epochs", "8")]
    assert asked(Config(distill=Section())) == [("distill.epochs", "3")]


def test_a_place_and_what_changes_no_result_are_not_shown(tmp_path: Path) -> None:
    (tmp_path / "table.csv").write_text("text,label")
    config = Config(train=Section(workers=7, table=tmp_path / "table.csv"))
    ((name, digest),) = asked(config)
    assert name == "train.table" and len(digest) == 64


def test_many_parameters_are_cut() -> None:
    fields = {f"field{number}": (int, 0) for number in range(100)}
    wide = create_model("Wide", __config__=ConfigDict(frozen=True), **fields)
    assert len(asked(wide(**dict.fromkeys(fields, 1)))) == PARAMETERS


def test_the_first_columns_of_every_row_come_before_the_last_of_any() -> None:
    rows = [{"name": f"model{n}", "accuracy": 0.9, "p50_ms": None if n == 0 else 1} for n in range(60)]
    points = headline(rows)
    assert len(points) == METRICS
    assert points[0] == ("model0_accuracy", 0.9, 0)
    assert [name for name, _, _ in points].count("model59_accuracy") == 1
    assert "model0_p50_ms" not in {name for name, _, _ in points}
