"""What can go wrong, as two kinds of exception: what another try can mend, and what it cannot.

Each message is one sentence: what happened, where, what was expected and how to mend it. Messages never carry a
password, a file's content or personal data. Bad *input* is not an error but a reject (`contracts/rejects.py`).
"""


class PlatformError(Exception):
    """Base of every error that the platform raises on purpose."""


class PermanentError(PlatformError):
    """The same call fails again until somebody changes code, settings or data."""


class TransientError(PlatformError):
    """Infrastructure was not there; the same call may succeed later. Nothing was changed."""
