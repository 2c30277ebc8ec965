"""Unique Identifiers of new objects (`engine/identifiers.py`, RFC 9562 §5.7)."""

import time
import uuid
from functools import reduce
from operator import and_, or_

from strongroom.engine.identifiers import new_identifier

RANDOM = (0xFFF << 64) | ((1 << 62) - 1)


def test_it_is_a_uuid_of_version_7() -> None:
    before = time.time_ns() // 1_000_000
    identifier = new_identifier()
    made = uuid.UUID(identifier)
    assert str(made) == identifier
    assert (made.version, made.variant) == (7, uuid.RFC_4122)
    assert before <= made.int >> 80 <= time.time_ns() // 1_000_000


def test_all_but_the_time_is_random() -> None:
    made = [uuid.UUID(new_identifier()).int for _ in range(200)]
    assert len(set(made)) == len(made)
    assert reduce(or_, made) & RANDOM == RANDOM
    assert reduce(and_, made) & RANDOM == 0


def test_later_ones_come_later() -> None:
    one = new_identifier()
    time.sleep(0.002)
    assert one < new_identifier()
