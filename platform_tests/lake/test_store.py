"""Objects: all or nothing, never over anything, by the same code on a folder and on S3."""

import threading
import urllib.request
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import boto3
import pytest

from data_platform.lake import multipart
from data_platform.lake import store as store_module
from data_platform.lake.store import LakeError, NoSuchObject, Store


def content(store: Store, key: str) -> bytes:
    return b"".join(store.read(key))


def test_what_is_created_can_be_read_listed_and_measured(any_lake: Store) -> None:
    assert any_lake.create("a b/c#d%20é.csv", b"hello")
    assert content(any_lake, "a b/c#d%20é.csv") == b"hello"
    assert any_lake.size("a b/c#d%20é.csv") == 5
    [entry] = any_lake.list("a b")
    assert (entry.name, entry.num_bytes) == ("c#d%20é.csv", 5)


def test_nothing_is_ever_written_over(any_lake: Store) -> None:
    assert any_lake.create("key", b"first")
    assert not any_lake.create("key", b"second")
    assert content(any_lake, "key") == b"first"


def test_one_of_eight_racing_writers_wins(any_lake: Store) -> None:
    won: list[int] = []
    barrier = threading.Barrier(8)

    def write(number: int) -> None:
        barrier.wait()
        if any_lake.create("key", b"%d" % number):
            won.append(number)

    threads = [threading.Thread(target=write, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(won) == 1
    assert content(any_lake, "key") == b"%d" % won[0]


def test_a_stream_larger_than_a_part_arrives_whole(any_lake: Store) -> None:
    chunks = [bytes([number]) * 3_000_000 for number in range(5)]
    assert any_lake.create("big", iter(chunks))
    assert content(any_lake, "big") == b"".join(chunks)


def test_a_stream_that_fails_leaves_no_object(any_lake: Store) -> None:
    def chunks():
        yield b"x" * 6_000_000
        raise ValueError("the source broke")

    with pytest.raises(ValueError, match="the source broke"):
        any_lake.create("key", chunks())
    assert any_lake.list() == []
    assert any_lake.size("key") is None


def test_an_object_can_be_copied_within_a_store(any_lake: Store) -> None:
    """The source is read while the target is written, by the same library."""
    any_lake.create("from", b"x" * 7_000_000)
    assert any_lake.create("to", any_lake.read("from"))
    assert any_lake.size("to") == 7_000_000


def test_a_missing_object_is_one_sentence(any_lake: Store) -> None:
    with pytest.raises(NoSuchObject, match="There is no object .*/nowhere") as caught:
        content(any_lake, "nowhere")
    assert "\n" not in str(caught.value)


def test_a_listing_does_not_show_a_half_written_object(lake: Store, tmp_path: Path) -> None:
    entered, go_on = threading.Event(), threading.Event()

    def chunks():
        yield b"x" * 6_000_000
        entered.set()
        assert go_on.wait(30)
        yield b"y"

    writer = threading.Thread(target=lake.create, args=("key", chunks()))
    writer.start()
    assert entered.wait(30)
    assert lake.list() == []
    go_on.set()
    writer.join()
    assert [entry.key for entry in lake.list()] == ["key"]


def test_a_full_disk_is_one_sentence_and_leaves_nothing(small_disk: Path) -> None:
    store = Store((small_disk / "lake").as_uri())
    with pytest.raises(LakeError, match="(No space left on device|File too large).*check space") as caught:
        store.create("evidence/aa/key", b"x" * 4_000_000)
    assert "\n" not in str(caught.value)
    assert store.size("evidence/aa/key") is None
    assert store.list() == []


def test_a_folder_without_permission_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "lake").write_text("a file where a folder should be")
    with pytest.raises(LakeError, match="check space, permission and address") as caught:
        Store((tmp_path / "lake").as_uri()).create("key", b"x")
    assert "\n" not in str(caught.value)


def test_an_s3_server_that_does_not_answer_is_one_sentence() -> None:
    store = Store("s3://bucket/lake", "http://127.0.0.1:9")
    with pytest.raises(LakeError, match="Could not list s3://bucket/lake") as caught:
        store.list()
    assert "\n" not in str(caught.value)


def test_objects_of_a_folder_are_plain_files(lake: Store, tmp_path: Path) -> None:
    lake.create("folder/key", b"x")
    assert (tmp_path / "lake" / "folder" / "key").is_file()


def test_a_large_object_goes_to_s3_in_parts_and_never_over_another(
    s3_store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store_module, "PART_BYTES", 5 * 2**20)
    monkeypatch.setattr(multipart, "PART_BYTES", 5 * 2**20)
    content = [bytes([n]) * 2**20 for n in range(13)]
    assert s3_store.create("large", iter(content))
    assert not s3_store.create("large", iter([b"x" * 6 * 2**20]))
    assert b"".join(s3_store.read("large")) == b"".join(content)
    assert s3_store.create("large", iter([b"y" * 6 * 2**20]), replace=True)
    assert b"".join(s3_store.read("large")) == b"y" * 6 * 2**20


def test_a_large_content_that_breaks_off_leaves_nothing_in_s3(s3_store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store_module, "PART_BYTES", 5 * 2**20)
    monkeypatch.setattr(multipart, "PART_BYTES", 5 * 2**20)

    def broken() -> Iterator[bytes]:
        yield b"x" * 6 * 2**20
        raise LakeError("gone")

    with pytest.raises(LakeError, match="gone"):
        s3_store.create("large", broken())
    assert s3_store.list() == []
    bucket = s3_store.uri.split("/")[2]
    uploads = boto3.client("s3", endpoint_url=s3_store.endpoint_url).list_multipart_uploads(Bucket=bucket)
    assert not uploads.get("Uploads")


def test_a_large_object_that_s3_refuses_is_one_sentence(s3_store: Store) -> None:
    store = Store("s3://no-such-bucket/lake", s3_store.endpoint_url)
    with pytest.raises(LakeError, match="Could not write s3://no-such-bucket/lake/large: NoSuchBucket") as caught:
        store.create("large", iter([b"x" * 40 * 2**20]))
    assert "\n" not in str(caught.value)


def test_a_link_opens_an_object_of_s3_and_there_is_none_to_a_folder(s3_store: Store, lake: Store) -> None:
    s3_store.create("a/b", b"content")
    link = s3_store.link("a/b", timedelta(hours=1))
    assert link
    with urllib.request.urlopen(link) as answer:  # noqa: S310 (the link is what is tested)
        assert answer.read() == b"content"
    assert lake.link("a/b", timedelta(hours=1)) is None
