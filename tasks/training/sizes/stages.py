"""Plan: sizes from the curated data, printed before anything long begins."""

from infra.engine.action import ActionRun, action
from tasks.formats.kinds import CheckpointRef, DatasetRef
from tasks.models.shape import AskedShapes, check_shapes
from tasks.training.sizes.config import GivenSizes, Plan
from tasks.training.sizes.defaults import plan_sizes

SIZES = "stillhouse.sizes"


@action(dry_run=True)
def plan_run(run: ActionRun, given: GivenSizes, dataset: DatasetRef) -> Plan:
    """Choose the sizes that are not given and say all of them, with the time that training is going to take."""
    from tasks.formats.dataset import load_info

    info = load_info(run.path(dataset))
    plan = plan_sizes(info, given)
    rows = ", ".join(f"{count:,} {split}" for split, count in info.rows.items())
    run.flow.say(
        f"  {rows}; {len(info.labels)} labels; a text has {info.words_p50} words (99%: {info.words_p99})"
    )
    run.flow.say(
        f"  {_origin(given)}: teacher {plan.teacher_epochs} epochs; student {plan.student_layers} layers, "
        f"{plan.student_epochs} epochs, {plan.augmented_copies} made texts a row; {plan.vocabulary_size:,} tokens, "
        f"texts cut at {plan.max_length}. About {plan.seconds / 60:.0f} min on two cores if nothing is cached."
    )
    sizes = ", ".join(f"{name} {size}" for name, size in plan.model_dump(exclude={"seconds"}).items())
    run.tracker.tag(run.flow.mlflow_run_id, {SIZES: sizes})
    return plan


@action(dry_run=True)
def check_students(run: ActionRun, asked: AskedShapes, base: CheckpointRef) -> AskedShapes:
    """Refuse what the base model is too small for, before anything is trained."""
    check_shapes(asked, run.path(base))
    return asked


def _origin(given: GivenSizes) -> str:
    known = given.model_dump(exclude_none=True)
    if not known:
        return "chosen from the data"
    return "given" if len(known) == len(GivenSizes.model_fields) else "given, or chosen from the data"
