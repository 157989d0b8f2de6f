"""Records of all sources into `leads`: one current row a provider, whatever the order in which files came."""

from collections.abc import Sequence

import dataframely as dy
import polars as pl
import polars_hash as plh

from data_platform.contracts.leads import LeadFields, Leads
from data_platform.contracts.outcome import Outcome
from data_platform.contracts.rejects import Rejects
from data_platform.contracts.tallies import Tallies
from data_platform.errors import PermanentError
from data_platform.leads import threshold, values
from data_platform.leads.sources import AgeGroup, AgesLayout, FieldLayout, Source

_CHECKED = {"phone", "email", "zip", "date", "integer", "flag", "street_of_address", "zip_of_address"}
_NAMESPACE = "6ba7b812-9dad-11d1-80b4-00c04fd430c8"  # of object identifiers, RFC 4122, appendix C
_PLACE = ("day", "evidence_id", "record_no", "line", "byte_from", "byte_to")


class _Reading(LeadFields):
    """The fields of one record with the place of its bytes."""

    day = dy.Date()
    evidence_id = dy.String()
    record_no = dy.Int64()
    line = dy.Int64()
    byte_from = dy.Int64()
    byte_to = dy.Int64()


def conform(raw: pl.DataFrame, sources: Sequence[Source]) -> Outcome:
    """Makes `leads` of every record ever delivered.

    A record whose text cannot be read as its layout says, or that breaks the contract, is a reject with the field and
    the rule. Of the records of one source and licence number that of the last delivery counts; others are duplicates.

    Args:
        raw: Columns of `RawLeads`, all days.
        sources: The layouts that are known.

    Returns:
        Columns of `Leads`, with rejects and, for each file, records in = rows + rejects + duplicates.

    Raises:
        DeliveryHeld: More records of a file cannot be used than its source allows.
        PermanentError: `raw` holds records of a source that has no layout any more, or another one now.
    """
    good, rejects = _read(raw, sources)
    threshold.hold_files(raw, rejects, sources)
    leads = _current(good)
    return Outcome(rows=leads, rejects=rejects, tally=_tally(raw, leads, rejects, good))


def unusable(raw: pl.DataFrame, sources: Sequence[Source]) -> pl.DataFrame:
    """The rejects that `conform` would make of these records: each record is judged by itself.

    Args:
        raw: Columns of `RawLeads`.
        sources: The layouts that are known.

    Returns:
        Columns of `Rejects`.
    """
    return _read(raw, sources)[1]


def _read(raw: pl.DataFrame, sources: Sequence[Source]) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Records that can be used, with the fields of a lead, and rejects."""
    by_name = {source.name: source for source in sources}
    if gone := sorted(set(raw["source"]) - by_name.keys()):
        raise PermanentError(f"There is no source {gone[0]!r} any more; materialise raw_leads of its days, then this.")
    layout = pl.concat_str("source", pl.col("headers").list.join("\x1f"), separator="\x1f")
    parts = [
        _read_fields(part, by_name[part.item(0, "source")])
        for part in raw.with_columns(layout=layout).partition_by("layout", maintain_order=True)
    ]
    nothing = _Reading.create_empty().with_columns(unreadable=pl.lit([], dtype=pl.List(pl.String)))
    return _split(pl.concat([nothing.select(*_PLACE, *LeadFields.column_names(), "unreadable"), *parts]))


def _read_fields(part: pl.DataFrame, source: Source) -> pl.DataFrame:
    """Reads records of one layout: the place of each, the fields of a lead, and which texts could not be read."""
    headers = source.canonical(tuple(part.item(0, "headers")))
    if lacking := sorted(source.needed - set(headers)):
        raise PermanentError(
            f"{source.name}.yaml needs {lacking[0]!r}, which records of {part.item(0, 'day')} do not have; materialise"
            " raw_leads of that day, then this."
        )
    cell = {name: pl.col("values").list.get(headers.index(name)) for name in source.needed}
    read = {column: _read_field(field, cell) for column, field in source.fields.items()}
    ages = _read_ages(source.ages, cell) if source.ages else {}
    unreadable = [
        pl.when(_text(field, cell).is_not_null() & read[column].is_null()).then(pl.lit(f"{column} from {field.of!r}"))
        for column, field in source.fields.items()
        if field.reading in _CHECKED
    ]
    unreadable += [ages.pop("unreadable")] if ages else []
    listed = pl.concat_list(unreadable).list.drop_nulls() if unreadable else pl.lit([], dtype=pl.List(pl.String))
    known = {"source": pl.lit(source.name), "state": pl.lit(source.state)}
    given = known | read | ages
    missing = {name: pl.lit(None) for name in LeadFields.column_names() if name not in given}
    types = LeadFields.create_empty().schema
    return part.select(
        *_PLACE,
        *((given | missing)[name].cast(types[name]).alias(name) for name in LeadFields.column_names()),
        unreadable=pl.when(listed.list.len() > 0).then(listed),
    )


def _read_field(field: FieldLayout, cell: dict[str, pl.Expr]) -> pl.Expr:
    if isinstance(field.of, dict):
        return values.schedule({day: values.tidy(cell[header]) for day, header in field.of.items()})
    return values.READINGS[field.reading](_text(field, cell), field)


def _text(field: FieldLayout, cell: dict[str, pl.Expr]) -> pl.Expr:
    found = cell[field.headers[0]]
    return values.tidy(found.str.extract(field.extract) if field.extract else found)


def _read_ages(layout: AgesLayout, cell: dict[str, pl.Expr]) -> dict[str, pl.Expr]:
    texts = {column: values.tidy(cell[column]) for column in layout.columns}

    def accepts(group: AgeGroup) -> pl.Expr:
        columns = [group.column] if group.column else layout.columns
        return pl.any_horizontal(texts[column].eq_missing(pl.lit(group.when)) for column in columns)

    accepted = [(group, accepts(group)) for group in layout.groups]
    open_ended = pl.any_horizontal(said for group, said in accepted if group.to_months is None)
    said_so = [group.when for group in layout.groups] + list(layout.other)
    unreadable = pl.any_horizontal(text.is_not_null() & ~text.is_in(said_so) for text in texts.values())
    served = pl.concat_str(
        [pl.when(said).then(pl.lit(group.name)) for group, said in accepted], separator=", ", ignore_nulls=True
    )
    return {
        "ages_served": served.replace("", None),
        "min_age": pl.min_horizontal(pl.when(said).then(group.from_months) for group, said in accepted),
        "max_age": pl.when(~open_ended).then(
            pl.max_horizontal(pl.when(said).then(group.to_months) for group, said in accepted)
        ),
        "unreadable": pl.when(unreadable).then(pl.lit(f"ages_served from {list(layout.columns)!r}")),
    }


def _split(read: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Records that can be used, and rejects: for each the texts that could not be read, else the rules it breaks."""
    unreadable = read.filter(pl.col("unreadable").is_not_null())
    good, failure = _Reading.filter(read.filter(pl.col("unreadable").is_null()))
    rules = sorted(failure.counts())
    breaks = [pl.when(pl.col(rule).cast(pl.String) == "invalid").then(pl.lit(rule)) for rule in rules]
    broken = failure.details().with_columns(
        breaks=pl.concat_list(breaks or [pl.lit(None, pl.String)]).list.drop_nulls()
    )
    field = pl.col("unreadable").list.first().str.split(" ").list.first()
    rule = pl.col("breaks").list.first()
    return good, pl.concat(
        [
            _rejects(
                unreadable,
                reason=pl.format("{}_unreadable", field),
                detail=pl.format("has no readable {}; correct", pl.col("unreadable").list.join(", ")),
            ),
            _rejects(
                broken,
                reason=rule.str.replace("|nullability", "_missing", literal=True).str.replace("|", "_", literal=True),
                detail=pl.when(rule.str.ends_with("|nullability"))
                .then(pl.format("has no {}, which every lead needs; correct", rule.str.strip_suffix("|nullability")))
                .otherwise(pl.format("breaks the rules {}; correct", pl.col("breaks").list.join(", "))),
            ),
        ]
    )


