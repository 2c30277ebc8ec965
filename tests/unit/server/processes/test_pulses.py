from strongroom.server.processes.pulses import make_pulses


def test_a_child_is_silent_for_as_many_looks_as_it_has_shown_nothing() -> None:
    (pulse,) = make_pulses(1)
    pulse.show()
    for silence in (0, 1, 2, 3):
        pulse.look()
        assert pulse.silence == silence
    pulse.show()
    pulse.look()
    assert pulse.silence == 0


def test_a_child_is_not_watched_before_its_first_sign() -> None:
    first, second = make_pulses(2)
    second.show()
    for _ in range(5):
        first.look()
        second.look()
    assert (first.silence, second.silence) == (0, 4)


def test_the_next_child_of_a_row_begins_anew() -> None:
    (pulse,) = make_pulses(1)
    pulse.show()
    for _ in range(5):
        pulse.look()
    pulse.clear()
    pulse.look()
    assert pulse.silence == 0
    pulse.show()
    pulse.look()
    assert pulse.silence == 0
