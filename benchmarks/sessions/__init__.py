"""Events into sessions, and files into events, beside the libraries one would use instead: time, processors, memory.

What each module says: `samples.py` the days of events, `contenders.py` the ways from events to sessions,
`deliveries.py` the delivered file, `readers.py` the ways to read it, `judge.py` whether all found the same, `child.py`
the process that one way runs in, `race.py` the runs and `tables.py` the report. Importing this package imports no
library: whatever a child imports is part of its contender's time and memory.
"""
