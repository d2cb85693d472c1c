"""What is done about a training beside it: look whether a base model has a head, push milestones."""

from infra.engine.action import ActionRun, action
from infra.hub.connect import open_hub
from tasks.formats.kinds import CheckpointRef
from tasks.formats.milestones import PushedMilestones, milestones_of
from tasks.formats.value import Value


class FoundHead(Value):
    """Whether a base model comes with a head for masked language modelling."""

    found: bool


@action(dry_run=True)
def find_head(run: ActionRun, base: CheckpointRef) -> FoundHead:
    """Look at the names of the base model's weights."""
    from tasks.models.lm_heads import has_head

    return FoundHead(found=has_head(run.path(base)))


@action(version=1)
def push_milestones(run: ActionRun, repo: str, model: CheckpointRef) -> PushedMilestones:
    """Each milestone of `model` as a commit on the run's branch of a repository, also where its stage was a hit.

    They never become `main`. Pushed again, they are found there.
    """
    hub, source = open_hub(run.settings), run.source(repo, model=model)
    pushed = {
        step: hub.push("model", repo, folder, f"Step {step}", source=source, main=False).revision
        for step, folder in milestones_of(run.path(model))
    }
    run.flow.say(f"  pushed   {len(pushed)} milestones to {hub.address('model', repo)}")
    return PushedMilestones(repo=hub.name(repo), revisions=pushed)
