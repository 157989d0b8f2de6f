"""Sessions of the mobile app: what was delivered into events, and events into sessions with a verdict. Pure functions.

What does not belong here: where any of it lies (`lake/`, `warehouse/`), and Dagster (`defs/sessions/`).
"""
