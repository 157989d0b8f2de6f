"""Reading delimited text, beside the readers one would use instead: time, memory, and what becomes of damaged records.

What each module says: `samples.py` the files and the truth about them, `contenders.py` the readers, `judge.py` what a
reader made of a file, `child.py` the process that one reading runs in, `race.py` the runs and `tables.py` the report.
Importing this package imports no library: whatever a child imports is part of its contender's memory.
"""
