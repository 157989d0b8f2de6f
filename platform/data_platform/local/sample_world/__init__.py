"""A small invented world that sends what the real one sends, oddities included; the same for everybody."""

from data_platform.lake.store import Store
from data_platform.local.sample_world.leads import deliveries
from data_platform.settings import Settings


def drop_sample_files(settings: Settings, landing: Store, *, anything_arrived: bool) -> int:
    """Puts the sample world's files into the embedded stack while nothing has arrived there; never beside real ones.

    Returns:
        How many files were dropped.
    """
    own_stack = settings.warehouse_url or settings.lake_uri or settings.landing_uri
    if own_stack or anything_arrived or landing.list():
        return 0
    return sum(landing.create(f"leads/{delivery.file_name}", delivery.content) for delivery in deliveries())
