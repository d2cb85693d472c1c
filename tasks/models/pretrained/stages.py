"""Pin the base model, in each run and never cached: what it is called may move, its digest does not.

(Domain imports are inside the step: a run that finds everything cached does not pay for a Hub client.)
"""

from infra.engine.action import ActionRun, action
from infra.files import folder_digest
from tasks.formats.kinds import CheckpointRef
from tasks.models.pretrained.config import BaseModelConfig


@action(dry_run=True)
def pin_base_model(run: ActionRun, config: BaseModelConfig) -> CheckpointRef:
    """The base model as a checked folder and its digest; a Hub id's commit is fetched if need be."""
    from tasks.models.pretrained.resolve import resolve_base_model

    token = run.settings.hub_token
    pinned = resolve_base_model(
        config, run.settings.home / "models", token.get_secret_value() if token else None
    )

    def digest() -> str:
        return folder_digest(pinned.folder, pinned.files)

    return run.pin(CheckpointRef(uri=pinned.folder.as_uri(), digest=digest()), digest)
