"""`data-platform rejects`, as a person uses it."""

import json
import re

from data_platform.local.sample_world.leads import deliveries
from platform_tests.console.conftest import Commands


def test_a_person_lists_and_explains_rejects_and_a_replay_without_a_fix_changes_nothing(commands: Commands) -> None:
    texas = next(d for d in deliveries(providers_per_state=40) if d.state == "TX")
    (commands.landing / "07-07-2023 Texas [red]\u202e.csv").write_bytes(
        texas.content + b'\r\n"\x1b[2J\xff never closed'
    )
    (commands.landing / "07-08-2023 Texas.csv").write_bytes(texas.content.replace(b"Phone", b"Telephone", 1))
    held = b"\n".join(line if number % 2 else b"ragged" for number, line in enumerate(texas.content.split(b"\n"), 1))
    (commands.landing / "07-10-2023 Texas.csv").write_bytes(held)
    assert "There are no rejects." in commands.run("rejects", "list").stdout
    ran = commands.run("run")
    assert ran.returncode == 1
    assert len(re.findall(r"Failed: .*07-10-2023 Texas\.csv.*max_reject_share.*data-platform run", ran.stdout)) == 1

    listed = commands.run("rejects", "list").stdout
    assert re.search(r"07-07-2023 Texas \[red\]\\u202e\.csv +\d+ +41 +\d+ +unclosed_quote", listed)
    assert re.search(r"raw_leads +unknown_layout +1 +40\n", listed)
    assert "1 delivery waits" in listed
    assert "2023-07-10  07-10-2023 Texas.csv" in listed
    july = ("--day", "2023-07-07..2023-07-14")
    document = json.loads(commands.run("rejects", "list", *july, "--json", "--limit", "1").stdout)
    assert (document["num_rejects"], len(document["rejects"]), len(document["waiting"])) == (2, 1, 1)
    nothing = commands.run("rejects", "list", "--reason", "nothing")
    assert "There are no rejects of what was asked for" in nothing.stdout

    cut = next(line.split()[0] for line in listed.splitlines() if "unclosed_quote" in line)
    shown = commands.run("rejects", "show", cut).stdout
    assert r'"\x1b[2J\xff never closed' in shown
    assert "\x1b" not in shown
    whole = next(line.split()[0] for line in listed.splitlines() if "@0" in line)
    assert re.search(r"\.\.\. [\d,]+ bytes left out", commands.run("rejects", "show", whole).stdout)

    before = commands.tables()
    assert "Nothing was changed; without --dry-run" in commands.run("rejects", "replay", "--dry-run").stdout
    replayed = commands.run("rejects", "replay", "--reason", "unknown_layout")
    assert replayed.returncode == 0, replayed.stderr
    assert "Nothing was changed: the same rules read the same" in replayed.stdout
    assert "stays: unknown_layout 40 -> 40; the first: 07-08-2023 Texas.csv" in replayed.stdout
    assert "There is nothing to replay" in commands.run("rejects", "replay", "--reason", "nothing").stdout
    assert commands.run("rejects", "replay").returncode == 1
    assert commands.tables() == before

    damaged = commands.folder / "lake" / "evidence" / whole[:2]
    [evidence] = [path for path in damaged.iterdir() if path.name.startswith(whole[:12])]
    evidence.write_bytes(evidence.read_bytes() + b"!")
    for words in (["show", whole], ["show", whole, "--raw"]):
        refused = commands.run("rejects", *words)
        assert refused.returncode == 1
        assert "is not the content that arrived" in refused.stderr
    assert refused.stdout == ""
