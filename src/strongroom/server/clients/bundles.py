"""Product bundles: the files that a product wants, in its formats, with what to paste and what to check.

Rule: a product is one file in `products/`; nothing here knows any. What holds the private key is written
0600, and a container has a random password in a file beside it. What a product wants can change with its
releases: docs/products.md names what was tried with the product itself.

    title, where, check   for people; key   "ec" or "rsa", what the product is known to take
    [[file]]              name, and one of: holds = ["cert", "key", "ca"], text, snippet = true, pkcs12 = true
"""

import base64
import secrets
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from string import Template
from typing import Any, Final

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    load_pem_private_key,
    pkcs12,
)

from strongroom.server.address import Address
from strongroom.server.certificates.ca import ClientKey, new_key
from strongroom.server.data_directory import write_private, write_public
from strongroom.server.errors import InvalidOption, OperatorError

RSA_BITS: Final = 3072
README: Final = "README.txt"

_PARTS: Final = ("cert", "key", "ca")
_FILE_KEYS: Final = frozenset({"name", "holds", "text", "snippet", "pkcs12", "form"})
_KEYS: Final = frozenset({"title", "key", "where", "snippet", "check", "file"})


@dataclass(frozen=True, kw_only=True)
class Product:
    """What is known of a product; see the module for its fields."""

    name: str
    title: str
    key: str
    where: str
    snippet: str
    check: str
    files: tuple[Mapping[str, Any], ...]

    def new_key(self) -> ClientKey:
        """Return a fresh key of the kind that the product takes."""
        if self.key == "rsa":
            return rsa.generate_private_key(public_exponent=65537, key_size=RSA_BITS)
        return new_key()


def product_names() -> Sequence[str]:
    """Return the products that there are bundles for."""
    folder = resources.files("strongroom.server.clients") / "products"
    return sorted(
        entry.name.removesuffix(".toml") for entry in folder.iterdir() if entry.name.endswith(".toml")
    )


def find_product(name: str) -> Product:
    """Return what is known of a product; raises InvalidOption."""
    if name not in product_names():
        raise InvalidOption(f"--for: there is no bundle for {name!r}; there are {', '.join(product_names())}")
    folder = resources.files("strongroom.server.clients") / "products"
    text = (folder / f"{name}.toml").read_text(encoding="utf-8")
    values = tomllib.loads(text)
    files = tuple(values.get("file", ()))
    unknown = values.keys() - _KEYS | {key for file in files for key in file.keys() - _FILE_KEYS}
    if unknown or values["key"] not in ("ec", "rsa"):
        raise TypeError(f"products/{name}.toml: {sorted(unknown) or values['key']} means nothing")
    return Product(
        name=name,
        title=values["title"],
        key=values["key"],
        where=values["where"],
        snippet=values["snippet"],
        check=values["check"],
        files=files,
    )


def write_bundle(product: Product, out: Path, *, client: str, server: Address) -> str:
    """Write the files of a product beside those of an enrolled client and return what to do with them.

    The client's key may be elsewhere (`--csr`): then what holds it is left out, and said so. Raises
    OperatorError.
    """
    parts = {part: _read(out / f"{part}.pem") for part in _PARTS}
    values = _values(parts, out, client, server)
    missing = []
    for file in product.files:
        if parts["key"] is None and _holds_key(file):
            missing.append(file["name"])
        else:
            _write(file, product, out, parts, values)
    told = _told(product, values, missing)
    write_public(out / README, told.encode())
    return told


def _write(
    file: Mapping[str, Any],
    product: Product,
    out: Path,
    parts: Mapping[str, bytes | None],
    values: Mapping[str, str],
) -> None:
    path = out / file["name"]
    _make_folder(path.parent, out)
    if file.get("pkcs12"):
        password = secrets.token_urlsafe(24)
        write_private(path.with_name(f"{path.name}.password"), f"{password}\n".encode())
        write_private(path, _container(parts, values["name"], password))
        return
    if "holds" in file:
        content = b"".join(parts[part] or b"" for part in file["holds"])
        if file.get("form") == "der":
            content = x509.load_pem_x509_certificate(content).public_bytes(Encoding.DER)
    else:
        text = product.snippet if file.get("snippet") else file["text"]
        content = Template(text.lstrip("\n")).substitute(values).encode()
    (write_private if _holds_key(file) else write_public)(path, content)


def _container(parts: Mapping[str, bytes | None], name: str, password: str) -> bytes:
    key = load_pem_private_key(parts["key"] or b"", None)
    certificate = x509.load_pem_x509_certificate(parts["cert"] or b"")
    authorities = x509.load_pem_x509_certificates(parts["ca"] or b"")
    return pkcs12.serialize_key_and_certificates(
        name.encode(),
        key,  # type: ignore[arg-type]  # one that was made here
        certificate,
        authorities,
        BestAvailableEncryption(password.encode()),
    )


def _values(parts: Mapping[str, bytes | None], out: Path, client: str, server: Address) -> dict[str, str]:
    return {
        "address": str(server),
        "host": server.host,
        "port": str(server.port),
        "dir": str(out.absolute()),
        "name": client,
        **{f"{part}_base64": base64.b64encode(parts[part] or b"").decode("ascii") for part in _PARTS},
    }


def _told(product: Product, values: Mapping[str, str], missing: Sequence[str]) -> str:
    # Nobody has to see a key who reads what to do.
    shown = {name: value for name, value in values.items() if not name.endswith("_base64")}
    lines = [
        product.title,
        "",
        f"Where: {Template(product.where).substitute(shown)}",
        "",
        Template(product.snippet.strip("\n")).substitute(shown),
        "",
        f"Check: {Template(product.check).safe_substitute(shown)}",
    ]
    if missing:
        lines += ["", f"Not written, since the key is not here: {', '.join(missing)}"]
    return "\n".join([*lines, ""])


def _holds_key(file: Mapping[str, Any]) -> bool:
    return bool(file.get("pkcs12")) or "key" in file.get("holds", ()) or "$key_base64" in file.get("text", "")


def _read(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise OperatorError(f"cannot read {path}: {error.strerror}") from error


def _make_folder(folder: Path, out: Path) -> None:
    for path in reversed([folder, *folder.parents]):
        if out in path.parents:
            try:
                path.mkdir(mode=0o700, exist_ok=True)
            except OSError as error:
                raise OperatorError(f"cannot make {path}: {error.strerror}") from error
