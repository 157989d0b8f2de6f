"""The object store: evidence, written once, and Parquet. A local folder and S3 by the same code.

What does not belong here: any product, and which of the objects are current (`publish/`).
"""
