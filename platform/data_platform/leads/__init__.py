"""Leads: state licensing files of childcare providers into one deduplicated table.

Pure functions, bytes or frames in, frames out. What does not belong here: storing anything, and any other product.
"""
