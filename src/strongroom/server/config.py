"""The configuration file, `strongroom.toml` in the data directory.

Rule: every setting is declared here with its default and its unit; a key that is not declared is an error, so
a misspelt setting never silently keeps its default. No secret stands in the file: passwords are in files of
their own.
"""

import difflib
import ipaddress
import json
import re
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Final, Literal, TypeAlias, get_args, get_origin

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from strongroom.server.address import OFF, Address, parse_address, parse_listening
from strongroom.server.errors import InvalidOption, OperatorError

FILE_NAME: Final = "strongroom.toml"
DEFAULT_LISTEN: Final = "127.0.0.1:5696"
DEFAULT_HTTPS: Final = "127.0.0.1:5697"
HTTPS_PORT: Final = 5697
DEFAULT_HOSTS: Final = ("localhost", "127.0.0.1", "::1")
DEFAULT_STORE: Final = "sqlite:///strongroom.db"
_OPTIONS: Final = {"hosts": "host"}
"""What an option is called where it is not called like its key."""

TLS_1_2_SUITES: Final = "ECDHE+AESGCM:ECDHE+CHACHA20"

_HOST_NAME: Final = re.compile(
    r"(?=.{1,253}\Z)(\*\.)?[A-Za-z0-9_]([A-Za-z0-9_-]{0,62})(\.[A-Za-z0-9_]([A-Za-z0-9_-]{0,62}))*\Z"
)


def _listening(text: str) -> str:
    parse_listening(text)
    return text


def _reachable(text: str) -> str:
    if not parse_address(text).port:
        raise ValueError(f"{text!r}: port 0 is no port to connect to")
    return text


def check_host(text: str) -> str:
    """Return a DNS name or numeric address that a certificate can carry; raises ValueError."""
    try:
        return str(ipaddress.ip_address(text))
    except ValueError:
        if not _HOST_NAME.match(text):
            raise ValueError(f"{text!r} is neither a host name nor an IP address") from None
        return text


def _without_password(url: str) -> str:
    if re.match(r"[a-z+]+://[^/@]*:[^/@]*@", url):
        raise ValueError("a password does not belong in the URL; name its file: ?passfile=FILE")
    return url


Seconds: TypeAlias = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Count: TypeAlias = Annotated[int, Field(gt=0)]
Limit: TypeAlias = Annotated[int, Field(ge=0)]
"""0 is no limit."""
Switch: TypeAlias = Literal["on", "off"]


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class TlsSettings(_Section):
    """TLS of both listeners.

    `certificate` and `key` (PEM, both or none) replace the internal server certificate; `client_ca` (PEM)
    adds authorities whose client certificates may be enrolled. `client_crl` (PEM) holds their revocation
    lists; `crl_policy` is what happens to a certificate whose list is missing or out of date.
    """

    minimum_version: Literal["1.2", "1.3"] = "1.2"
    ciphers: str = TLS_1_2_SUITES
    certificate: str | None = None
    key: str | None = None
    client_ca: str | None = None
    client_crl: str | None = None
    crl_policy: Literal["refuse", "warn"] = "refuse"


class ClientsSettings(_Section):
    """What holds for all clients.

    `expired`: may a certificate that has ended go on being used, with a warning each hour. `pending`:
    certificates of a trusted authority that nobody is enrolled with, and that are remembered.
    `warn_days`: how long before its end a certificate is warned about.
    """

    expired: Literal["refuse", "warn"] = "refuse"
    pending: Annotated[int, Field(ge=0, le=10_000)] = 200
    warn_days: Annotated[int, Field(ge=0, le=3650)] = 30


