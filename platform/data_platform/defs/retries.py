"""When a failed step is tried again: only after a fault that another try can mend."""

from collections.abc import Iterator
from contextlib import contextmanager

import dagster as dg

from data_platform.errors import PermanentError
from data_platform.settings import SettingsError

RETRY_TRANSIENT = dg.RetryPolicy(max_retries=2, delay=2, backoff=dg.Backoff.EXPONENTIAL, jitter=dg.Jitter.PLUS_MINUS)


@contextmanager
def permanent_errors_are_final() -> Iterator[None]:
    """Turns an error that no other try can mend into a failure that is not tried again."""
    try:
        yield
    except (PermanentError, SettingsError) as error:
        raise dg.Failure(str(error), allow_retries=False) from error
