"""Files of leads into records: which source a file is from, its records as text, and what could not be read."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import polars as pl

from data_platform import intake
from data_platform.contracts.delivered_file import DeliveredFile
from data_platform.contracts.outcome import Outcome
from data_platform.contracts.raw_leads import RawLeads
from data_platform.contracts.rejects import Rejects
from data_platform.contracts.tallies import Tallies
from data_platform.leads import conform, threshold
from data_platform.leads.sources import Source
from data_platform.leads.threshold import DeliveryHeld


def read(files: Iterable[DeliveredFile], sources: Sequence[Source]) -> Outcome:
    """Reads delivered files into the rows of `raw_leads`.

    A file that is no delimited text, or whose layout is no source's, is one reject as a whole, the reason spelt out.

    Args:
        files: What was delivered.
        sources: The layouts that are known.

    Returns:
        Columns of `RawLeads`, with rejects and, for each file, records in = rows + rejects.

    Raises:
        DeliveryHeld: More records of a file cannot be used, here or as a lead, than its source allows; names every
            such file.
    """
    parts: list[Outcome] = []
    held: list[str] = []
    for file in files:
        try:
            parts.append(_read_file(file, sources))
        except DeliveryHeld as error:
            held.append(str(error))
    if held:
        raise DeliveryHeld(" ".join(held))
    return Outcome(
        rows=pl.concat([RawLeads.create_empty(), *(part.rows for part in parts)]),
        rejects=pl.concat([Rejects.create_empty(), *(part.rejects for part in parts)]),
        tally=pl.concat([Tallies.create_empty(), *(part.tally for part in parts)]),
    )


@dataclass(frozen=True)
class LayoutMismatch:
    """How a file's header differs from that of the nearest source.

    Attributes:
        headers: The file's column names, as the source calls them.
    """

    nearest: Source
    headers: tuple[str, ...]

    def __str__(self) -> str:
        """One sentence that says the difference and the way out."""
        known = self.nearest.needed & set(self.headers)
        lacking, unknown = sorted(self.nearest.needed - known), sorted(set(self.headers) - known - {""})
        # Where hardly a name is known, the first line may well be a record: its values are not to be repeated.
        if len(known) < len(lacking):
            return (
                f"the layout is no source's: of {len(self.headers)} columns {len(known)} have a name that"
                f" {self.nearest.name} knows; see that the file has its header line, or add a source."
            )
        if twice := sorted(name for name in known if self.headers.count(name) > 1):
            return (
                f"the layout is {self.nearest.name}'s, but {_listed(twice)} stands in it more than once, so that"
                " nobody can say which one is meant; ask the sender."
            )
        return (
            f"the layout is no source's: nearest is {self.nearest.name}, which also needs {_listed(lacking)}, and has"
            f" no use for {_listed(unknown)}; add the new names under `renamed` in its YAML file, or add a source."
        )


def _listed(names: Sequence[str]) -> str:
    return ", ".join(repr(name) for name in names) if names else "nothing"


def match(headers: Sequence[str], sources: Sequence[Source]) -> Source | LayoutMismatch:
    """The source whose needed columns a file has, each once, or how the file differs from the nearest one.

    Of two sources that fit, the one that needs more is the closer description.
    """

    def known(source: Source) -> int:
        return len(source.needed & set(source.canonical(tuple(headers))))

    fitting = [source for source in sources if known(source) == len(source.needed)]
    nearest = max(fitting or sources, key=known)
    canonical = nearest.canonical(tuple(headers))
    once = all(canonical.count(name) == 1 for name in nearest.needed)
    return nearest if fitting and once else LayoutMismatch(nearest, canonical)


def _read_file(file: DeliveredFile, sources: Sequence[Source]) -> Outcome:
    try:
        reading = intake.read(file.chunks())
    except intake.NotDelimitedText as error:
        return _held(file, error.reason, str(error), num_records=1)
    names = reading.header.names if reading.header else ()
    source = match(names, sources)
    if isinstance(source, LayoutMismatch) or len(names) != reading.width:
        num_records = sum(batch.records.height + batch.rejects.height for batch in reading)
        return _held(file, "unknown_layout", _why_unknown(names, reading.width, source), num_records)
    batches = list(reading)
    records = pl.concat([_with_values(batch.records) for batch in batches])
    rejects = pl.concat(frame for batch in batches for frame in (batch.rejects, intake.further_tables(batch.structure)))
    if not records.height + rejects.height:
        return _held(file, "no_records", "has a header and no records; ask the sender whether that is meant.", 0)
    place = {"day": pl.lit(file.day), "evidence_id": pl.lit(file.evidence_id)}
    rows = records.with_columns(**place, source=pl.lit(source.name), headers=pl.lit(list(names)))
    num_rejected = int(rejects["num_records"].sum())
    outcome = Outcome(
        rows=rows.select(RawLeads.column_names()),
        rejects=rejects.with_columns(**place, detail=_named(file, pl.col("detail"))).select(Rejects.column_names()),
        tally=_tally(file, num_used=records.height, num_rejected=num_rejected),
    )
    never_leads = conform.unusable(outcome.rows, sources)
    threshold.hold(file.name, file.day, source, records.height + num_rejected, [outcome.rejects, never_leads])
    return outcome


def _why_unknown(names: tuple[str, ...], width: int, source: Source | LayoutMismatch) -> str:
    if not names:
        return "no line of it reads like a header; see that the file has its header line."
    if isinstance(source, LayoutMismatch):
        return str(source)
    return f"its header has {len(names)} names and its records {width} fields; ask the sender which one is right."


def _with_values(records: pl.DataFrame) -> pl.DataFrame:
    """Records with their fields in one list, as sources have any number of them."""
    fields = records.columns[len(intake.PROVENANCE) :]
    return records.select(*intake.PROVENANCE, values=pl.concat_list(fields))


def _named(file: DeliveredFile, detail: pl.Expr) -> pl.Expr:
    return pl.format("{}, line {}: {}", pl.lit(file.name), pl.col("line"), detail)


def _held(file: DeliveredFile, reason: str, detail: str, num_records: int) -> Outcome:
    """A file that is held whole: one reject, nothing of it is loaded."""
    reject = {
        "day": file.day, "evidence_id": file.evidence_id, "record_no": None, "line": None, "byte_from": 0,
        "byte_to": file.num_bytes, "num_records": num_records, "reason": reason, "detail": f"{file.name}: {detail}",
    }  # fmt: skip
    return Outcome(
        rows=RawLeads.create_empty(),
        rejects=pl.DataFrame([reject], schema=Rejects.create_empty().schema),
        tally=_tally(file, num_used=0, num_rejected=num_records),
    )


def _tally(file: DeliveredFile, *, num_used: int, num_rejected: int) -> pl.DataFrame:
    account = {
        "day": file.day, "evidence_id": file.evidence_id, "num_in": num_used + num_rejected, "num_used": num_used,
        "num_rejected": num_rejected, "num_duplicate": 0,
    }  # fmt: skip
    return pl.DataFrame([account], schema=Tallies.create_empty().schema)
