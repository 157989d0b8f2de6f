"""Contract of `sessions.sessions`."""

import dataframely as dy
import polars as pl

from data_platform.contracts.contract import PERSONAL, Contract

VERDICTS = {
    "booked": ("ride_done", "ride_open", "end_not_seen", "start_not_seen"),
    "continued": ("ride_of_earlier_session",),
    "failed": ("failed_at_start",),
    "out_of_zone": ("out_of_zone",),
    "abandoned": ("after_booked", "after_found"),
    "looked": ("only_looked",),
    "no_intent": ("no_intent",),
}
"""Each verdict with its reasons."""

_REASONS = tuple(reason for reasons in VERDICTS.values() for reason in reasons)


def _first(what: str) -> dy.Datetime:
    return dy.Datetime(
        time_unit="us",
        time_zone="UTC",
        nullable=True,
        description=f"First event of it that {what}; null: there is none.",
    )


class Sessions(dy.Schema):
    """A visit of one user on one device: events with less than the rules' gap between neighbours."""

    session_id = dy.String(
        primary_key=True, regex="^[0-9a-f-]{36}$", description="UUIDv5 of user, device and the instant it starts."
    )
    day = dy.Date(description="UTC day on which it starts.")
    business_day = dy.Date(description="Day on which it starts in BUSINESS_TIMEZONE.")
    anonymous_id = dy.String(min_length=1, metadata=PERSONAL, description="Who; lower case.")
    device_id = dy.String(min_length=1, metadata=PERSONAL, description="On which device; lower case.")
    started_at = dy.Datetime(time_unit="us", time_zone="UTC", description="Its first event.")
    ended_at = dy.Datetime(time_unit="us", time_zone="UTC", description="Its last event.")
    ended_on = dy.Date(description="UTC day of its last event.")
    num_events = dy.Int64(min=1, description="Events, each once.")
    opened_at = _first("opens the app")
    looked_at = _first("looks for a ride")
    found_at = _first("finds a vehicle")
    booked_at = _first("goes on to book it")
    ride_started_at = _first("starts a ride")
    start_failed_at = _first("fails to start one")
    ride_done_at = _first("ends a ride")
    rated_at = _first("rates one")
    out_of_zone_at = _first("says that the user is out of the zone")
    furthest_step = dy.String(
        nullable=True,
        regex="^(opened|looked|found|booked|started|done)$",
        description="The last step of the funnel that it reached; null: none.",
    )
    verdict = dy.String(
        regex=f"^({'|'.join(VERDICTS)})$",
        description=(
            "Whether the user got a ride. booked: it started one; continued: it only holds the end of a ride that an"
            " earlier session started; failed: the ride did not start; out_of_zone; abandoned: left after finding or"
            " booking; looked: only looked; no_intent: did not even look."
        ),
    )
    reason = dy.String(regex=f"^({'|'.join(_REASONS)})$", description="Why the verdict is what it is.")
    decided_at = dy.Datetime(time_unit="us", time_zone="UTC", description="The event that decided the verdict.")
    decided_by = dy.String(nullable=True, description="The step that this event is; null: no step at all.")
    plain_booked = dy.Bool(
        description="The plain reading, for comparison: any event of the steps under `plain_booked` in the rules."
    )
    num_rides = dy.Int64(min=0, description="Rides that it started.")
    ms_to_ride = dy.Int64(nullable=True, min=0, description="Milliseconds from opening the app to the first ride.")
    ms_riding = dy.Int64(nullable=True, min=0, description="Milliseconds that its first ride took; null: end not seen.")
    continues_ride_at = dy.Datetime(
        time_unit="us", time_zone="UTC", nullable=True,
        description="Start of the earlier session's ride of which it holds the end; null: it holds none.",
    )  # fmt: skip
    num_rides_before_on_day = dy.Int64(
        min=0, description="Rides of the user, on any device, in sessions that started earlier on the same UTC day."
    )
    zone = dy.String(nullable=True, description="Business zone of the first event, such as a city.")
    app_version = dy.String(nullable=True, description="Version of the app at the first event.")
    os_name = dy.String(nullable=True, description="Operating system at the first event.")
    num_other_events = dy.Int64(min=0, description="Of its events, those whose name the rules do not know.")
    is_open = dy.Bool(description="Whether a later event may still change it: known time ends too soon after it.")
    rules_version = dy.String(regex="^[0-9a-f]{12}$", description="Digest of the rules that it was made by.")

    @dy.rule()
    def starts_on_its_day(cls) -> pl.Expr:
        """A row belongs to the UTC day on which the session starts."""
        return pl.col("day") == pl.col("started_at").dt.date()

    @dy.rule()
    def time_runs_forward(cls) -> pl.Expr:
        """A session does not end before it starts."""
        return (pl.col("started_at") <= pl.col("ended_at")) & (pl.col("ended_on") == pl.col("ended_at").dt.date())

    @dy.rule()
    def is_decided_inside(cls) -> pl.Expr:
        """The event that decides is one of the session's own."""
        return pl.col("decided_at").is_between("started_at", "ended_at")

    @dy.rule()
    def who_rides_has_booked(cls) -> pl.Expr:
        """A session that started a ride has the verdict `booked`."""
        return (pl.col("num_rides") == 0) | (pl.col("verdict") == "booked")


CONTRACT = Contract(table="sessions.sessions", rows=Sessions, kept_in="warehouse", day="day")
