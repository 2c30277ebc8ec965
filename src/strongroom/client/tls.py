"""The client's side of TLS.

Rule: the server is verified and named, the client has a certificate, and neither can be turned off.
"""

import ssl
from pathlib import Path

from strongroom.client.errors import InvalidSettings


def make_context(*, cert: str | Path, key: str | Path, ca: str | Path) -> ssl.SSLContext:
    """Return a context of TLS 1.2 or newer from PEM files; raises InvalidSettings, which names the file."""
    for name, path in (("cert", cert), ("key", key), ("ca", ca)):
        try:
            Path(path).open("rb").close()
        except OSError as exc:
            raise InvalidSettings(f"cannot read {path}, the {name} file: {exc.strerror}") from exc
    try:
        context = ssl.create_default_context(cafile=str(ca))
    except ssl.SSLError as exc:
        raise InvalidSettings(f"{ca}, the ca file, holds no certificate in PEM") from exc
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    # INTEROP(PyKMIP's documentation and most appliances): CAs made by hand lack the extensions of RFC 5280.
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    try:
        context.load_cert_chain(str(cert), str(key), password=_no_password)
    except ssl.SSLError as exc:
        raise InvalidSettings(
            f"{cert} and {key} are not a certificate and its unencrypted private key in PEM"
        ) from exc
    return context


def _no_password() -> str:
    """Answer OpenSSL's question for a password, which would otherwise go to the terminal."""
    return ""
