"""Sequence numbers: the order of objects, without asking the store for the next one."""

import os
from datetime import UTC, datetime, timedelta

from strongroom.engine.sequence import SequenceNumbers

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def in_a_fork(numbers: SequenceNumbers) -> set[int]:
    """Return the next numbers of a process forked from this one."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.write(writing, repr({numbers(NOW) for _ in range(100)}).encode())
        os._exit(0)
    os.close(writing)
    with open(reading, encoding="utf-8") as answer:
        text = answer.read()
    os.waitpid(child, 0)
    return {int(number) for number in text.strip("{}").split(",")}


def test_numbers_grow() -> None:
    numbers = SequenceNumbers()
    made = [numbers(NOW + timedelta(seconds=second)) for second in range(3) for _ in range(50)]
    assert made == sorted(set(made))
    assert made[-1] < 2**63


def test_forks_of_a_process_do_not_count_alike() -> None:
    """Two workers with the same numbers would refuse each other's objects."""
    numbers = SequenceNumbers()
    numbers(NOW)
    assert len(in_a_fork(numbers) | in_a_fork(numbers) | {numbers(NOW) for _ in range(100)}) == 300
