"""Coverage-guided fuzzing of what people hand over as text when somebody becomes a client.

    pip install atheris
    PYTHONPATH=src:. python tests/fuzz/enrolment.py [-max_total_time=600] [CORPUS_DIRECTORY]

The first byte picks the parser. An error that is not one of the operator's is a finding.
"""

import base64
import contextlib
import hashlib
import sys

import atheris

with atheris.instrument_imports(include=["strongroom"]):
    from cryptography import x509

    from strongroom.server.certificates.requests import requested_key
    from strongroom.server.certificates.revocation import read_lists
    from strongroom.server.clients.mapping import names_of, parse_san, parse_subject
    from strongroom.server.clients.pending import shown
    from strongroom.server.clients.tokens import PREFIX, read_token
    from strongroom.server.errors import OperatorError
    from strongroom.server.listening.joining import _request_in


def one_input(data: bytes) -> None:
    if not data:
        return
    choice, data = data[0] % 7, data[1:]
    text = data.decode("utf-8", "replace")
    with contextlib.suppress(OperatorError):
        if choice == 0:
            read_token(text)
        elif choice == 1:
            whole = data + hashlib.sha256(data).digest()[:4]  # past the check, to what is behind it
            read_token(PREFIX + base64.urlsafe_b64encode(whole).decode().rstrip("="))
        elif choice == 2:
            requested_key(data)
        elif choice == 3:
            parse_san(text)
        elif choice == 4:
            parse_subject(text)
        elif choice == 5:
            requested_key(_request_in(data))
        else:
            with contextlib.suppress(ValueError):
                read_lists(data)
            with contextlib.suppress(ValueError):
                names_of(data)
                name = shown(x509.load_der_x509_certificate(data).subject)
                assert name.isascii()
                assert name.isprintable()


if __name__ == "__main__":
    atheris.Setup(sys.argv, one_input)
    atheris.Fuzz()
