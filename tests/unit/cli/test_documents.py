"""Files that `crypt encrypt` and `object export` write, as somebody else may have left them."""

from collections.abc import Callable

import pytest

from strongroom.cli.crypt import _document
from strongroom.cli.exit import Stop
from strongroom.cli.object_files import read_exported


@pytest.mark.parametrize("read", [_document, read_exported])
@pytest.mark.parametrize(
    "data", [b"", b"\xff", b"[]", b"{}", b"[" * 100_000], ids=["empty", "bytes", "list", "object", "deep"]
)
def test_what_is_no_such_file_is_said_to_be_none(read: Callable[[bytes], object], data: bytes) -> None:
    with pytest.raises(Stop, match="was not written by"):
        read(data)
