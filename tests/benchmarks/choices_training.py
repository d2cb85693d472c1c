"""Two defaults of the student's training, tried on validation of two data sets, three seeds each: a Markdown table.

    python -m tests.benchmarks.choices_training --data ../shared/data

Epochs and made texts a row, one changed at a time, of CLINC150 `small` and BANKING77, a teacher each. Of a student in float32:
accuracy of in-scope rows and AUROC of the energy, mean and range. No test row is looked at. What a home has is not computed
again; from nothing it takes over an hour on two cores, less where `STILLHOUSE_TRAININGS` lets several train at once.
"""

import argparse
import statistics
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from infra.cli.flow_run import RunnableFlow  # first: it prepares what Prefect reads
from infra.engine.fan_out import fan_out
from infra.engine.run import open_run
from infra.errors import StillhouseError
from tasks.compression.distillation.stages import distill, teacher_outputs
from tasks.data.curation.config import CurateConfig
from tasks.data.extraction.config import ExtractConfig
from tasks.data.publishing.config import PublishDatasetConfig
from tasks.formats.value import Value
from tasks.search.stages import metrics_of
from tasks.tokenizers.stages import build_tokenizer
from tests.benchmarks.tables import table

from prefect import flow  # isort: skip
from flows.configs.end_to_end import EndToEndConfig  # isort: skip
from flows.configs.sizes import with_value  # isort: skip
from flows.steps import prepare  # isort: skip

SEEDS = (0, 1, 2)
TRIED: Mapping[str, Mapping[str, int]] = {
    "as it is": {},
    "two epochs more": {"distill.epochs": 2},
    "two made texts a row less": {"distill.augment.copies": -2},
}
FIGURES = ("validation_in_scope_accuracy", "validation_out_of_scope_auroc")
WITHOUT_STRANGERS = ("validation_accuracy",)


class Tried(Value):
    """Metrics of each student: by what was changed, then by seed."""

    students: dict[str, dict[int, dict[str, float]]]


@flow(name="choices_training", retries=0)
def try_students(config: EndToEndConfig) -> Tried:
    """The data set's teacher, then each student."""
    with open_run("choices_training", config) as run:
        given = prepare(run, config)
        tokenizer = build_tokenizer(given.config.tokenizer, given.base, given.dataset)
        asked = {
            (name, seed): changed(given.config, changes, seed)
            for name, changes in TRIED.items()
            for seed in SEEDS
        }
        outputs = {
            one: teacher_outputs(config.distill.augment, given.teacher, given.dataset)
            for one, config in asked.items()
        }
        with fan_out() as several:
            students = {
                one: several.call(
                    distill.labelled(f"{one[0]}, seed {one[1]}"),
                    config.distill, given.teacher, outputs[one], tokenizer, given.dataset,
                )
                for one, config in asked.items()
            }  # fmt: skip
        found: dict[str, dict[int, dict[str, float]]] = {name: {} for name in TRIED}
        for (name, seed), student in students.items():
            found[name][seed] = dict(metrics_of(run, student.ref))
        return Tried(students=found)


def changed(config: EndToEndConfig, changes: Mapping[str, int], seed: int) -> EndToEndConfig:
    """The config with some fields raised or lowered, and with another seed."""
    asked = with_value(with_value(config, "distill.seed", seed), "distill.augment.seed", seed)
    for place, by in changes.items():
        section: object = asked
        for name in place.split("."):
            section = getattr(section, name)
        assert isinstance(section, int)
        asked = with_value(asked, place, section + by)
    return asked


def configs(data: Path) -> dict[str, EndToEndConfig]:
    """CLINC150 and BANKING77, each with sizes that follow from its rows."""
    return {
        name: EndToEndConfig(
            extract=ExtractConfig(table=(table,), text_column="text", label_column="intent"),
            dataset=CurateConfig(),
            publish=PublishDatasetConfig(name=f"local/{name}"),
        )
        for name, table in (("clinc150", data / "clinc150" / "small"), ("banking77", data / "banking77"))
    }


def lines(name: str, tried: Tried) -> list[list[str]]:
    """A row a change."""
    rows = []
    for change, by_seed in tried.students.items():
        metrics = list(by_seed.values())
        figures = FIGURES if FIGURES[0] in metrics[0] else WITHOUT_STRANGERS
        told = []
        for figure in figures:
            values = [one[figure] for one in metrics]
            told.append(f"{statistics.mean(values):.4f} ({min(values):.4f}-{max(values):.4f})")
        rows.append([name, change, *told, *[""] * (len(FIGURES) - len(told))])
    return rows


def main(arguments: Sequence[str]) -> int:
    """Run, print the table."""
    parser = argparse.ArgumentParser(
        "python -m tests.benchmarks.choices_training",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--data", type=Path, required=True, help="folder with clinc150 and banking77")
    asked = parser.parse_args(arguments)
    runnable: RunnableFlow[EndToEndConfig, Tried, Tried] = RunnableFlow(
        flow=try_students, summary=lambda tried: tried, exit_code=lambda tried: 0
    )
    try:
        cells = [
            line
            for name, config in configs(asked.data).items()
            for line in lines(name, runnable.run(config, full_verify=False))
        ]
    except StillhouseError as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
        return 2
    print(table(["data set", "student", "in-scope accuracy", "AUROC"], cells, left=(0, 1)))
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