class LimitSettings(_Section):
    """What one message may cost: bytes; nesting; items; batch items. `buffered`: bytes of all unfinished long
    messages, of which a client gets a quarter.

    `requests_per_client`, `requests_per_tenant`, `requests_per_address`: in a second, on this machine.
    `objects_per_client`, `objects_per_tenant`: those that are not destroyed. `bytes_per_tenant`: their
    records, and those of destroyed objects. 0 is no limit.

    `streams`: operations in parts that may be under way in one worker, in all and of one client.
    `stream_size`: bytes that one takes in; `stream_buffer`: bytes that all of a worker keep in memory until
    their end, of which a client gets a quarter; `stream_idle`: seconds until one that nobody continues is
    dropped.
    """

    message_size: Annotated[int, Field(ge=1024, le=1 << 30)] = 4 << 20
    buffered: Annotated[int, Field(ge=1024)] = 256 << 20
    depth: Annotated[int, Field(ge=8, le=200)] = 32
    items: Annotated[int, Field(ge=100)] = 100_000
    batch_items: Count = 1000
    requests_per_client: Limit = 0
    requests_per_tenant: Limit = 0
    requests_per_address: Limit = 0
    objects_per_client: Limit = 1_000_000
    objects_per_tenant: Limit = 0
    bytes_per_tenant: Limit = 0
    streams: Count = 1000
    streams_per_client: Count = 100
    streams_per_tenant: Limit = 0
    stream_size: Count = 1 << 30
    stream_buffer: Count = 64 << 20
    stream_idle: Seconds = 300.0


class DeadlineSettings(_Section):
    """How long a peer may take, in seconds.

    `header`: from the first byte of a message to its eighth, over HTTPS to the end of the header fields.
    `body`: from there to the end, plus the declared length divided by `body_rate` (bytes a second). `idle`:
    between messages. `answer`: a peer that does not read. `drain`: requests in flight when the server stops.
    `reload_drain`: connections of workers that a reload replaces. `roles`: without anything to say to a
    client that has turned the roles, until it gets its own back.
    """

    handshake: Seconds = 10.0
    header: Seconds = 10.0
    body: Seconds = 20.0
    body_rate: Count = 8192
    idle: Seconds = 900.0
    answer: Seconds = 60.0
    drain: Annotated[float, Field(gt=0, le=8)] = 7.0
    reload_drain: Annotated[float, Field(gt=0, le=300)] = 300.0
    roles: Seconds = 30.0


class ConnectionSettings(_Section):
    """How many connections at once.

    Unfinished handshakes of an address in each worker; handshakes that it carries out in a second, in each
    worker; finished connections of a client, of a tenant and of
    an address, where 0 is no limit; all of the server.
    """

    unfinished_per_address: Count = 256
    new_per_address: Limit = 1000
    per_client: Count = 2000
    per_tenant: Limit = 0
    per_address: Limit = 10_000
    total: Count = 20_000


class CacheSettings(_Section):
    """Unsealed objects that a worker remembers; 0 turns the cache off. Lifetime in seconds."""

    size: Annotated[int, Field(ge=0)] = 10_000
    lifetime: Annotated[int, Field(ge=0)] = 300


class VerificationSettings(_Section):
    """When the store is compared with itself. `interval` in seconds; 0 never does it but at the start."""

    at_start: Switch = "on"
    interval: Annotated[int, Field(ge=0)] = 86_400


class PolicySettings(_Section):
    """What is allowed. `legacy`: may 3DES and the like be used on the server. Lease time and the
    longest life of a ticket (Login) in seconds. `rotation`: does this node rotate what is due.

    `count_uses`: do new keys count their uses, each of which then waits for the disk.
    `rng_seed`: what RNG Seed does with the data of a client.
    `issuer`: the Unique Identifier of the certificate that Certify issues under when a request names none.
    `certificate_days`: how long a certificate is valid when a request does not say.
    `time_stamp_window`: seconds that the Time Stamp of a request may be off; 0: it is not looked at.
    `iv_reuse`: may a key encrypt twice with the same IV; to refuse it, each encryption is written down.
    """

    legacy: Switch = "off"
    rotation: Switch = "on"
    lease_time: Count = 3600
    ticket_lifetime: Count = 86_400
    maximum_locate_items: Count = 10_000
    rng_seed: Literal["mix", "ignore", "refuse"] = "mix"
    count_uses: Switch = "off"
    issuer: Annotated[str, Field(min_length=1, max_length=1024)] | None = None
    certificate_days: Annotated[int, Field(gt=0, le=36_500)] = 397
    time_stamp_window: Limit = 0
    iv_reuse: Literal["allow", "refuse"] = "allow"


