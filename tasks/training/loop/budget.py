"""How long is trained: passes over the rows, steps, or tokens. Never seconds: who trains faster would get another model."""

from typing import NamedTuple

from infra.errors import ConfigError


class Budget(NamedTuple):
    """Steps or tokens where one of them is given, in place of epochs, which the data may have chosen.

    A key has them as they were given, and the rows that make steps of them are in the key as well.
    """

    epochs: int | None = None
    steps: int | None = None
    tokens: int | None = None

    def to_steps(self, steps_per_epoch: int, tokens_per_epoch: int) -> int:
        """Optimiser steps. Raises ConfigError when none is given, or both steps and tokens."""
        if self.steps is not None and self.tokens is not None:
            raise ConfigError(
                f"steps is {self.steps} and tokens is {self.tokens}: expected one of the two. Leave one of them out."
            )
        if self.steps is not None:
            return self.steps
        if self.tokens is not None:
            return max(1, -(-self.tokens * steps_per_epoch // tokens_per_epoch))
        if self.epochs is None:
            raise ConfigError(
                "epochs is not set: expected a number of passes over the rows. Give --<stage>.epochs."
            )
        return self.epochs * steps_per_epoch
