"""The same seed, the same decisions."""

import itertools

from tests.faults.plan import Part, each_part_once, misbehaviour, pauses, troubles, wish


def decisions(seed: int) -> list[object]:
    return [
        [wish(seed, number) for number in range(50)],
        list(itertools.islice(troubles(seed), 50)),
        list(itertools.islice(pauses(seed), 50)),
        list(each_part_once(seed)),
        misbehaviour(seed, Part.PAYMENTS),
    ]


def test_a_seed_decides_everything() -> None:
    assert decisions(7) == decisions(7)


def test_another_seed_decides_otherwise() -> None:
    same = [a == b for a, b in zip(decisions(7), decisions(8), strict=True)]
    assert not any(same)


def test_two_troubles_at_once_are_different_ones() -> None:
    several = [t for t in itertools.islice(troubles(7), 200) if len(t) == 2]
    assert several
    assert all(first != second for first, second in several)
