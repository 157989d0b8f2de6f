"""Queues of messages that outsiders send. What does not belong here: what a message says, and what becomes of it."""
