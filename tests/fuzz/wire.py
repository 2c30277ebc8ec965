"""Coverage-guided fuzzing of the three decoders and the framer, for a machine with time to spare.

    pip install atheris
    PYTHONPATH=src python tests/fuzz/wire.py [-max_total_time=600] [CORPUS_DIRECTORY]

The first byte picks the decoder. Any exception but DecodeError is a finding, and so is an item that does not
survive being written and read again.
"""

import contextlib
import sys

import atheris

with atheris.instrument_imports(include=["strongroom"]):
    from strongroom.registry import NEWEST
    from strongroom.wire import binary, json, xml
    from strongroom.wire.dump import dump
    from strongroom.wire.errors import DecodeError, EncodeError
    from strongroom.wire.framing import Framer
    from strongroom.wire.limits import Limits

LIMITS = Limits(message_size=64 * 1024, depth=8, items=1000)


def one_input(data: bytes) -> None:
    if not data:
        return
    choice, data = data[0] % 4, data[1:]
    with contextlib.suppress(DecodeError):
        if choice == 0:
            feed_byte_by_byte(data)
            return
        item = (binary, xml, json)[choice - 1].decode(data, LIMITS)
        dump(item)
        # An error of the second reading must not pass for one of the first.
        try:
            assert binary.decode(binary.encode(item)) == item
            assert json.decode(json.encode(item, version=NEWEST)) == item
            with contextlib.suppress(EncodeError):  # XML cannot hold every text
                assert xml.decode(xml.encode(item, version=NEWEST)) == item
        except DecodeError as error:
            raise AssertionError("what was written cannot be read") from error


def feed_byte_by_byte(data: bytes) -> None:
    framer = Framer(LIMITS)
    for i in range(len(data)):
        framer.feed(data[i : i + 1])
        message = framer.next_message()
        if message is not None:
            binary.decode(message, LIMITS)


if __name__ == "__main__":
    atheris.Setup(sys.argv, one_input)
    atheris.Fuzz()
