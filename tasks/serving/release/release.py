"""Put the folder of a release together: the packaged model, its card, and the plots that the card shows."""

import shutil
from pathlib import Path

from tasks.evaluation.comparison import compare
from tasks.evaluation.tradeoff_plot import plot_tradeoff
from tasks.formats.benchmark_report import BenchmarkReport
from tasks.formats.dataset import load_info
from tasks.formats.evaluation_report import EvaluationReport
from tasks.formats.gate_verdict import GateVerdict
from tasks.formats.pictures import find_plots
from tasks.formats.report_file import read_report
from tasks.serving.release.card import CardFacts, read_attributions, write_card
from tasks.serving.release.house import Candidate
from tasks.serving.release.package import RELEASED, read_package

PLOTS = "plots"


def assemble(candidate: Candidate, scratch: Path) -> Path:
    """The folder of a candidate's release, inside of `scratch`: model, card and plots."""
    config, evidence = candidate.config, candidate.evidence
    own = [sentence for extract in evidence.extracts() for sentence in read_attributions(extract)]
    facts = CardFacts(
        config=config,
        model=read_package(evidence.path("package")),
        verdict=read_report(evidence.path("verdict"), GateVerdict),
        evaluation=read_report(evidence.path("evaluation"), EvaluationReport),
        benchmark=read_report(evidence.path("benchmark"), BenchmarkReport),
        parity=evidence.parity(),
        dataset=load_info(evidence.path("dataset")),
        published=candidate.published,
        # What the config says of the sources, and what their licences want said: it travels with the rows.
        attributions=tuple(dict.fromkeys(sentence for sentence in (config.attribution, *own) if sentence)),
        base_model=candidate.base_model,
        package_digest=candidate.package,
    )
    plot_tradeoff(compare(facts.evaluation, facts.benchmark), scratch / "tradeoff.png")
    plots = find_plots(evidence.path("evaluation"), evidence.path("benchmark"))
    return assemble_release(
        evidence.path("package"), facts, (scratch / "tradeoff.png", *plots), scratch / "release"
    )


def assemble_release(package: Path, facts: CardFacts, plots: tuple[Path, ...], target: Path) -> Path:
    """Write the files of a release into `target`; the same inputs give the same bytes."""
    for name in RELEASED:
        (target / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(package / name, target / name)
    (target / PLOTS).mkdir(parents=True, exist_ok=True)
    names = []
    for plot in plots:
        shutil.copyfile(plot, target / PLOTS / plot.name)
        names.append(f"{PLOTS}/{plot.name}")
    write_card(facts, tuple(names), target / "README.md")
    return target
