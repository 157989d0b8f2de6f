"""A delivered report, and who is to be told of it by which server."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from pydantic import SecretStr

from data_platform.lake.store import Store
from data_platform.publish.delivered import DeliveredFile
from data_platform.publish.mailing import Mailer
from data_platform.settings import Settings
from data_platform.warehouse.connection import Warehouse
from platform_tests.publish.deliveries import Stand

ANN, BOB = "ann@example.com", "bob@example.org"
TITLE = "Zähler, Tag für Tag"
FROM = "reports@example.com"


@dataclass(frozen=True)
class Office:
    """A delivered report, and who is to be told of it by which server."""

    stand: Stand
    files: list[DeliveredFile]
    settings: dict[str, Any]

    def mailer(self, **changes: Any) -> Mailer:
        settings = Settings(**(self.settings | changes))
        return Mailer(self.stand.warehouse, self.stand.reports, settings)

    def tell(self, *recipients: str, again: bool = False, title: str = TITLE, **changes: Any) -> list[str]:
        failures = self.mailer(**changes).tell(self.files, title, recipients or (ANN, BOB), again=again)
        for failure in failures:
            assert "\n" not in failure
            assert failure.endswith(".")
            assert "hunter2" not in failure
            assert ANN not in failure
            assert BOB not in failure
        return failures

    def booked(self) -> list[tuple[str, int, bool, bool]]:
        """Recipient, version, whether it is known to have been sent, whether it is known to have failed."""
        sql = (
            "SELECT recipient, version, sent_at IS NOT NULL AS s, failure IS NOT NULL AS f FROM mailings ORDER BY 1, 2"
        )
        return [(*row,) for row in self.stand.ask(sql)]

    def deliver(self, *readings: str, **changes: Any) -> "Office":
        """The next version."""
        self.stand.say(*readings)
        files = self.stand.deliver(f"run {readings} {changes}", self.stand.maker(**changes)).files
        return replace(self, files=[*files])


def office_of(warehouse: Warehouse, lake: Store, reports: Store, folder: Path, mail_url: str) -> Office:
    stand = Stand(warehouse, lake, reports, folder / "meters.txt")
    settings = {"mail_url": SecretStr(mail_url), "mail_from": FROM}
    return Office(stand, [], settings).deliver("a,1", "b,2")
