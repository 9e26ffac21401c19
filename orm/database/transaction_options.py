"""What can be asked of a transaction."""

from __future__ import annotations

from dataclasses import dataclass, replace

from orm.database.interfaces import BeginOptions, Capabilities
from orm.exceptions import InterfaceError, NotSupportedError


@dataclass(frozen=True, slots=True)
class TransactionOptions:
    """How a block is to be; `Database.transaction` explains them."""

    isolation: str | None = None
    read_only: bool = False
    deferrable: bool = False
    durable: bool = False
    shared: bool = False
    retries: int = 0
    timeout: float | None = None
    force_rollback: bool = False

    @property
    def begin(self) -> BeginOptions:
        """What the driver is told."""
        return BeginOptions(self.isolation, self.read_only, self.deferrable)

    @property
    def only_outermost(self) -> bool:
        """Whether it asks for what a savepoint cannot have."""
        return self.durable or self.deferrable or self.isolation is not None

    def checked(self, able: Capabilities, engine: str) -> TransactionOptions:
        """The same, with the isolation level in SQL's spelling.

        Raises:
            NotSupportedError: the database cannot do what is asked.
            InterfaceError: a number is out of range.
        """
        isolation = self.isolation
        if isolation is not None:
            isolation = isolation.upper().replace("_", " ")
            if isolation not in able.isolation_levels:
                choices = ", ".join(sorted(able.isolation_levels)) or "none"
                raise NotSupportedError(f"{engine} has no isolation level {isolation!r}. Choose from: {choices}.")
        if self.read_only and not able.read_only:
            raise NotSupportedError(f"{engine} has no read-only transactions. Leave read_only away.")
        if self.deferrable and not able.deferrable:
            raise NotSupportedError(f"{engine} has no deferrable transactions. Leave deferrable away.")
        if self.retries < 0:
            raise InterfaceError(f"retries must be at least 0, not {self.retries!r}.")
        if self.timeout is not None and not self.timeout > 0:
            raise InterfaceError(f"timeout must be a number of seconds greater than 0, not {self.timeout!r}.")
        return replace(self, isolation=isolation)
