"""Memory for bytes of which it is known how many they will be."""

import pytest

from strongroom.wire.place import Place


def test_what_was_written_is_taken() -> None:
    place = Place(10)
    place.view[:4] = b"1234"
    assert place.take(4) == b"1234"
    whole = Place(3)
    whole.view[:] = b"abc"
    assert whole.take(3) == b"abc"


def test_what_somebody_may_still_write_to_is_not_taken() -> None:
    place = Place(4)
    part = place.view[2:]
    with pytest.raises(BufferError):
        place.take(4)
    part.release()


def test_nothing_is_written_after_it_was_taken() -> None:
    place = Place(4)
    view = place.view
    taken = place.take(4)
    with pytest.raises(ValueError, match="released"):
        view[:] = b"late"
    assert taken == bytes(4)
