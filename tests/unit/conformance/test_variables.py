"""Variables are bound once, resolved late and never guessed silently."""

import pytest

from strongroom.conformance.variables import Bindings, Unresolved, Variable, parse_variable
from strongroom.registry import Tag
from strongroom.wire.item import BYTE_STRING, DATE_TIME, DATE_TIME_EXTENDED, STRUCTURE, TEXT_STRING, Item

NOW = 1_700_000_000


def text(variable: str) -> Item:
    return (Tag.UNIQUE_IDENTIFIER, TEXT_STRING, Variable(variable))


def data(variable: str, tag: Tag = Tag.DATA) -> Item:
    return (tag, BYTE_STRING, Variable(variable))


@pytest.mark.parametrize(
    ("written", "variable"),
    [
        ("$NOW", Variable("NOW")),
        ("$NOW-3600", Variable("NOW", -3600)),
        ("$NOW+20", Variable("NOW", 20)),
        ("$UNIQUE_IDENTIFIER_0", Variable("UNIQUE_IDENTIFIER_0")),
        ("$", None),
        ("costs $NOW", None),
        ("$lower", None),
        ("$DATA-1", None),
    ],
)
def test_a_variable_is_the_whole_of_a_value(written: str, variable: Variable | None) -> None:
    assert parse_variable(written) == variable


def test_now_is_the_time_at_which_the_request_is_sent() -> None:
    template: Item = (Tag.ACTIVATION_DATE, DATE_TIME, Variable("NOW", -3600))
    assert Bindings().fill(template, now=NOW)[2] == NOW - 3600


def test_now_counts_microseconds_in_an_extended_date() -> None:
    template: Item = (Tag.ACTIVATION_DATE, DATE_TIME_EXTENDED, Variable("NOW"))
    assert Bindings().fill(template, now=NOW)[2] == NOW * 1_000_000


def test_a_bound_variable_is_put_in_wherever_it_stands() -> None:
    bindings = Bindings()
    bindings.bind(Variable("UNIQUE_IDENTIFIER_0"), "key-1")
    template: Item = (Tag.REQUEST_PAYLOAD, STRUCTURE, [text("UNIQUE_IDENTIFIER_0")])
    assert bindings.fill(template, now=NOW)[2] == [(Tag.UNIQUE_IDENTIFIER, TEXT_STRING, "key-1")]


def test_a_numbered_variable_that_no_response_names_is_the_nth_value_of_its_tag() -> None:
    """CS-BC-M-13-12 prints the data and uses $DATA_0 in the next request."""
    bindings = Bindings()
    bindings.learn((Tag.DATA, BYTE_STRING, b"first"))
    bindings.learn((Tag.DATA, BYTE_STRING, b"second"))
    assert bindings.fill(data("DATA_0"), now=NOW)[2] == b"first"


def test_an_unnumbered_one_is_the_last_value_of_its_tag() -> None:
    bindings = Bindings()
    bindings.learn((Tag.MAC_DATA, BYTE_STRING, b"first"))
    bindings.learn((Tag.MAC_DATA, BYTE_STRING, b"second"))
    assert bindings.fill(data("MAC_DATA", Tag.MAC_DATA), now=NOW)[2] == b"second"


def test_a_random_variable_is_chosen_once_by_the_client() -> None:
    bindings = Bindings()
    first = bindings.fill(text("UNIQUE_IDENTIFIER_RANDOM_0"), now=NOW)
    assert first[2]
    assert bindings.fill(text("UNIQUE_IDENTIFIER_RANDOM_0"), now=NOW) == first


def test_a_misnumbered_identifier_is_the_only_object_of_the_case_and_noted() -> None:
    """TC-RNG-ATTR-2-13 binds $UNIQUE_IDENTIFIER_1 and asks for $UNIQUE_IDENTIFIER_0."""
    bindings = Bindings()
    bindings.bind(Variable("UNIQUE_IDENTIFIER_1"), "key-1")
    assert bindings.fill(text("UNIQUE_IDENTIFIER_0"), now=NOW)[2] == "key-1"
    assert "UNIQUE_IDENTIFIER_0" in bindings.notes[0]


def test_with_several_objects_a_misnumbered_identifier_is_not_guessed() -> None:
    bindings = Bindings()
    bindings.bind(Variable("UNIQUE_IDENTIFIER_1"), "key-1")
    bindings.bind(Variable("UNIQUE_IDENTIFIER_2"), "key-2")
    with pytest.raises(Unresolved, match=r"\$UNIQUE_IDENTIFIER_0"):
        bindings.fill(text("UNIQUE_IDENTIFIER_0"), now=NOW)


def test_a_value_that_varied_is_sent_back_as_received() -> None:
    bindings = Bindings(replaced={b"printed": b"received"})
    assert bindings.fill((Tag.DATA, BYTE_STRING, b"printed"), now=NOW)[2] == b"received"
    assert bindings.fill((Tag.DATA, BYTE_STRING, b"other"), now=NOW)[2] == b"other"
    assert bindings.fill((Tag.NONCE_VALUE, BYTE_STRING, b"printed"), now=NOW)[2] == b"printed"
