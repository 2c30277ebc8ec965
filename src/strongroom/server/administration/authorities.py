"""`server.certificates.ca`: the internal authorities.

Rule: the files are changed here; what the listeners trust follows with the reload that the command line asks
for, or within 15 seconds.
"""

from collections import Counter

from cryptography import x509

from strongroom.domain.clients import NO_KEY, Seal
from strongroom.domain.people import Role
from strongroom.server.administration.command import Administrator, command
from strongroom.server.certificates.authorities import (
    certificates,
    find_older,
    finish_retiring,
    identity,
    retire,
    rotate,
    server_issuer,
)
from strongroom.server.certificates.ca import open_authority
from strongroom.server.errors import NotFound, OperatorError
from strongroom.server.messages import Message, text


@command("server.ca.list", roles={Role.ADMINISTRATOR, Role.OPERATOR, Role.AUDITOR})
async def list_(admin: Administrator, request: Message) -> object:
    clients = await _clients(admin)
    return [_shown(admin, one, number, clients) for number, one in enumerate(certificates(admin.directory))]


@command("server.ca.rotate", roles={Role.ADMINISTRATOR})
async def rotate_(admin: Administrator, request: Message) -> object:
    rotate(admin.directory, admin.root_key, admin.now)
    return await list_(admin, request)


@command("server.ca.retire", roles={Role.ADMINISTRATOR})
async def retire_(admin: Administrator, request: Message) -> object:
    """Trust an authority no more. While clients have certificates of it, only with `force`.

    For one that is retired already, whatever was left is done; the command line goes on to the reload.
    """
    wanted = text(request, "authority")
    try:
        authority = find_older(admin.directory, wanted)
    except NotFound:
        if finish_retiring(admin.directory, wanted):
            return await list_(admin, request)
        raise
    left = (await _clients(admin))[identity(authority)]
    if left and request.get("force") is not True:
        raise OperatorError(
            f"{left} clients still have a certificate of it; renew them first (strongroom client list -o json"
            " shows their authority), or shut them out with --force"
        )
    open_authority(admin.directory, admin.root_key)  # the current one has to work before an older one goes
    retire(admin.directory, authority)
    return await list_(admin, request)


async def _clients(admin: Administrator) -> Counter[str]:
    """Return how many clients in force have their newest certificate from each authority.

    Those of an older release count for the oldest one, which has made them. A client without a key of its own
    has a certificate of none.
    """
    oldest = identity(server_issuer(admin.directory))
    found = Counter[str]()
    for record in await admin.clients.clients():
        own_key = not record.fingerprint.startswith(NO_KEY)
        if own_key and record.revoked_at is None and record.seal is Seal.WHOLE:
            own = [one.authority for one in record.certificates if one.fingerprint == record.fingerprint]
            found[own[-1] if own else oldest] += 1
    return found


def _shown(admin: Administrator, one: x509.Certificate, number: int, clients: Counter[str]) -> Message:
    known = identity(one)
    return {
        "authority": known,
        "name": one.subject.rfc4514_string(),
        "state": "older" if number else "current",
        "server": known == identity(server_issuer(admin.directory)),
        "ends_at": one.not_valid_after_utc.isoformat(),
        "clients": clients[known],
        "live": admin.live is not None,
    }
