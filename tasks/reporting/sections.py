"""The stages' sections as the page has them: with training curves, with what is missing said, each under a name of its own."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from tasks.figures.curves import curve_figures
from tasks.formats.section import Column, Section, Table, words
from tasks.reporting.summary import StageSummary
from tasks.training.course import course_of

SHORT = 12  # digits of a digest, enough to find it by
TIMES = (
    Column(name="name", heading="stage"),
    Column(name="state", heading="state"),
    Column(name="seconds", heading="seconds", places=1, meter=True),
    Column(name="key", heading="key", code=True),
    Column(name="digest", heading="digest", code=True),
)
Curves = Mapping[str, Sequence[tuple[int, float]]]


def page_section(stage: str, section: object, problem: str | None, curves: Curves) -> Section | None:
    """A stage's section with its step metrics drawn; None for a stage that has nothing to show.

    What a stage declared is whatever its author returned: raises TypeError when that is no Section.
    """
    if section is not None and not isinstance(section, Section):
        raise TypeError(
            f"the section of {stage} is a {type(section).__name__}: expected a Section. Correct it."
        )
    course = course_of(curves)
    figures = curve_figures(course.drawn, course.kept)
    if section is None and not figures and problem is None:
        return None
    shown = section or Section(title=words(stage).capitalize())
    warnings = (problem,) if problem is not None else ()
    return shown.model_copy(
        update={
            "figures": shown.figures + figures,
            "warnings": shown.warnings + warnings,
            "lines": shown.lines + course.lines,
        }
    )


def labelled(section: Section | None, label: str) -> Section | None:
    """A section with what the flow called its stage on: `Packed texts: general`."""
    if section is None or not label:
        return section
    return section.model_copy(update={"title": f"{section.title}: {label}"})


def told_apart(found: Iterable[tuple[str, Section | None]]) -> tuple[Section, ...]:
    """Sections, where there are, with the keys of their artifacts: of equal titles each is given the start of its key."""
    sections = [(key, section) for key, section in found if section is not None]
    often = Counter(section.title for _, section in sections)
    return tuple(
        section.model_copy(update={"title": f"{section.title} {key[:8]}"})
        if often[section.title] > 1
        else section
        for key, section in sections
    )


def times_section(stages: Sequence[StageSummary], seconds: float) -> Section:
    """How long each stage took in this run; one that was cached, how long it was looked for."""
    cached = tuple(stage for stage in stages if stage.state == "cached")
    rows = tuple(
        stage.model_dump() | {"name": stage.shown, "key": stage.key[:SHORT], "digest": stage.digest[:SHORT]}
        for stage in stages
    )
    return Section(
        title="Times",
        lines=(f"{seconds:.0f} s in all; {len(cached)} of {len(stages)} stages were cached.",),
        tables=(Table(columns=TIMES, rows=rows),),
    )
