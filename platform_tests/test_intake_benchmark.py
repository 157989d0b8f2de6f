"""The benchmark of the reader, with tiny files: what it writes, how it judges, and one run."""

import csv
import json
from pathlib import Path

import polars as pl
import pytest

from benchmarks.__main__ import main
from benchmarks.intake.judge import judge
from benchmarks.intake.samples import BLOCK, COLUMNS, Sample, of_size


def truth(sample: Sample) -> pl.DataFrame:
    """All rows of the file as they were meant."""
    rows = [
        sample.damaged[number].values if number in sample.damaged else (str(number), *row)
        for number, row in enumerate(sample.values.head(sample.num_records).rows(), start=1)
    ]
    return pl.DataFrame(rows, schema=COLUMNS, orient="row")


@pytest.mark.parametrize(
    "sample", [Sample(300), Sample(BLOCK + 70, quoted_every=0), Sample(300, quoted_every=7), Sample(300, dense=True)]
)
def test_an_undamaged_file_holds_what_is_said_of_it_to_the_byte(sample: Sample, tmp_path: Path) -> None:
    path = tmp_path / "file.csv"
    sample.write(path)
    with path.open(encoding="utf-8", newline="") as file:
        header, *rows = csv.reader(file)
    assert tuple(header) == COLUMNS
    assert path.stat().st_size == sample.num_bytes
    assert [row[0] for row in rows] == [str(number) for number in range(1, sample.num_records + 1)]
    assert [tuple(row[1:]) for row in rows[:BLOCK]] == sample.values.head(sample.num_records).rows()
    assert [tuple(row[1:]) for row in rows[BLOCK:]] == sample.values.head(len(rows[BLOCK:])).rows()


def test_a_damaged_file_differs_from_the_sound_one_in_the_damaged_lines_alone(tmp_path: Path) -> None:
    damaged, sound = Sample(300, num_damaged=30), Sample(300)
    damaged.write(tmp_path / "damaged.csv")
    sound.write(tmp_path / "sound.csv")
    lines = (tmp_path / "sound.csv").read_bytes().splitlines(keepends=True)
    for number, record in damaged.damaged.items():
        assert lines[number] != record.line
        lines[number] = record.line
    assert (tmp_path / "damaged.csv").read_bytes() == b"".join(lines)
    assert len(damaged.damaged) == 30


def test_a_sample_of_a_size_is_of_that_size() -> None:
    assert of_size(30_000_000, quoted_every=50).num_bytes == pytest.approx(30_000_000, rel=0.03)


@pytest.mark.parametrize("sample", [Sample(200, num_damaged=20), Sample(BLOCK + 70), Sample(200, dense=True)])
def test_rows_as_they_were_meant_are_all_right(sample: Sample) -> None:
    meant = truth(sample) if sample.num_records < BLOCK else None
    if meant is None:
        rows = pl.concat([sample.values, sample.values.head(70)])
        meant = rows.select(pl.int_range(1, rows.height + 1).cast(pl.String).alias("id"), pl.all())
    verdict = judge(sample, [meant], [])
    assert (verdict.right, verdict.wrong, verdict.rejected, verdict.lost) == (sample.num_records, 0, 0, 0)
    assert verdict.neighbours_harmed == 0


def test_each_record_has_one_fate() -> None:
    sample = Sample(200, num_damaged=20)
    bad = sorted(sample.damaged)
    rows = truth(sample)
    number = pl.col("id").cast(pl.Int64)
    changed = rows.with_columns(note=pl.when(number == bad[0]).then(pl.lit("changed")).otherwise("note"))
    returned = changed.filter(~number.is_in([bad[1], bad[2], 1]))
    twice, of_no_record = rows.filter(number == 3), rows.filter(number == 4).with_columns(id=pl.lit("4711"))
    narrow = rows.filter(number == 1).drop("note")
    rejected = [f"{bad[1]},half a record\n{bad[0]},is returned as well\n".encode()]
    verdict = judge(sample, [returned, twice, of_no_record, narrow], rejected)
    # wrong: the changed one, the one returned twice, the one that lacks a field, and the row that is no record
    assert (verdict.right, verdict.wrong, verdict.rejected, verdict.lost) == (195, 4, 1, 1)
    assert verdict.neighbours_harmed == 2
    kinds = [sample.damaged[number].kind for number in bad[:3]]
    assert [verdict.damaged[kind] for kind in kinds] == [
        {"wrong": 1, "right": 1},
        {"rejected": 1, "right": 1},
        {"lost": 1, "right": 1},
    ]


def test_no_value_is_the_same_as_an_empty_one() -> None:
    sample = Sample(200)
    nulls = truth(sample).with_columns(pl.col("note").replace("", None))
    assert nulls["note"].null_count() > 0
    assert judge(sample, [nulls], []).right == 200


def test_the_readers_run_in_turns_and_the_folder_is_removed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder, figures = tmp_path / "made", tmp_path / "figures.json"
    folder.mkdir()
    sizes = (
        "--files damaged dense large --records 3_000 --damaged 20 --dense-records 2_000 --large-bytes 100_000".split()
    )
    rest = "--rounds 1 --readers ours polars csv-replace".split()
    main(["intake", *sizes, *rest, "--folder", str(folder), "--json", str(figures)])
    assert not list(folder.iterdir())
    found = json.loads(figures.read_text())["files"]
    assert found["dense"]["stopped"] == found["large"]["stopped"] == {}
    assert {name: verdict["right"] for name, verdict in found["dense"]["verdicts"].items()} == {
        "ours": 2_000,
        "polars": 2_000,
        "csv-replace": 2_000,
    }
    damaged = found["damaged"]["verdicts"]
    assert (damaged["ours"]["neighbours_harmed"], damaged["ours"]["lost"]) == (0, 0)
    assert damaged["csv-replace"]["neighbours_harmed"] > 0
    assert "polars stopped: " in (printed := capsys.readouterr().out)
    assert "20 records damaged: 3,000 records x 8 columns" in printed


@pytest.mark.parametrize("contender", ["duckdb-rejects", "pyarrow-skip", "pandas-skip", "polars-lenient"])
def test_every_other_reader_is_judged_too(contender: str, tmp_path: Path) -> None:
    figures = tmp_path / "figures.json"
    sizes = "--files damaged --records 3_000 --damaged 20 --rounds 1".split()
    main(["intake", *sizes, "--readers", contender, "--folder", str(tmp_path), "--json", str(figures)])
    found = json.loads(figures.read_text())["files"]["damaged"]
    judged = {name: verdict.get("error") for name, verdict in found["verdicts"].items()}
    if contender == "polars-lenient":
        assert list(found["stopped"]) == [contender]
    else:
        assert judged == {contender: None}


def test_a_disk_too_small_is_said_before_anything_is_written(tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match="are free: make room, name another place with --folder"):
        main(["intake", "--records", "10_000_000_000", "--folder", str(tmp_path)])
    assert not list(tmp_path.iterdir())
