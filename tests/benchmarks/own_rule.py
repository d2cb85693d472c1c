"""A baseline that was written without a rule gets the one that suits its own logits on validation."""

from pathlib import Path

from tasks.compression.export.ruled import choose_own
from tasks.formats.out_of_scope import RuledLabels
from tasks.formats.value import read_value, write_value
from tasks.inference.runner import open_runner


def give_rule(
    info: Path, kind: type[RuledLabels], dataset: Path, expected_share: float | None
) -> dict[str, float]:
    """Choose the rule of the baseline whose labels are in the file `info`, and write it there.

    Returns the accuracy on validation with the rule. Raises ArtifactError for a damaged baseline, or one whose logits
    are not finite.
    """
    described = read_value(info, kind, "a baseline. Make it again.").model_copy(update={"rule": None})
    write_value(info, described)  # no rule of other weights in the logits that this one is chosen from
    own = choose_own(open_runner(info.parent), info.parent, dataset, expected_share)
    write_value(info, described.model_copy(update={"rule": own.rule}))
    return {"validation_accuracy": own.accuracy}
