"""Coverage-guided fuzzing of what faces a peer over HTTPS: the framing of requests, and bodies for people.

    pip install atheris
    PYTHONPATH=src python tests/fuzz/https.py [-max_total_time=600] [CORPUS_DIRECTORY]

The first byte picks how the bytes arrive. Any exception but the refusals is a finding, and so is a request
that holds more than the limit.
"""

import contextlib
import sys

import atheris

with atheris.instrument_imports(include=["strongroom", "h11"]):
    from http import HTTPStatus

    from strongroom.server.listening.http_framing import TEXT, HttpFramer, HttpResponse
    from strongroom.server.messages import BrokenMessage
    from strongroom.server.remote import read
    from strongroom.wire.errors import DecodeError
    from strongroom.wire.limits import Limits

LIMITS = Limits(message_size=4096)
STEPS = (1, 7, 64, 4096)


def one_input(data: bytes) -> None:
    if not data:
        return
    choice, data = data[0] % (len(STEPS) + 1), data[1:]
    if choice == len(STEPS):
        with contextlib.suppress(BrokenMessage):
            assert isinstance(read(data), dict)
        return
    framer = HttpFramer(LIMITS)
    with contextlib.suppress(DecodeError):
        for start in range(0, len(data), STEPS[choice]):
            framer.feed(data[start : start + STEPS[choice]])
            while (request := framer.next_message()) is not None:
                assert len(request.body) <= LIMITS.message_size
                request.respond(HttpResponse(HTTPStatus.OK, TEXT, b"ok"), "Thu, 01 Jan 1970 00:00:00 GMT")


if __name__ == "__main__":
    atheris.Setup(sys.argv, one_input)
    atheris.Fuzz()
