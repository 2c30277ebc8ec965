"""Bytes as text and back."""

import pytest

from strongroom.cli.encodings import Form, understood, written
from strongroom.cli.exit import Stop


@pytest.mark.parametrize(
    ("form", "text"), [(Form.HEX, b"00ff41\n"), (Form.BASE64, b"AP9B\n"), (Form.RAW, b"\x00\xff\x41")]
)
def test_bytes_are_written_and_read_again(form: Form, text: bytes) -> None:
    assert written(b"\x00\xffA", form) == text
    assert understood(text, form) == b"\x00\xffA"


@pytest.mark.parametrize(
    ("form", "text"),
    [(Form.HEX, b"0"), (Form.HEX, b"\xff\xff"), (Form.BASE64, b"A"), (Form.BASE64, b"A\x00==")],
)
def test_what_is_not_of_the_form_is_told_without_showing_it(form: Form, text: bytes) -> None:
    with pytest.raises(Stop, match="--format"):
        understood(text, form)
