"""Random schedules: what may happen to a queue, a drain, the lake and the warehouse, one thing after the other."""

import random
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime

from data_platform.errors import TransientError
from platform_tests.queues.file_queue import Temper
from platform_tests.queues.plans import Plan
from platform_tests.queues.stand import Stand

_STEPS = 130
_CLOCKS = [None, None, None, datetime(1971, 1, 1, tzinfo=UTC), datetime(2090, 1, 1, tzinfo=UTC)]
_ACCIDENTS = ["lose the lock", "lose all connections", "fill the disk", "pass time"]


def happen(stand: Stand, seed: int) -> None:
    """Lets some things happen, looks after each, and in the end lets everything come to rest."""
    rng = random.Random(seed)
    stand.bag.send_some(rng.randint(1, 12))
    for _ in range(rng.randint(2, 4)):
        if rng.random() < 0.7:
            stand.place.queue.become(_temper(rng))
        rng.choices(_DEEDS, _WEIGHTS)[0](stand, rng)
        stand.look()
        stand.bag.send_some(rng.randint(0, 6))
    stand.rest()


def _temper(rng: random.Random) -> Temper:
    names = rng.sample(["twice", "shy", "forgets", "refuses", "down", "mute"], 2)
    return Temper(**{name: rng.choice([0.03, 0.2]) for name in names})


def _plan(rng: random.Random, accident: str) -> Plan:
    return Plan(accident, rng.randrange(_STEPS), rng.choice(_CLOCKS))


def _die(stand: Stand, rng: random.Random) -> None:
    stand.drain(_plan(rng, "die"))


def _meet_an_accident(stand: Stand, rng: random.Random) -> None:
    stand.drain(_plan(rng, rng.choice(_ACCIDENTS)))


def _drain_here(stand: Stand, rng: random.Random) -> None:
    with suppress(TransientError):
        stand.drain_here()


def _come_again(stand: Stand, rng: random.Random) -> None:
    stand.place.queue.bring_back(rng.randint(1, 8), rng)
    _drain_here(stand, rng)


def _wait(stand: Stand, rng: random.Random) -> None:
    stand.place.queue.pass_time()


def _meet_another(stand: Stand, rng: random.Random) -> None:
    """A drain is halted; it may lose its lock and what it has in hand, and another one begins before it goes on."""
    first = stand.start(_plan(rng, "stop"))
    if first.end() != "stopped":
        return
    if rng.random() < 0.8:
        stand.take_lock_away()
    if rng.random() < 0.7:
        stand.place.queue.pass_time()
    second = stand.start(_plan(rng, "die") if rng.random() < 0.3 else Plan())
    stand.look()
    if rng.random() < 0.2:
        first.kill()
    first.go_on()
    first.end()
    stand.look()
    second.end()


def _lose_postgres(stand: Stand, rng: random.Random) -> None:
    drain = stand.start(_plan(rng, "stop"))
    if drain.end() == "stopped":
        stand.kill_postgres()
        drain.go_on()
        drain.end()


_CHANCES: dict[Callable[[Stand, random.Random], None], float] = {
    _die: 5, _meet_an_accident: 3, _drain_here: 2, _come_again: 2, _wait: 1, _meet_another: 4, _lose_postgres: 0.3,
}  # fmt: skip
_DEEDS, _WEIGHTS = [*_CHANCES], [*_CHANCES.values()]
