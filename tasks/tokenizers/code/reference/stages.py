"""Pin the tokenizer that ours is compared with, in each run and never cached: what it is called may move, its digest does not.

(Domain imports are inside the step: a flow that compares with none does not pay for them.)
"""

from infra.engine.action import ActionRun, action
from infra.files import folder_digest
from tasks.formats.kinds import TokenizerRef
from tasks.tokenizers.code.reference.config import ReferenceTokenizerConfig


@action(dry_run=True)
def pin_reference_tokenizer(run: ActionRun, config: ReferenceTokenizerConfig) -> TokenizerRef:
    """The tokenizer as a folder and the digest of its tokenizer.json; it is fetched if need be."""
    from tasks.tokenizers.code.reference.resolve import resolve_reference
    from tasks.tokenizers.files import TOKENIZER_FILE

    token = run.settings.hub_token
    folder = resolve_reference(
        config, run.settings.home / "tokenizers", token.get_secret_value() if token else None
    )

    def digest() -> str:
        return folder_digest(folder, (folder / TOKENIZER_FILE,))

    return run.pin(TokenizerRef(uri=folder.as_uri(), digest=digest()), digest)
