"""Pin the base model, in each run and never cached: what it is called may move, its digest does not.

(Domain imports are inside the step: a run that finds everything cached does not pay for a Hub client.)
"""

from infra.engine.action import ActionRun, action
from infra.errors import ConfigError
from infra.files import folder_digest
from infra.store.artifacts import KEY_LENGTH
from infra.store.references import STORE_SCHEME
from tasks.formats.kinds import CheckpointRef
from tasks.models.pretrained.config import BaseModelConfig


@action(dry_run=True)
def pin_base_model(run: ActionRun, config: BaseModelConfig) -> CheckpointRef:
    """The base model as a checked folder and its digest; a Hub id's commit is fetched if need be. Or one made here."""
    if config.source.startswith(STORE_SCHEME):
        return _made_here(run, config.source)
    from tasks.models.pretrained.resolve import resolve_base_model

    token = run.settings.hub_token
    pinned = resolve_base_model(
        config, run.settings.home / "models", token.get_secret_value() if token else None
    )

    def digest() -> str:
        return folder_digest(pinned.folder, pinned.files)

    return run.pin(CheckpointRef(uri=pinned.folder.as_uri(), digest=digest()), digest)


def _made_here(run: ActionRun, source: str) -> CheckpointRef:
    """A checkpoint of the store, `artifact:STAGE/KEY`, by as many digits of its key as tell it from others.

    Raises ConfigError when there is none, or several.
    """
    stage, _, key = source.removeprefix(STORE_SCHEME).partition("/")
    found = [record for record in run.store.records(stage) if key and record.key.startswith(key)]
    if len(found) != 1 or found[0].kind != CheckpointRef.__name__:
        there = ", ".join(f"{record.stage}/{record.key[:KEY_LENGTH]}" for record in found) or "none"
        raise ConfigError(
            f"base.source is {source!r}: found {there}, expected one checkpoint of this home, artifact:STAGE/KEY. `stillhouse "
            "artifacts list` shows what there is."
        )
    record = found[0]
    return CheckpointRef(uri=f"{STORE_SCHEME}{record.stage}/{record.key[:KEY_LENGTH]}", digest=record.digest)
