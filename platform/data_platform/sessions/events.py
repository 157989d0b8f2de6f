"""Delivered files into mobile events: which days a file holds, the events of a day, and what could not be used."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, timedelta

import polars as pl

from data_platform import intake
from data_platform.ahead import read_ahead
from data_platform.contracts.days import FIRST_DAY
from data_platform.contracts.delivered_events import DeliveredEvents
from data_platform.contracts.delivered_file import DeliveredFile
from data_platform.contracts.mobile_events import CONTENT, MobileEvents
from data_platform.contracts.outcome import Outcome
from data_platform.contracts.rejects import Rejects
from data_platform.contracts.tallies import Tallies

LATEST_DAY = timedelta(days=1)
"""An app's clock may be ahead, and its day begin earlier: an event may be of so much later a day than its delivery."""

_COLUMNS = {
    "anonymous_id": "anonymous_id",
    "business_zoned": "zone",
    "context_app_version": "app_version",
    "context_device_id": "device_id",
    "context_os_name": "os_name",
    "event_name": "event_name",
    "received_at": "received_at",
    "created_at": "created_at",
}
# The first two say no more than those after them, and Polars reads them several times as fast; the last is as Postgres
# writes it: an offset without minutes.
_FORMS = (
    "%Y-%m-%dT%H:%M:%S.%3fZ", "%Y-%m-%d %H:%M:%S.%3f",
    "%Y-%m-%d %H:%M:%S%.f", "%+", "%Y-%m-%dT%H:%M:%S%.f", "%Y-%m-%d %H:%M:%S%.f%#z",
)  # fmt: skip
_WHY = {
    "blank_id": "expected an anonymous_id and a context_device_id, found a blank; ask the sender",
    "blank_event_name": "expected an event_name, found a blank; ask the sender",
    "unparsable_time": "expected times such as 2026-10-05T10:11:12.345Z in created_at and received_at; ask the sender",
    "in_the_future": "created_at lies more than a day after the delivery; ask the sender about the app's clock",
    "before_first_day": f"created_at lies before {FIRST_DAY}, the platform's first day; ask the sender",
}


@dataclass(frozen=True)
class EventBatch:
    """Events of a file, columns of `MobileEvents`, and its records that are none, columns of `Rejects`."""

    events: pl.DataFrame
    rejects: pl.DataFrame


Reading = Callable[[DeliveredFile], Iterable[EventBatch]]


def read(file: DeliveredFile) -> Iterator[EventBatch]:
    """Reads a delivered file, batch by batch.

    Ids are compared in lower case. A time without a zone is UTC. What cannot be used is a reject: `blank_id`,
    `blank_event_name`, `unparsable_time`, `in_the_future`, `before_first_day`, and those of `intake.read_named`; a
    file that cannot be read at all, or lacks a column, is one reject as a whole.

    Args:
        file: Delimited text, JSON lines or Parquet, in gzip or not; docs/sessions.md has the columns.
    """
    try:
        for batch in read_ahead(intake.read_named(file.chunks(), list(_COLUMNS))):
            judged = _judged(batch.records, file.day)
            yield EventBatch(
                judged.filter(pl.col("reason").is_null())
                .with_columns(evidence_id=pl.lit(file.evidence_id))
                .select(MobileEvents.column_names()),
                _rejects(file, [batch.rejects, _turned_down(judged)]),
            )
    except (intake.NotDelimitedText, intake.UnknownLayout) as error:
        num_records = max(error.num_records, 1) if isinstance(error, intake.UnknownLayout) else 1
        whole = (None, None, 0, file.num_bytes, num_records, error.reason, f"{error}; ask the sender")
        rejects = pl.DataFrame([whole], schema=intake.REJECTS, orient="row")
        yield EventBatch(MobileEvents.create_empty(), _rejects(file, [rejects]))


def delivered(files: Iterable[DeliveredFile], reading: Reading = read) -> Outcome:
    """How many events of which day each file holds.

    Args:
        files: What was delivered.
        reading: Reads a file, as `read` does.

    Returns:
        Columns of `DeliveredEvents`, with rejects and, for each file, records in = events + rejects.
    """
    parts: list[Outcome] = []
    for file in files:
        counts: list[pl.DataFrame] = []
        rejects: list[pl.DataFrame] = []
        for batch in reading(file):
            counts.append(batch.events.group_by(event_day="day").agg(num_events=pl.len().cast(pl.Int64)))
            rejects.append(batch.rejects)
        by_day = pl.concat(counts).group_by("event_day").agg(pl.col("num_events").sum()).sort("event_day")
        rows = by_day.with_columns(day=pl.lit(file.day), evidence_id=pl.lit(file.evidence_id))
        bad = pl.concat(rejects)
        tally = _tally(file, num_used=int(rows["num_events"].sum()), num_rejected=int(bad["num_records"].sum()))
        parts.append(Outcome(rows.select(DeliveredEvents.column_names()), bad, tally))
    return Outcome(
        pl.concat([DeliveredEvents.create_empty(), *(part.rows for part in parts)]),
        pl.concat([Rejects.create_empty(), *(part.rejects for part in parts)]),
        pl.concat([Tallies.create_empty(), *(part.tally for part in parts)]),
    )


