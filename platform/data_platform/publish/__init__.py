"""The one way in which anything becomes visible: stage, check against the contract, swap, all or nothing.

Holds the books of it too: evidence that arrived, publications, tallies, rejects. What does not belong here: how a row
comes about (the products), and how bytes reach a disk or a database (`lake/`, `warehouse/`).
"""
