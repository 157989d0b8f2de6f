"""`data-platform intake inspect FILE`: what it shows of any file, and its one sentence for what is none."""

import json
import tempfile
import zipfile
from collections.abc import Iterable
from pathlib import Path

import pytest

from data_platform import cli, intake
from platform_tests.unprivileged import without_rights

TABLE = b'Report\n\nid;name\n1;"Ann; B"\n2;Bob\n3\n4;\x92Cy\n\nTotal 4\n'


def inspect(path: Path, *options: str) -> int:
    return cli.main(["intake", "inspect", str(path), *options])


def refusal(path: Path, capsys: pytest.CaptureFixture[str]) -> str:
    """What is said of a file that cannot be inspected: one sentence, on one line."""
    assert inspect(path) == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert err.count("\n") == 1
    assert str(path) in err
    return err


def test_text_shows_dialect_header_records_rejects_and_structure(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "any.csv"
    path.write_bytes(TABLE)
    assert inspect(path) == 0
    out = capsys.readouterr().out
    for said in (
        f"{len(TABLE)} bytes", "delimiter   ';'", "columns     2", "line 3: id, name", "decoded_as_cp1252: 1",
        "wrong_number_of_fields: 1", "line 6, bytes", "preamble", "footer", "blank",
    ):  # fmt: skip
        assert said in out


def test_json_accounts_for_every_byte(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "any.csv"
    path.write_bytes(TABLE)
    assert inspect(path, "--json") == 0
    found = json.loads(capsys.readouterr().out)
    num_bytes = sum(part["bytes"] for part in (found["accepted"], found["rejected"], *found["structure"].values()))
    assert num_bytes == found["num_bytes"] == len(TABLE)
    assert (found["accepted"]["records"], found["rejected"]["records"]) == (3, 1)
    assert found["header"]["names"] == ["id", "name"]
    assert found["rejected"]["first"][0]["line"] == 6


def test_more_rejects_than_asked_for_are_counted(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "bad.csv"
    path.write_bytes(b"a,b\n" + b"1,2\n" * 20 + b"1\n2,3\n" * 5)
    assert inspect(path, "--limit", "2") == 0
    assert "and 3 more rejects" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "an empty file"),
        (b"\xef\xbb\xbf", "a file without any"),
        (b"\n \n\n", "a file without any"),
        (bytes(range(32)) * 40, "control characters"),
        (b"<!DOCTYPE html><html></html>", "an HTML page"),
    ],
)
def test_what_is_no_delimited_text_is_told_in_one_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], content: bytes, said: str
) -> None:
    path = tmp_path / "odd.csv"
    path.write_bytes(content)
    assert said in refusal(path, capsys)


@pytest.mark.parametrize(("member", "said"), [("a.txt", "a ZIP archive"), ("xl/workbook.xml", "an Excel workbook")])
def test_an_archive_named_csv_is_known(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], member: str, said: str
) -> None:
    path = tmp_path / "table.csv"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(member, "x")
    assert said in refusal(path, capsys)


def test_one_byte_is_the_name_of_one_column(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "one.csv"
    path.write_bytes(b"a")
    assert inspect(path) == 0
    assert "line 1: a" in capsys.readouterr().out


def test_a_directory_a_device_and_nothing_are_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "is a directory" in refusal(tmp_path, capsys)
    assert "No such file" in refusal(tmp_path / "none.csv", capsys)
    assert "no regular file" in refusal(Path("/dev/null"), capsys)


def test_a_file_that_may_not_be_read_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        path = Path(folder) / "closed.csv"
        path.write_bytes(TABLE)
        with without_rights():
            assert inspect(path) == 0
        capsys.readouterr()
        path.chmod(0o000)
        with without_rights():
            assert "Permission denied" in refusal(path, capsys)


def test_a_file_that_grows_while_it_is_read_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from data_platform.console import inspect_file

    path = tmp_path / "growing.csv"
    path.write_bytes(b"a,b\n1,2\n")
    read = inspect_file.intake.read

    def read_late(chunks: Iterable[bytes]) -> intake.Reading:
        with path.open("ab") as file:
            file.write(b"3,4\n")
        return read(chunks)

    monkeypatch.setattr(inspect_file.intake, "read", read_late)
    monkeypatch.setattr(inspect_file, "_CHUNK_BYTES", 4)
    assert "changed while it was read" in refusal(path, capsys)
