"""Every error that Stillhouse raises on purpose. A message says what was found, what was expected and what to do.

This module imports nothing, so domain code may raise these classes and still run in a notebook.
"""


class StillhouseError(Exception):
    """Root of the tree: catch it to tell a user's problem from a defect of ours."""

    exit_code = 2  # of a flow's command line


class ConfigError(StillhouseError):
    """What was asked cannot be done as asked: a field, a recipe, a setting."""


class DataError(StillhouseError):
    """The rows are not what the stage needs: empty, one class only, a missing column, a wrong encoding."""


class InputChanged(DataError):
    """An input outside the store is no longer what it was when the run began; what was made of it is not kept."""


class WarehouseError(StillhouseError):
    """A query was refused or failed: SQL syntax, a missing table or column, a dialect without counterpart."""


class CostCapError(WarehouseError):
    """The query would read more bytes than its cap; nothing was run."""


class ArtifactError(StillhouseError):
    """An artifact or checkpoint is missing, damaged or not of the expected kind."""


class StageStopped(StillhouseError):
    """Who watches a stage's metrics has seen enough: it ends now, and leaves nothing behind."""


class StageFailed(StillhouseError):
    """A stage's own process ended without a result: it was killed, ran out of memory, or met a fault of ours."""

    exit_code = 1


class NotStarted(StillhouseError):
    """A stage of a group was not begun, because another one had failed."""


class NotReleased(StillhouseError):
    """A run did all that it was asked, and its model may not be released: `result` is what the flow would have returned."""

    def __init__(self, message: str, result: object) -> None:
        super().__init__(message)
        self.result = result


class SeveralFailed(StillhouseError):
    """More than one stage of a group failed: the message has each."""


class StoreError(StillhouseError):
    """The store cannot be read or written: disk full, read-only, no permission, no such bucket."""


class StoreUnreachable(StoreError):
    """The shared store does not answer. The home alone is enough to go on with."""


class HubError(StillhouseError):
    """A repository of models or data sets could not be read or written."""


class ParityError(StillhouseError):
    """An exported model does not answer as the model it was made from."""


class TrackingError(StillhouseError):
    """The tracking server refused or is down. Never stops training: it is caught at the edge and said."""


class BudgetError(StillhouseError):
    """No model keeps the budget: a result of the search, not a mistake. The message says what stands in the way."""

    exit_code = 3


class SandboxError(StillhouseError):
    """Generated code cannot be held here: no bubblewrap, no namespaces, no way to another user. None of it was run."""


class ServiceError(StillhouseError):
    """A local service (Prefect, MLflow) did not start, is not running or does not answer."""


def without_frames(error: BaseException) -> BaseException | None:
    """What an error came from, as text alone: neither it nor the causes before it hold a frame. None without a cause."""
    cause = error.__cause__
    error.__context__ = None
    if cause is None:
        return None
    cause.__cause__ = without_frames(cause)
    return cause.with_traceback(None)