def _rejects(records: pl.DataFrame, *, reason: pl.Expr, detail: pl.Expr) -> pl.DataFrame:
    way_out = pl.format(
        "Line {} {} it with the sender, or the layout in {}.yaml.", pl.col("line"), detail, pl.col("source")
    )
    return records.with_columns(
        day=pl.lit(None, dtype=pl.Date), num_records=pl.lit(1, dtype=pl.Int64), reason=reason, detail=way_out
    ).select(Rejects.column_names())


def _current(good: pl.DataFrame) -> pl.DataFrame:
    """The last record of each provider, with its history: when first and last seen, since when it reads as it does."""
    lead_id = plh.concat_str("source", "license_number", separator="\x1f").uuidhash.uuid5(_NAMESPACE)
    daily = (
        good.with_columns(lead_id=lead_id, reads_as=pl.struct(LeadFields.column_names()).hash())
        .sort("lead_id", "day", "evidence_id", "record_no")
        .unique(["lead_id", "day"], keep="last", maintain_order=True)
    )
    changed = (pl.col("reads_as") != pl.col("reads_as").shift(1).over("lead_id")).fill_null(value=True)
    updated_on = pl.col("day").filter(pl.col("changed")).max().over("lead_id")
    midnight = pl.Datetime("us", "UTC")
    return (
        daily.with_columns(changed=changed)
        .with_columns(
            first_seen_on=pl.col("day").min().over("lead_id"),
            last_seen_on=pl.col("day").max().over("lead_id"),
            created_at=pl.col("day").min().over("lead_id").cast(midnight),
            updated_at=updated_on.cast(midnight),
        )
        .unique("lead_id", keep="last", maintain_order=True)
        .select(Leads.column_names())
    )


def _tally(raw: pl.DataFrame, leads: pl.DataFrame, rejects: pl.DataFrame, good: pl.DataFrame) -> pl.DataFrame:
    def count(frame: pl.DataFrame, name: str) -> pl.DataFrame:
        return frame.group_by("evidence_id").agg(pl.len().cast(pl.Int64).alias(name))

    return (
        count(raw, "num_in")
        .join(count(leads, "num_used"), on="evidence_id", how="left")
        .join(count(rejects, "num_rejected"), on="evidence_id", how="left")
        .join(count(good, "num_good"), on="evidence_id", how="left")
        .with_columns(pl.col("num_used", "num_rejected", "num_good").fill_null(0), day=pl.lit(None, dtype=pl.Date))
        .with_columns(num_duplicate=pl.col("num_good") - pl.col("num_used"))
        .select(Tallies.column_names())
    )
