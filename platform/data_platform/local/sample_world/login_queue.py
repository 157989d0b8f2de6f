"""The sample app at its queue: sends what its users do now, and counts it as its counters do.

Not here: what is sent (`login_events`), and the queue's server (`queue_server`).
"""

from collections import Counter as Count
from collections.abc import Sequence
from contextlib import closing
from datetime import UTC, datetime
from typing import Any, cast

import boto3
import psycopg2
from pydantic import SecretStr

from data_platform.local.queue_server import CREDENTIALS, DEAD_LETTERS, LOGIN_EVENTS, QueueServer
from data_platform.local.sample_world import login_events, logins

_AT_ONCE = 10
_COUNT = """
INSERT INTO monthly_login_aggregates AS m
    (user_type, user_id, year, month, num_logins, device, d_last_accessed) VALUES (%s, %s, %s, %s, %s, %s, %s)
ON CONFLICT (user_id, year, month, device) DO UPDATE
SET num_logins = m.num_logins + excluded.num_logins, d_last_accessed = excluded.d_last_accessed
"""


def log_in(server: QueueServer, app_url: SecretStr | None, zone: str) -> None:
    """Lets users of the sample app log in: messages in its queue, and as many more in its counters.

    A few messages are of no use, and one of them is among the dead letters already.
    """
    now = datetime.now(UTC)
    counters = [row for row in logins.living(now, zone) if row.month == logins.month_of(now, zone)]
    sent = login_events.living(counters)
    *oddities, dead = login_events.oddities_of_now()
    _send(server, LOGIN_EVENTS, [*(body for _, body in sent), *oddities])
    _send(server, DEAD_LETTERS, [dead])
    if app_url:
        _count(app_url, Count(counter for counter, _ in sent))


def _send(server: QueueServer, queue: str, bodies: Sequence[str]) -> None:
    access_key, secret = CREDENTIALS
    url = server.queue_url(queue)
    client = cast("Any", boto3).client(
        "sqs", endpoint_url=f"http://{server.host}:{server.port}", region_name="us-east-1",
        aws_access_key_id=access_key, aws_secret_access_key=secret,
    )  # fmt: skip
    for begin in range(0, len(bodies), _AT_ONCE):
        entries = [{"Id": str(n), "MessageBody": body} for n, body in enumerate(bodies[begin : begin + _AT_ONCE])]
        client.send_message_batch(QueueUrl=url, Entries=entries)


def _count(app_url: SecretStr, logged_in: Count[logins.Counter]) -> None:
    now = int(datetime.now(UTC).timestamp())
    rows = [
        (row.user_type, row.user_id, row.month.year, f"{row.month.month:02}", number, row.device, now)
        for row, number in logged_in.items()
    ]
    with closing(psycopg2.connect(app_url.get_secret_value())) as connection, connection, connection.cursor() as cursor:
        cursor.executemany(_COUNT, rows)
