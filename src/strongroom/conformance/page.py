"""The report as one HTML page that needs nothing else.

Rule: no script, no link to anything outside, every value escaped.
"""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from html import escape
from typing import Final

from strongroom.conformance.render import hex_dump
from strongroom.conformance.results import CaseResult, Failure, Outcome, Run, tallies, versions
from strongroom.conformance.variations import VARIATIONS

_STYLE: Final = """
:root { color-scheme: light dark; font: 15px/1.45 system-ui, sans-serif; }
body { max-width: 72rem; margin: 2rem auto; padding: 0 1rem; }
table { border-collapse: collapse; margin: 1rem 0; }
th, td { border: 1px solid #8886; padding: .25rem .6rem; text-align: left; vertical-align: top; }
td.n { text-align: right; font-variant-numeric: tabular-nums; }
.passed { background: #1a7f3722; } .failed { background: #d1242f22; } .not-played { background: #bf870022; }
pre { overflow-x: auto; background: #8881; padding: .6rem; font-size: 13px; }
summary { cursor: pointer; }
"""


def render_page(run: Run, titles: Mapping[str, str]) -> str:
    """Return the page; `titles` gives the names of the profiles by family."""
    when = datetime.fromtimestamp(run.started, tz=UTC).strftime("%Y-%m-%d %H:%M UTC")
    counts = ", ".join(f"{run.count(outcome)} {outcome.value}" for outcome in Outcome)
    head = f"KMIP conformance of {run.target}"
    parts = [
        "<!doctype html>",
        f'<html lang="en"><head><meta charset="utf-8"><title>{escape(head)}</title>',
        f"<style>{_STYLE}</style></head><body>",
        f"<h1>{escape(head)}</h1>",
        f"<p>{len(run.results)} cases of {escape(run.vectors)}, played on {when}: {counts}.</p>",
        *_matrix(run, titles),
        "<h2>Cases that did not pass</h2>",
        *_open_cases(run),
        "<h2>All cases</h2>",
        *_all_cases(run),
        "<h2>Permitted variations</h2>",
        "<p>What a server may answer differently from a listing. Everything else must match.</p>",
        *_variations(),
        "</body></html>",
    ]
    return "\n".join(parts)


def _matrix(run: Run, titles: Mapping[str, str]) -> Iterator[str]:
    columns = versions(run.results)
    yield "<h2>By profile and version</h2><table><thead><tr><th>profile</th>"
    yield "".join(f"<th>{version}</th>" for version in columns) + "</tr></thead><tbody>"
    for family, row in tallies(run.results).items():
        yield f"<tr><td>{escape(titles.get(family, family))}</td>"
        for version in columns:
            tally = row.get(version)
            if tally is None:
                yield "<td></td>"
                continue
            kind = "passed" if tally.passed == tally.total else "failed"
            yield f'<td class="n {kind}">{tally.passed}/{tally.total}</td>'
        yield "</tr>"
    yield "</tbody></table>"


def _open_cases(run: Run) -> Iterator[str]:
    found = [result for result in run.results if result.outcome is not Outcome.PASSED]
    if not found:
        yield "<p>None.</p>"
    for result in found:
        reason = result.failure.reason if result.failure is not None else result.reason or ""
        yield f"<details><summary><b>{escape(result.name)}</b>: {escape(reason)}</summary>"
        yield from (f"<p>{escape(note)}</p>" for note in result.notes)
        if result.failure is not None:
            yield from _step(result.failure)
        yield "</details>"


def _step(failure: Failure) -> Iterator[str]:
    yield f"<p>First failing step: {failure.step}, {escape(failure.operations)}.</p>"
    for title, text in (
        ("Request", failure.request),
        ("Expected", failure.expected),
        ("Answer", failure.answer or "not a message"),
        ("Bytes sent", hex_dump(failure.request_bytes)),
        ("Bytes received", hex_dump(failure.answer_bytes)),
    ):
        if text:
            yield f"<h4>{title}</h4><pre>{escape(text)}</pre>"


def _all_cases(run: Run) -> Iterator[str]:
    yield "<table><thead><tr><th>case</th><th>group</th><th>outcome</th><th>steps</th><th>seconds</th>"
    yield "<th>variations used</th></tr></thead><tbody>"
    for result in run.results:
        yield _row(result)
    yield "</tbody></table>"


def _row(result: CaseResult) -> str:
    kind = result.outcome.value.replace(" ", "-")
    return (
        f'<tr class="{kind}"><td>{escape(result.name)}</td><td>{escape(result.group)}</td>'
        f'<td>{result.outcome.value}</td><td class="n">{result.steps}</td>'
        f'<td class="n">{result.seconds:.2f}</td><td>{escape("; ".join(result.variations))}</td></tr>'
    )


def _variations() -> Iterator[str]:
    yield "<table><thead><tr><th>name</th><th>frees</th><th>source</th></tr></thead><tbody>"
    for entry in VARIATIONS:
        cells = (entry.name, entry.frees.value, entry.source)
        yield "<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in cells) + "</tr>"
    yield "</tbody></table>"
