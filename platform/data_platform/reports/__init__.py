"""Reports for customers: what each is, as one YAML file here and its SQL, and how its files come about.

A report is a pure function of what was read for it. What does not belong here: reading it out of databases
(`warehouse/streams.py`), and delivering the files (`publish/delivery.py`).
"""
