"""How long is trained: passes over the rows, steps, or tokens. Never seconds: who trains faster would get another model."""

from typing import NamedTuple

from infra.errors import ConfigError


class Budget(NamedTuple):
    """One of the three; a key has it as it was given, and the rows that make steps of it are in the key as well."""

    epochs: int | None = None
    steps: int | None = None
    tokens: int | None = None

    def to_steps(self, steps_per_epoch: int, tokens_per_epoch: int) -> int:
        """Optimiser steps. Raises ConfigError when none or several are given."""
        given = [name for name, value in self._asdict().items() if value is not None]
        if len(given) != 1:
            raise ConfigError(
                f"{' and '.join(given) or 'neither epochs, steps nor tokens'} "
                f"{'are' if len(given) > 1 else 'is'} set: expected one of epochs, steps and tokens. Give --<stage>.epochs."
            )
        if self.epochs is not None:
            return self.epochs * steps_per_epoch
        return self.steps or max(1, -(-(self.tokens or 0) * steps_per_epoch // tokens_per_epoch))
