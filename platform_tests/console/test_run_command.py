"""`data-platform run`, as a person uses it."""

import os
import random
import re
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from data_platform.local import postgres
from data_platform.local.sample_world.leads import deliveries
from platform_tests.console.conftest import Commands, kill_group


def postmasters(folder: Path) -> Iterator[psutil.Process]:
    for process in psutil.process_iter(["cmdline"]):
        if str(folder) in " ".join(process.info["cmdline"] or ()) and "postgres" in process.name():
            yield process


def test_the_first_run_makes_everything_and_the_second_changes_nothing(commands: Commands) -> None:
    first = commands.run("run")
    assert first.returncode == 0, first.stderr
    row = next(line for line in first.stdout.splitlines() if line.startswith("raw_leads"))
    assert re.search(r"8: 2023-07-07\.\.2023-07-14 .* 725 .* 2 .* 4/4", row)
    row = next(line for line in first.stdout.splitlines() if line.startswith("leads"))
    assert re.search(r"all .* 372 .* 2 .* 3/3", row)
    assert "make up" in first.stdout
    assert "make sql" in first.stdout
    before = commands.tables()
    assert commands.is_current()
    assert commands.tables() == before
    for _ in range(2):
        again = commands.run("run", "--days", "2023-07-07..2023-07-08")
        assert again.returncode == 0, again.stdout
    assert commands.tables() == before
    assert not list(postmasters(commands.folder))


def test_a_table_that_was_emptied_is_not_called_current(commands: Commands) -> None:
    commands.run("run")
    before = commands.tables()
    commands.run("sql", "-c", "TRUNCATE leads.leads")
    assert "All is current" not in commands.run("run").stdout
    assert commands.tables() == before


def test_own_files_instead_of_the_sample_are_read_and_damaged_ones_are_named(commands: Commands) -> None:
    """One of each: a good file, a ZIP named .csv, an empty file, a header alone, a directory, an unknown layout."""
    texas = next(d for d in deliveries(providers_per_state=40) if d.state == "TX")
    (commands.landing / "07-07-2023 Texas DHHS.csv").write_bytes(texas.content)
    (commands.landing / "07-07-2023 zip.csv").write_bytes(b"PK\x03\x04" + bytes(1000))
    (commands.landing / "07-07-2023 empty.csv").write_bytes(b"")
    (commands.landing / "07-07-2023 header.csv").write_bytes(texas.content.splitlines(keepends=True)[0])
    (commands.landing / "07-07-2023 other.csv").write_bytes(b"a,b\n1,2\n")
    (commands.landing / "07-07-2023 folder.csv").mkdir()
    done = commands.run("run")
    assert done.returncode == 0, done.stderr
    shown = commands.run("sql", "-c", "SELECT reason, detail FROM ops.rejects").stdout
    for reason, name in {
        "not_text": "zip",
        "empty_file": "empty",
        "no_records": "header",
        "unknown_layout": "other",
    }.items():
        assert re.search(rf"{reason} +\| 07-07-2023 {name}\.csv: ", shown)
    assert " 40 " in next(line for line in done.stdout.splitlines() if line.startswith("leads "))
    assert commands.is_current()


def test_renamed_and_repeated_files_change_nothing(commands: Commands) -> None:
    for delivery in deliveries(providers_per_state=40)[:3]:
        (commands.landing / delivery.file_name).write_bytes(delivery.content)
    commands.run("run")
    before = commands.tables()
    for path in list(commands.landing.iterdir()):
        (path.parent / f"again {path.name}").write_bytes(path.read_bytes())
        path.rename(path.parent / f"renamed {len(path.name)}.csv")
    assert commands.is_current()
    assert commands.tables() == before


@pytest.mark.parametrize(
    ("environment", "words"),
    [
        (
            {"WAREHOUSE_URL": "postgresql://user:hunter2@127.0.0.1:9/warehouse"},
            ["127.0.0.1:9/warehouse", "WAREHOUSE_URL"],
        ),
        (
            {"WAREHOUSE_URL": "mysql://user:hunter2@host/db"},
            ["WAREHOUSE_URL", "postgresql://user:password@host:port/database"],
        ),
        ({"LAKE_URI": "s3:/hunter2"}, ["LAKE_URI", "s3://bucket/prefix"]),
        ({"BUSINESS_TIMEZONE": "Utopia"}, ["BUSINESS_TIMEZONE", "IANA"]),
    ],
)
def test_a_wrong_setting_is_one_sentence_that_names_it(
    commands: Commands, environment: dict[str, str], words: list[str]
) -> None:
    done = commands.run("run", **environment)
    assert done.returncode == 1
    [line] = done.stderr.strip().splitlines()
    assert line.startswith("data-platform: ")
    for word in words:
        assert word in line
    assert "hunter2" not in done.stdout + done.stderr


def test_an_unknown_asset_and_a_day_that_is_none_are_named(commands: Commands) -> None:
    known = "There is no asset 'lead'; there are active_user_report, daily_logins, delivered_events, leads, "
    assert known in commands.run("run", "--assets", "lead").stderr
    assert "'2023-07' is not a day" in commands.run("run", "--days", "2023-07").stderr
    assert "ends before it starts" in commands.run("run", "--days", "2023-07-08..2023-07-07").stderr


def test_ctrl_c_stops_in_one_line_and_the_next_run_goes_on(commands: Commands) -> None:
    process = commands.start("run")
    time.sleep(3)
    os.killpg(process.pid, signal.SIGINT)
    _, err = process.communicate(timeout=120)
    # Where the signal comes while a module loads, Python ends by the signal itself; a shell says 130 of both.
    assert process.returncode in {130, -signal.SIGINT}
    assert err.strip() == "Stopped; nothing half-done is visible. The same command goes on from here."
    assert not list(postmasters(commands.folder))
    assert commands.run("run").returncode == 0


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[dict[str, object], float]]:
    """The tables of a run that nobody killed, and how long it took."""
    commands = Commands(tmp_path_factory.mktemp("undisturbed") / "stack")
    began = time.monotonic()
    assert commands.run("run").returncode == 0
    took = time.monotonic() - began
    yield commands.tables(), took
    postgres.stop(commands.folder / "postgres")


def killed_anywhere(commands: Commands, undisturbed: tuple[dict[str, object], float], seed: int) -> None:
    expected, took = undisturbed
    choose = random.Random(seed)
    process = commands.start("run")
    time.sleep(choose.uniform(0, took))
    kill_group(process)
    if choose.random() < 0.5:
        for postmaster in postmasters(commands.folder):
            postmaster.kill()
    again = commands.run("run")
    assert again.returncode == 0, again.stdout + again.stderr
    assert commands.tables() == expected


@pytest.mark.parametrize("seed", range(3))
def test_a_run_killed_anywhere_and_started_again_ends_the_same(
    commands: Commands, undisturbed: tuple[dict[str, object], float], seed: int
) -> None:
    killed_anywhere(commands, undisturbed, seed)


@pytest.mark.soak
@pytest.mark.parametrize("seed", range(3, 27))
def test_a_run_killed_at_many_more_points_ends_the_same(
    commands: Commands, undisturbed: tuple[dict[str, object], float], seed: int
) -> None:
    killed_anywhere(commands, undisturbed, seed)