def united(day: date, events: Iterable[pl.DataFrame], num_by_file: Mapping[str, int]) -> Outcome:
    """The events of a day, each once, whatever they come from and in whatever order.

    Of rows that agree in all that an event is, the one of the first file stays, by its evidence.

    Args:
        day: UTC day.
        events: Columns of `MobileEvents`, of that day.
        num_by_file: For each file that holds events of the day, by its evidence, how many.

    Returns:
        Columns of `MobileEvents`, in the order of `CONTENT`; for each file, events in = events + duplicates.
    """
    ordered = pl.concat([MobileEvents.create_empty(), *events]).sort(*CONTENT, "evidence_id", "record_no")
    differs = pl.any_horizontal(pl.col(name).ne_missing(pl.col(name).shift(1)) for name in CONTENT)
    rows = ordered.filter(differs | (pl.int_range(pl.len()) == 0))
    used = dict(rows.group_by("evidence_id").len().iter_rows())
    tally = pl.DataFrame(
        [(day, file, num, used.get(file, 0), 0, num - used.get(file, 0)) for file, num in sorted(num_by_file.items())],
        schema=Tallies.create_empty().schema,
        orient="row",
    )
    facts = {"num_events": float(rows.height), "num_duplicates": float(sum(num_by_file.values()) - rows.height)}
    return Outcome(rows, tally=tally, facts=facts)


def _judged(records: pl.DataFrame, delivered_on: date) -> pl.DataFrame:
    """Records with typed fields, their day, and the reason why each is no event; null where it is one."""
    texts = {name: pl.col(given).str.strip_chars().replace("", None) for given, name in _COLUMNS.items()}
    ids = {name: texts[name].str.to_lowercase() for name in ("anonymous_id", "device_id")}
    fields = records.select(*intake.PLACE, **(texts | ids), received_text=texts["received_at"])
    typed = fields.with_columns(times(fields["created_at"]), times(fields["received_at"]))
    return typed.with_columns(day=pl.col("created_at").dt.date()).with_columns(
        reason=pl.when(pl.col("anonymous_id").is_null() | pl.col("device_id").is_null())
        .then(pl.lit("blank_id"))
        .when(pl.col("event_name").is_null())
        .then(pl.lit("blank_event_name"))
        .when(
            pl.col("created_at").is_null() | (pl.col("received_at").is_null() & pl.col("received_text").is_not_null())
        )
        .then(pl.lit("unparsable_time"))
        .when(pl.col("day") > delivered_on + LATEST_DAY)
        .then(pl.lit("in_the_future"))
        .when(pl.col("day") < FIRST_DAY)
        .then(pl.lit("before_first_day"))
    )


def times(texts: pl.Series) -> pl.Series:
    """Instants (UTC) out of texts: with an offset, or without one in UTC; null where there is none.

    A file writes its times in one form, mostly: that of the first one is tried first, and each other only on what was
    left over.
    """
    first = texts.drop_nulls().head(1)
    likely = next((form for form in _FORMS if not _read_times(first, form).has_nulls()), _FORMS[0])
    found = _read_times(texts, likely)
    for form in _FORMS:
        left = (found.is_null() & texts.is_not_null()).arg_true()
        if not len(left):
            break
        found = found.scatter(left, _read_times(texts.gather(left), form))
    return found


def _read_times(texts: pl.Series, form: str) -> pl.Series:
    # Forms without an offset take no zone to read, and one with an offset gives UTC.
    zone = "UTC" if form.endswith(("+", "%#z")) else None
    return texts.str.to_datetime(form, time_unit="us", time_zone=zone, strict=False).dt.replace_time_zone("UTC")


def _turned_down(judged: pl.DataFrame) -> pl.DataFrame:
    bad = judged.filter(pl.col("reason").is_not_null())
    why = pl.col("reason").replace_strict(_WHY, return_dtype=pl.String)
    return bad.select(*intake.PLACE, "reason", num_records=pl.lit(1, pl.Int64), detail=why).select(
        intake.REJECTS.names()
    )


def _rejects(file: DeliveredFile, frames: Iterable[pl.DataFrame]) -> pl.DataFrame:
    line = pl.when(pl.col("line").is_null()).then(pl.lit("")).otherwise(pl.format(", line {}", "line"))
    return (
        pl.concat(frames)
        .with_columns(
            day=pl.lit(file.day),
            evidence_id=pl.lit(file.evidence_id),
            detail=pl.format("{}{}: {}.", pl.lit(file.name), line, pl.col("detail").str.strip_chars_end(".")),
        )
        .select(Rejects.column_names())
    )


def _tally(file: DeliveredFile, *, num_used: int, num_rejected: int) -> pl.DataFrame:
    account = (file.day, file.evidence_id, num_used + num_rejected, num_used, num_rejected, 0)
    return pl.DataFrame([account], schema=Tallies.create_empty().schema, orient="row")
