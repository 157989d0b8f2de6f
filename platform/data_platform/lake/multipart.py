"""Large objects in parts, with few of them in memory, created only where there is none: in S3 and in a folder.

A conditional put in one piece holds all of its bytes in memory. What does not belong here: small objects (`store.py`).
"""

import os
import uuid
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import IO, Any, cast

import boto3
from botocore.exceptions import BotoCoreError, ClientError

PART_BYTES = 32 * 2**20
"""S3 takes ten thousand parts: 300 GiB."""


class NotWritten(OSError):
    """S3 did not take the object; nothing of it is visible."""


def peeked(chunks: Iterable[bytes], num_bytes: int) -> tuple[bytes, Iterator[bytes]]:
    """The beginning of a content, as much as was asked for if there is so much, and the rest."""
    rest, head = iter(chunks), bytearray()
    while len(head) < num_bytes and (chunk := next(rest, None)) is not None:
        head += chunk
    return bytes(head), rest


@dataclass(frozen=True)
class Upload:
    """One object on its way."""

    bucket: str
    key: str
    endpoint_url: str | None

    def create(self, head: bytes, rest: Iterator[bytes], *, replace: bool) -> bool:
        """Writes the object.

        Args:
            head: Its beginning.
            rest: What follows.
            replace: Whether it may take the place of another.

        Returns:
            Whether it was written; False when there was one already.

        Raises:
            NotWritten: S3 refused, or went away.
        """
        client = cast("Any", boto3.client("s3", endpoint_url=self.endpoint_url))
        where = {"Bucket": self.bucket, "Key": self.key}
        try:
            where["UploadId"] = client.create_multipart_upload(**where)["UploadId"]
        except (ClientError, BotoCoreError) as error:
            raise NotWritten(_reason(error)) from error
        done = False
        try:
            parts = [
                {"PartNumber": number, "ETag": client.upload_part(**where, PartNumber=number, Body=part)["ETag"]}
                for number, part in enumerate(_parts(chain([head], rest)), start=1)
            ]
            condition = {} if replace else {"IfNoneMatch": "*"}
            client.complete_multipart_upload(**where, MultipartUpload={"Parts": parts}, **condition)
            done = True
        except ClientError as error:
            if cast("Any", error.response)["Error"]["Code"] == "PreconditionFailed":
                return False
            raise NotWritten(_reason(error)) from error
        except BotoCoreError as error:
            raise NotWritten(_reason(error)) from error
        finally:
            if not done:
                with suppress(ClientError, BotoCoreError):  # what is left of it, the bucket's lifecycle rule removes
                    client.abort_multipart_upload(**where)
        return True


@dataclass(frozen=True)
class LocalUpload:
    """The same into a folder."""

    path: Path

    def create(self, head: bytes, rest: Iterator[bytes], *, replace: bool) -> bool:
        """Writes the file beside its place, brings it to the disk, and links it there in one step.

        Raises:
            OSError: The folder cannot be written.
        """
        _make_folder(self.path.parent)
        if not replace and (nameless := _nameless(self.path.parent)):
            return self._linked(nameless, head, rest)
        # obstore gives such names to what is not whole yet, and shows none of them.
        beside = self.path.with_name(f"{self.path.name}#{uuid.uuid4().int}")
        try:
            with beside.open("xb") as file:
                _write(file, head, rest)
            if replace:
                beside.replace(self.path)
            else:
                self.path.hardlink_to(beside)
        except FileExistsError:
            return False
        finally:
            beside.unlink(missing_ok=True)
        made_durable(self.path.parent)
        return True

    def _linked(self, nameless: IO[bytes], head: bytes, rest: Iterator[bytes]) -> bool:
        """Gives a file its name once it is whole: before that it vanishes with the process."""
        with nameless as file:
            _write(file, head, rest)
            try:
                os.link(f"/proc/self/fd/{file.fileno()}", self.path, src_dir_fd=0, follow_symlinks=True)
            except FileExistsError:
                return False
        made_durable(self.path.parent)
        return True


def _nameless(folder: Path) -> IO[bytes] | None:
    """A file in a folder without a name; None where the system or the file system has no such thing."""
    if not (hasattr(os, "O_TMPFILE") and Path("/proc/self/fd").is_dir()):
        return None
    try:
        return os.fdopen(os.open(folder, os.O_TMPFILE | os.O_WRONLY, 0o666), "wb")
    except OSError:
        return None


def _make_folder(folder: Path) -> None:
    """Makes a folder, and brings its name to the disk; one that is there is left as it is."""
    if not folder.is_dir():
        _make_folder(folder.parent)
        folder.mkdir(exist_ok=True)
        made_durable(folder.parent)


def _write(file: IO[bytes], head: bytes, rest: Iterator[bytes]) -> None:
    file.write(head)
    file.writelines(rest)
    file.flush()
    os.fsync(file.fileno())


def made_durable(*paths: Path) -> None:
    """Brings files and folders to the disk."""
    for path in paths:
        handle = os.open(path, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def _parts(chunks: Iterator[bytes]) -> Iterator[bytes]:
    while True:
        part, chunks = peeked(chunks, PART_BYTES)
        if not part:
            return
        yield part


def _reason(error: Exception) -> str:
    if isinstance(error, ClientError):
        facts = cast("Any", error.response)["Error"]
        return f"{facts['Code']}, {facts['Message']}"
    return str(error)
