"""Objects under one URI, in a local folder or in S3. What does not belong here: what the objects mean."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property
from pathlib import Path
from typing import cast
from urllib.parse import unquote, urlsplit

import obstore
from obstore.exceptions import AlreadyExistsError, BaseError, NotFoundError
from obstore.store import LocalStore, ObjectStore, S3Store

from data_platform.errors import PermanentError, TransientError
from data_platform.lake.multipart import PART_BYTES, LocalUpload, Upload, peeked


class LakeError(TransientError):
    """The object store could not do what was asked; nothing half-written is visible."""


class NoSuchObject(PermanentError):
    """An object that should be in the store is not there."""


@dataclass(frozen=True)
class Entry:
    """An object as a listing shows it: its key below the store's URI, size in bytes, time of its last change (UTC)."""

    key: str
    num_bytes: int
    modified_at: datetime
    version: str

    @property
    def name(self) -> str:
        """The last part of the key."""
        return self.key.rsplit("/", 1)[-1]


@dataclass(frozen=True)
class Store:
    """A folder of objects.

    Attributes:
        uri: `file:///folder` or `s3://bucket/prefix`. Credentials come from the environment or the cloud's role.
        endpoint_url: Address of an S3-compatible server; None for AWS.
    """

    uri: str
    endpoint_url: str | None = None

    @cached_property
    def _folder(self) -> Path | None:
        parts = urlsplit(self.uri)
        return Path(unquote(parts.path)) if parts.scheme == "file" else None

    @cached_property
    def _objects(self) -> ObjectStore:
        with self._one_sentence("open"):
            if self._folder:
                return LocalStore(self._folder, mkdir=True)
            parts = urlsplit(self.uri)
            return S3Store(parts.netloc, prefix=parts.path.strip("/") or None, config=self._s3_config())  # pyright: ignore[reportArgumentType]

    def _s3_config(self) -> dict[str, str]:
        if not self.endpoint_url:
            return {}
        return {"endpoint": self.endpoint_url, "allow_http": str(self.endpoint_url.startswith("http://")).lower()}

    @contextmanager
    def _one_sentence(self, verb: str, key: str = "") -> Iterator[None]:
        place = f"{self.uri}/{key}".rstrip("/")
        try:
            yield
        except (FileNotFoundError, NotFoundError) as error:
            raise NoSuchObject(f"There is no object {place}; look at what the prefix holds.") from error
        except AlreadyExistsError:
            raise
        except (BaseError, OSError) as error:
            reason = str(error).split("\n\nDebug source", 1)[0].splitlines()[0]
            raise LakeError(
                f"Could not {verb} {place}: {reason}; check space, permission and address, then start the run again."
            ) from error

    def list(self, prefix: str = "") -> list[Entry]:
        """Every object below a prefix, in the order of keys."""
        with self._one_sentence("list", prefix):
            found = [meta for page in obstore.list(self._objects, prefix or None) for meta in page]
        entries = [
            Entry(m["path"], m["size"], m["last_modified"], m["e_tag"] or m["last_modified"].isoformat()) for m in found
        ]
        return sorted(entries, key=lambda entry: entry.key)

    def read(self, key: str, *, chunk_bytes: int = 8 * 2**20) -> Iterator[bytes]:
        """The content of an object, in chunks."""
        with self._one_sentence("read", key):
            for chunk in obstore.get(self._objects, key).stream(min_chunk_size=chunk_bytes):
                yield bytes(chunk)

    def size(self, key: str) -> int | None:
        """Size of an object in bytes, or None where there is none."""
        try:
            with self._one_sentence("look up", key):
                return obstore.head(self._objects, key)["size"]
        except NoSuchObject:
            return None

    def create(self, key: str, content: bytes | Iterable[bytes], *, replace: bool = False) -> bool:
        """Writes an object unless it exists; readers see all of it or nothing.

        Args:
            key: Its key.
            content: Its bytes, or chunks of them.
            replace: For an object that is named by its content and was found to have another: write over it.

        Returns:
            Whether it was written; False when there was one already, which stays as it is.
        """
        try:
            with self._one_sentence("write", key):
                head, rest = (content, iter(())) if isinstance(content, bytes) else peeked(content, PART_BYTES)
                # obstore would hold all of a large object in memory, and names a local one before it is on the disk.
                if self._folder or len(head) >= PART_BYTES:
                    return self._upload(key).create(head, rest, replace=replace)
                obstore.put(self._objects, key, head, mode="overwrite" if replace else "create")
        except AlreadyExistsError:
            return False
        except NoSuchObject as error:
            raise LakeError(
                f"Could not write {self.uri}/{key}: there is no such bucket; make it or correct the URI, and run again."
            ) from error
        return True

    def _upload(self, key: str) -> Upload | LocalUpload:
        if self._folder:
            return LocalUpload(self._folder / key)
        parts = urlsplit(self.uri)
        return Upload(parts.netloc, f"{parts.path}/{key}".strip("/"), self.endpoint_url)

    def link(self, key: str, lifetime: timedelta) -> str | None:
        """An address that opens an object of S3 for whoever has it, for a while; None in a local folder."""
        if self._folder:
            return None
        with self._one_sentence("sign", key):
            return obstore.sign(cast("S3Store", self._objects), "GET", key, lifetime)

    def delete(self, key: str) -> None:
        """Removes an object; one that is not there is no error."""
        try:
            with self._one_sentence("delete", key):
                obstore.delete(self._objects, key)
        except NoSuchObject:
            pass

    def location(self, key: str) -> str:
        """The address by which Polars and people reach an object."""
        return str(self._folder / key) if self._folder else f"{self.uri}/{key}"

    @property
    def polars_options(self) -> dict[str, str]:
        """Storage options for Polars' readers."""
        return {f"aws_{name}": value for name, value in self._s3_config().items()}
