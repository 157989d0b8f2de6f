#!/usr/bin/env python
"""Makes a new or upgraded stack ready, once, before its processes start; a second run changes nothing.

The buckets, the proof that the store keeps its "create, never overwrite", the warehouse's schema and Dagster's own.
"""

import subprocess
import sys
import uuid
from typing import Any, cast
from urllib.parse import urlsplit

import boto3
from botocore.exceptions import ClientError

from data_platform import settings as settings_module
from data_platform.errors import PlatformError
from data_platform.lake.multipart import Upload
from data_platform.settings import Settings, SettingsError
from data_platform.stack import Stack, open_stack

_NAMED = ("warehouse_url", "lake_uri", "app_database_url", "lessons_database_url", "login_queue_url", "privacy_keys")


def main() -> None:
    """Prepares what the settings name.

    Raises:
        SystemExit: Something is missing or unfit; the sentence says what.
    """
    try:
        settings = settings_module.load()
        _refuse_embedded_parts(settings)
        _make_buckets(settings)
        stack = open_stack(settings)
        _prove_conditional_create(stack)
        _ = stack.key_ring
        if stack.login_queue:
            _ = stack.login_queue.visibility_seconds
    except (PlatformError, SettingsError) as error:
        sys.exit(f"prepare: {error}")
    subprocess.run(["dagster", "instance", "migrate"], check=True)  # noqa: S607 (the image's own)


def _refuse_embedded_parts(settings: Settings) -> None:
    if unset := [name.upper() for name in _NAMED if getattr(settings, name) is None]:
        sys.exit(f"prepare: {', '.join(unset)} must be set: in production nothing is embedded.")


def _make_buckets(settings: Settings) -> None:
    client = cast("Any", boto3.client("s3", endpoint_url=settings.aws_endpoint_url))
    for uri in {settings.lake, settings.landing, settings.reports}:
        parts = urlsplit(uri)
        if parts.scheme != "s3":
            continue
        try:
            client.head_bucket(Bucket=parts.netloc)
        except ClientError as error:
            if cast("Any", error.response)["ResponseMetadata"]["HTTPStatusCode"] != 404:  # noqa: PLR2004
                sys.exit(f"prepare: the bucket {parts.netloc} cannot be used ({error}); check AWS's variables.")
            client.create_bucket(Bucket=parts.netloc)


def _prove_conditional_create(stack: Stack) -> None:
    """Evidence is written once: a store that overwrites in spite of If-None-Match would lose it without a word."""
    key = f"prepare/{uuid.uuid4()}"
    created = [stack.lake.create(key, content) for content in (b"first", b"second")]
    parts = urlsplit(stack.lake.uri)
    if parts.scheme == "s3":
        upload = Upload(parts.netloc, f"{parts.path.strip('/')}/{key}".strip("/"), stack.settings.aws_endpoint_url)
        created.append(upload.create(b"third", iter(()), replace=False))
    kept = b"".join(stack.lake.read(key))
    stack.lake.delete(key)
    if any(created[1:]) or kept != b"first":
        sys.exit(
            f"prepare: the store of {stack.lake.uri} ignores If-None-Match, by which nothing is ever overwritten; set"
            " LAKE_URI to a store that heeds it, in PutObject and in CompleteMultipartUpload."
        )


if __name__ == "__main__":
    main()
