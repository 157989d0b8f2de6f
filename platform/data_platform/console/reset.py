"""Deletes the embedded stack's data under LOCAL_DIR: Postgres, lake, Dagster's home, queue, keys; nothing else."""

import shutil

from data_platform import settings as settings_module
from data_platform.console.lock import Lock
from data_platform.errors import PermanentError
from data_platform.local import postgres, queue_server

_PARTS = ("lake", "dagster", "postgres", "queue", "keys")


def reset(*, yes: bool) -> int:
    """Asks, unless told not to, then deletes.

    Returns:
        The exit code: 0, also where there was nothing; 1 when the answer was no.

    Raises:
        PermanentError: The UI is up.
    """
    folder = settings_module.load().local_dir.absolute()
    parts = [folder / name for name in _PARTS if (folder / name).exists()]
    if not parts:
        print("There is nothing to delete.")
        return 0
    lock = Lock(folder / "up.lock")
    if not lock.take():
        raise PermanentError("The UI is up and works with this data; stop it with `make down` first.")
    with lock:
        print("This deletes " + ", ".join(str(part) for part in parts) + ".")
        if not yes and not _agrees():
            print("Nothing was deleted.")
            return 1
        postgres.stop(folder / "postgres")
        queue_server.stop(folder / "queue")
        for part in parts:
            shutil.rmtree(part)
    print("Deleted. `make run` starts anew.")
    return 0


def _agrees() -> bool:
    try:
        return input("Type yes to delete: ").strip().lower() == "yes"
    except EOFError:  # nobody is there to ask
        return False
