"""The running stack as a Dagster resource: opened at its first use in a run, never while definitions load."""

from datetime import UTC, datetime

import dagster as dg
from pydantic import PrivateAttr

from data_platform import settings, stack
from data_platform.defs.retries import permanent_errors_are_final
from data_platform.publish import protocol


class Storage(dg.ConfigurableResource):  # pyright: ignore[reportMissingTypeArgument]
    """Warehouse, lake and landing prefix, as the settings name them."""

    _stack: stack.Stack | None = PrivateAttr(default=None)
    _read_at: datetime | None = PrivateAttr(default=None)

    def open(self) -> stack.Stack:
        """The stack; its first use since the last output also notes when reading began.

        Raises:
            dagster.Failure: It cannot be opened, and another try will not mend that.
        """
        with permanent_errors_are_final():
            if self._stack is None:
                self._stack = stack.open_stack(settings.load())
            if self._read_at is None:
                self._read_at = protocol.clock(self._stack.warehouse)
            return self._stack

    def end_of_reading(self) -> datetime:
        """When reading for the present output began; the next output starts anew."""
        began, self._read_at = self._read_at, None
        return began or datetime.now(tz=UTC)
