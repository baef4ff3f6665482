"""The forms of a run."""

import itertools
from dataclasses import replace

from tests.faults.plan import OURS_AND_THEIR_SERVERS, each_part_once, pauses, troubles
from tests.faults.run import Course


def short(seed: int) -> Course:
    """A few dozen orders, and every part killed once, ours stopped as well."""
    return Course(
        seed=seed,
        orders=range(1, 25),
        troubles=each_part_once(seed),
        pauses=itertools.repeat(0.5),
        seconds=600,  # a bound only: it ends with its orders and troubles
        at_once=15,
        gap_seconds=0.3,
        healing_seconds=240,
    )


def shortest(seed: int) -> Course:
    """A dozen orders, while each process of ours and each of their servers is killed
    once."""
    killed = each_part_once(seed, OURS_AND_THEIR_SERVERS, stopped=())
    return replace(short(seed), orders=range(1, 13), troubles=killed)


def long(seed: int, minutes: float, at_once: int) -> Course:
    """Orders and every kind of trouble until the time is over."""
    return Course(
        seed=seed,
        orders=itertools.count(1),
        troubles=troubles(seed),
        pauses=pauses(seed),
        seconds=minutes * 60,
        at_once=at_once,
        gap_seconds=0.5,
        healing_seconds=600,
    )
