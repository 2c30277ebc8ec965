"""Run cases against a server: connect, play in order, clean up, collect.

Rule: every case ends up in the result, with the reason if it could not be played. One case never
disturbs the next: cases that belong together share a chain, and what a chain made is removed after it.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Final

from strongroom.conformance.cases import (
    FIRST_CLIENT,
    Case,
    Series,
    Unreadable,
    chains,
    family_in_name,
    version_in_name,
)
from strongroom.conformance.connection import (
    Channel,
    HttpsChannel,
    ServerFault,
    TlsChannel,
    decode_answer,
)
from strongroom.conformance.ledger import Made
from strongroom.conformance.messages import destroy, revoke, with_credentials
from strongroom.conformance.player import Chain, Client, Listener, Player, Prompt, Settings
from strongroom.conformance.results import CaseResult, Outcome, Run
from strongroom.conformance.target import Target
from strongroom.conformance.trees import children, success
from strongroom.registry import Tag, Version
from strongroom.wire import binary
from strongroom.wire.item import Item

_ONE_CLIENT: Final = (
    "one profile played all clients, each on its own connection; give a second to tell them apart"
)
_TWO_CLIENTS: Final = (
    "the second profile played the second client; the server has to let it use what the first one made"
)


@dataclass(frozen=True, kw_only=True)
class Bench:
    """Everything a run needs beside the cases."""

    first: Target
    second: Target | None
    settings: Settings
    listener: Listener | None = None
    prompt: Prompt | None = None


def run(
    cases: Sequence[Case],
    unreadable: Sequence[Unreadable],
    bench: Bench,
    *,
    vectors: str,
    on_result: Callable[[CaseResult], None] = lambda _: None,
) -> Run:
    """Play all cases in order and return what came of each."""
    started = bench.settings.clock()
    results = [_not_read(entry) for entry in unreadable]
    for result in results:
        on_result(result)
    for series in chains(cases):
        for result in _play_series(series, bench):
            results.append(result)
            on_result(result)
    servers = ", ".join(map(str, bench.first.addresses))
    return Run(target=servers, vectors=vectors, started=started, results=results)


def _play_series(series: Series, bench: Bench) -> list[CaseResult]:
    chain = Chain(started=bench.settings.clock())
    everything = [*series.before, *series.cases]
    with _clients(everything, bench) as clients:
        for case in series.before:
            _play(case, clients, chain, bench)
        results = [_play(case, clients, chain, bench) for case in series.cases]
        left = _clean_up(chain, everything[-1].version, clients)
    if left:
        results[-1] = replace(results[-1], notes=(*results[-1].notes, *left))
    if series.before:
        note = f"played after {', '.join(case.name for case in series.before)}, which makes its objects"
        results = [replace(result, notes=(*result.notes, note)) for result in results]
    return results


def _play(case: Case, clients: Mapping[str, Client], chain: Chain, bench: Bench) -> CaseResult:
    obstacle = _obstacle(case, bench)
    if obstacle is not None:
        return _not_played(case, obstacle)
    player = Player(
        case,
        clients=clients,
        chain=chain,
        settings=bench.settings,
        listener=bench.listener,
        prompt=bench.prompt,
    )
    result = player.play()
    if len(case.clients) > 1 and bench.second is None:
        result = replace(result, notes=(*result.notes, _ONE_CLIENT))
    elif len(case.clients) > 1 and result.outcome is Outcome.FAILED:
        result = replace(result, notes=(*result.notes, _TWO_CLIENTS))
    return result


def _obstacle(case: Case, bench: Bench) -> str | None:
    """Return why a case cannot be played here."""
    if case.encoding is not None and bench.first.https is None:
        return "it is a test of KMIP over HTTPS, and the profile names no https address"
    if case.has_server_messages and bench.listener is None:
        return "the server has to send messages of its own, and no endpoint is open for them (--endpoint)"
    return None


@contextmanager
def _clients(cases: Sequence[Case], bench: Bench) -> Iterator[Mapping[str, Client]]:
    """Open a channel for each client that the cases name; the first profile plays the first client."""
    clients: dict[str, Client] = {}
    try:
        for letter in sorted({FIRST_CLIENT}.union(*(case.clients for case in cases))):
            target = bench.first if letter == FIRST_CLIENT or bench.second is None else bench.second
            clients[letter] = Client(target, _channel(cases[0], target, bench.settings))
        yield clients
    finally:
        for client in clients.values():
            client.channel.close()


def _channel(case: Case, target: Target, settings: Settings) -> Channel:
    encoding = case.encoding or settings.encoding or target.encoding
    if encoding is not None and target.https is not None:
        return HttpsChannel(
            target, target.https, timeout=settings.timeout, encoding=encoding, version=case.version
        )
    return TlsChannel(target, timeout=settings.timeout)


def _clean_up(chain: Chain, version: Version, clients: Mapping[str, Client]) -> list[str]:
    """Destroy what the chain made and did not destroy itself; return a note for what stays."""
    notes = []
    for made in list(chain.ledger.alive()):
        fault = _remove(made, version, clients)
        if fault is not None:
            notes.append(f"object {made.identifier[2]} is left on the server: {fault}")
    return notes


def _remove(made: Made, version: Version, clients: Mapping[str, Client]) -> str | None:
    """Return None when the object is gone."""
    fault: str | None = None
    for client in clients.values():
        try:
            if _succeeds(destroy(made, version), client):
                return None
            _succeeds(revoke(made, version), client)
            if _succeeds(destroy(made, version), client):
                return None
            fault = "the server refused to destroy it"
        except ServerFault as exc:
            fault = str(exc)
    return fault


def _succeeds(request: Item, client: Client) -> bool:
    message = binary.encode(with_credentials(request, client.target))
    answer = decode_answer(client.channel.exchange(message))
    items = children(answer, Tag.BATCH_ITEM)
    return bool(items) and all(success(item) for item in items)


def _not_played(case: Case, reason: str) -> CaseResult:
    return CaseResult(
        name=case.name,
        title=case.title,
        family=case.family,
        version=case.version,
        group=case.group,
        outcome=Outcome.NOT_PLAYED,
        steps=len(case.steps),
        seconds=0.0,
        reason=reason,
    )


def _not_read(entry: Unreadable) -> CaseResult:
    return CaseResult(
        name=entry.name,
        title=entry.name,
        family=family_in_name(entry.name),
        version=version_in_name(entry.name),
        group=entry.path.parent.name,
        outcome=Outcome.NOT_PLAYED,
        steps=0,
        seconds=0.0,
        reason=f"the file cannot be read: {entry.reason}",
    )