class AuditSettings(_Section):
    """The audit log. `segment_size`: bytes of a file of reads, of which each worker reserves two.

    `checkpoint`: seconds between two checkpoints while there is news. `anchors`: where checkpoints go, out of
    the reach of this machine (`audit/outlets.py` has the kinds of places). `sinks`: where every event goes,
    as JSON, or with `cef:` before the place in the Common Event Format. `tls_ca` (PEM) says who vouches for
    places that are reached over TLS, None: whoever this machine trusts; `tls_certificate` and `tls_key` (PEM,
    both or none) are shown to them. `deadline`: seconds that an anchor or sink may lag behind until it counts
    as failed. `keep_days`: how long files of reads stay once they are signed for, 0 for ever.
    """

    segment_size: Annotated[int, Field(ge=1 << 20, le=1 << 30)] = 8 << 20
    checkpoint: Seconds = 60.0
    anchors: tuple[str, ...] = ()
    on_anchor_failure: Literal["refuse", "continue"] = "continue"
    sinks: tuple[str, ...] = ()
    on_sink_failure: Literal["refuse", "continue"] = "refuse"
    tls_ca: str | None = None
    tls_certificate: str | None = None
    tls_key: str | None = None
    deadline: Seconds = 10.0
    keep_days: Annotated[int, Field(ge=0)] = 0


class ClientSettings(_Section):
    """What is different for one enrolled client. `password`: must a request carry its credential.

    `put` and `notify`: is the client told of new objects, and of changes. `endpoint` is where it listens for
    that (HOST:PORT), `endpoint_ca` (PEM) who vouches for its certificate there, None for the client's own
    key; `endpoint_version` is what it speaks there, None for the version of the request behind a message.

    `idempotency`: seconds for which a request that the client has named (Client Correlation Value) is done
    once only, however often it comes; 0: a name means nothing.
    """

    password: Literal["required", "optional"] = "required"  # noqa: S105 (a choice, not a password)
    put: Switch = "off"
    notify: Switch = "off"
    endpoint: Annotated[str, AfterValidator(_reachable)] | None = None
    endpoint_ca: Annotated[str, Field(min_length=1)] | None = None
    endpoint_version: Literal["1.0", "1.1", "1.2", "1.3", "1.4", "2.0", "2.1"] | None = None
    idempotency: Limit = 0


class Settings(_Section):
    """The whole file.

    `listen` (KMIP over TLS) and `https` are HOST:PORT or off, `hosts` are the names in the server
    certificate, `store` is the store URL (file names in it start in the data directory), `workers` 0 means
    one a core.
    """

    listen: Annotated[str, AfterValidator(_listening)] = DEFAULT_LISTEN
    https: Annotated[str, AfterValidator(_listening)] = DEFAULT_HTTPS
    hosts: tuple[Annotated[str, AfterValidator(check_host)], ...] = Field(DEFAULT_HOSTS, min_length=1)
    workers: Annotated[int, Field(ge=0, le=256)] = 0
    store: Annotated[str, AfterValidator(_without_password)] = DEFAULT_STORE
    tls: TlsSettings = TlsSettings()
    limits: LimitSettings = LimitSettings()
    deadlines: DeadlineSettings = DeadlineSettings()
    connections: ConnectionSettings = ConnectionSettings()
    cache: CacheSettings = CacheSettings()
    policy: PolicySettings = PolicySettings()
    clients: ClientsSettings = ClientsSettings()
    verification: VerificationSettings = VerificationSettings()
    audit: AuditSettings = AuditSettings()
    client: dict[str, ClientSettings] = Field(default_factory=dict)

    def advertised(self, listening: Address | None) -> Address | None:
        """Return the address that clients are told: one that the server certificate vouches for."""
        if listening is None or listening.host in self.hosts:
            return listening
        return Address(self.hosts[0], listening.port)

    def told_to_clients(self, kmip: Address | None, https: Address | None) -> dict[str, str]:
        """Return what stands in a client's profile, `off` for a listener that is off."""
        return {"server": str(self.advertised(kmip) or OFF), "https": str(self.advertised(https) or OFF)}


def parse_settings(values: Mapping[str, Any], *, source: str = FILE_NAME) -> Settings:
    """Return validated settings; raises OperatorError naming `source`, the key and what it takes."""
    try:
        return Settings.model_validate(values)
    except ValidationError as error:
        raise OperatorError("; ".join(f"{source}: {problem}" for problem in _problems(error))) from error


def override(settings: Settings, options: Mapping[str, Any]) -> Settings:
    """Return settings with what the command line says instead; raises InvalidOption."""
    try:
        return Settings.model_validate({**settings.model_dump(), **options})
    except ValidationError as error:
        raise InvalidOption("; ".join(f"--{problem}" for problem in _problems(error, _OPTIONS))) from error


