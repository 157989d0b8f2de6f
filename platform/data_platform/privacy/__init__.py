"""Personal data: tokens in its place, seals around it, and the keys of both.

What does not belong here: where sealed bytes lie (`lake/`), and which columns are personal (`contracts/`, the
products).
"""
