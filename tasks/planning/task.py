"""Plan: sizes from the curated data, printed before anything long begins."""

from infra.artifact import DatasetRef
from infra.stage import ActionRun, action
from tasks.planning.defaults import Plan, plan_sizes


@action(dry_run=True)
def plan_run(run: ActionRun, dataset: DatasetRef) -> Plan:
    """Choose sizes from the data and say them, with the time that training is going to take."""
    from tasks.labelled_text.dataset import load_info

    info = load_info(run.path(dataset))
    plan = plan_sizes(info)
    rows = ", ".join(f"{count:,} {split}" for split, count in info.rows.items())
    run.flow.say(
        f"  {rows}; {len(info.labels)} labels; a text has {info.words_p50} words (99%: {info.words_p99})"
    )
    run.flow.say(
        f"  chosen from the data: teacher {plan.teacher_epochs} epochs; student {plan.student_layers} layers, "
        f"{plan.student_epochs} epochs, {plan.augmented_copies} made texts a row; {plan.vocabulary_size:,} tokens, "
        f"texts cut at {plan.max_length}. About {plan.seconds / 60:.0f} min on two cores if nothing is cached."
    )
    return plan