def beside(listen: str) -> str:
    """Return where HTTPS listens when it is not said: where KMIP does, on a port of its own."""
    address = parse_listening(listen)
    if address is None:
        return DEFAULT_HTTPS
    # Who asks for a free port wants two servers side by side on one machine, or more.
    return str(Address(address.host, HTTPS_PORT if address.port else 0))


def throw_away(options: Mapping[str, Any], settings: Settings) -> Mapping[str, Any]:
    """Return the options of `serve`; HTTPS takes a free port, too, when that was asked for KMIP alone."""
    try:
        listen = parse_listening(options.get("listen", OFF))
        https = parse_listening(settings.https)
    except ValueError:
        return options  # refused where all options are
    if "https" in options or listen is None or listen.port or https is None:
        return options
    return {**options, "https": str(Address(https.host, 0))}


def load_settings(file: Path) -> Settings:
    """Read and validate the configuration file; raises OperatorError."""
    try:
        values = tomllib.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise OperatorError(f"cannot read {file}: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise OperatorError(f"{file} is not valid TOML: {error}") from error
    return parse_settings(values, source=str(file))


def render_toml(values: Mapping[str, Any], comment: str) -> str:
    """Return a TOML file with `values`, one level of sections at most, under a comment."""
    lines = [f"# {comment}"]
    sections = {key: value for key, value in values.items() if isinstance(value, Mapping)}
    lines += [f"{key} = {_toml(value)}" for key, value in values.items() if key not in sections]
    for name, section in sections.items():
        lines += ["", f"[{name}]"]
        lines += [f"{key} = {_toml(value)}" for key, value in section.items()]
    return "\n".join(lines) + "\n"


def _problems(error: ValidationError, options: Mapping[str, str] | None = None) -> Iterator[str]:
    """Yield what is wrong, and with which key, or under the name that `options` has for it."""
    problems = error.errors(include_url=False, include_input=False)
    for problem in problems:
        path = tuple(str(step) for step in problem["loc"])
        if any(
            len(other["loc"]) > len(path) and other["loc"][: len(path)] == problem["loc"]
            for other in problems
        ):
            continue  # what is wrong in it says more
        name = (options or {}).get(path[0], ".".join(path)) if path else ""
        if problem["type"] == "extra_forbidden":
            nearest = _nearest_key(path)
            yield f"unknown key {name!r}" + (f"; did you mean {nearest!r}?" if nearest else "")
        else:
            yield f"{name}: {problem['msg'].removeprefix('Value error, ')}"


def _nearest_key(path: tuple[str, ...]) -> str | None:
    """Return the known key most like the last step: in its own section first, then anywhere."""
    *parents, key = path
    section: type[BaseModel] = Settings
    for step in parents:
        if step in section.model_fields:
            section = _section_of(section.model_fields[step].annotation) or section
    near = difflib.get_close_matches(key, list(section.model_fields), n=1)
    if near:
        return ".".join([*parents, near[0]])
    everywhere = {name.rpartition(".")[2]: name for name in setting_names(Settings)}
    near = difflib.get_close_matches(key, list(everywhere), n=1)
    return everywhere[near[0]] if near else None


def setting_names(model: type[BaseModel], prefix: str = "") -> Iterator[str]:
    """Yield the dotted name of every section and setting."""
    for name, field in model.model_fields.items():
        yield prefix + name
        section = _section_of(field.annotation)
        if section is not None and get_origin(field.annotation) is None:
            yield from setting_names(section, f"{prefix}{name}.")


def _section_of(annotation: object) -> type[BaseModel] | None:
    """Return the model of a section, or of the entries of a table of sections."""
    if get_origin(annotation) is dict:
        annotation = get_args(annotation)[1]
    return annotation if isinstance(annotation, type) and issubclass(annotation, BaseModel) else None


def _toml(value: object) -> str:
    """Return a TOML value."""
    match value:
        case bool():
            return "true" if value else "false"
        case int() | float():
            return str(value)
        case str():
            # A string of JSON is one of TOML, but for one control character.
            return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
        case list() | tuple():
            return "[" + ", ".join(_toml(item) for item in value) + "]"
        case _:
            raise TypeError(f"no TOML form for {type(value).__name__}")
