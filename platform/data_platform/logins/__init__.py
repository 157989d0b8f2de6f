"""Logins: daily numbers out of a counter that only knows the month.

Pure functions, bytes or frames in, frames out. What does not belong here: storing anything, and any other product.
"""
