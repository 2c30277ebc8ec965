"""Reports of a run: on the terminal, as JSON, as one HTML page.

Rule: every form says the same, starts from a Run alone, and names the first failing step of each case.
"""

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from strongroom.conformance import page
from strongroom.conformance.render import hex_dump
from strongroom.conformance.results import CaseResult, Failure, Outcome, Run, tallies, versions
from strongroom.conformance.variations import VARIATIONS

PROFILES: Final = {
    "AKLC": "Asymmetric Key Lifecycle",
    "AX": "AES XTS",
    "BL": "Baseline",
    "CS-AC": "Advanced Cryptographic",
    "CS-BC": "Basic Cryptographic",
    "CS-RNG": "RNG Cryptographic",
    "MSGENC-HTTPS": "HTTPS",
    "MSGENC-JSON": "JSON",
    "MSGENC-XML": "XML",
    "OMOS": "Opaque Managed Object Store",
    "PKCS11": "PKCS#11",
    "QS": "Quantum Safe",
    "SASED": "Storage Array with Self-Encrypting Drives",
    "SKFF": "Symmetric Key Foundry for FIPS 140",
    "SKLC": "Symmetric Key Lifecycle",
    "SUITEB_128": "Suite B minLOS_128",
    "SUITEB_192": "Suite B minLOS_192",
    "TC": "Test Cases",
    "TL": "Tape Library",
}


class BadReport(ValueError):
    """The report cannot be written; the message says why."""


def check_path(path: Path) -> None:
    """Raise BadReport unless the name tells the form and the folder exists."""
    if path.suffix not in (".json", ".html"):
        raise BadReport(f"{path}: the name of a report ends in .json or .html")
    if not path.parent.is_dir():
        raise BadReport(f"{path}: the folder {path.parent} does not exist")


def write(run: Run, path: Path) -> None:
    """Write the report in the form that the name tells; raises BadReport."""
    check_path(path)
    text = json.dumps(as_json(run), indent=1) if path.suffix == ".json" else page.render_page(run, PROFILES)
    try:
        path.write_text(text + "\n", encoding="utf-8")
    except OSError as exc:
        raise BadReport(f"cannot write {path}: {exc.strerror}") from exc


def as_json(run: Run) -> dict[str, Any]:
    """Return the report as plain data."""
    return {
        "format": "strongroom-conformance-1",
        "target": run.target,
        "vectors": run.vectors,
        "started": datetime.fromtimestamp(run.started, tz=UTC).isoformat(timespec="seconds"),
        "summary": {outcome.value: run.count(outcome) for outcome in Outcome},
        "profiles": {
            family: {
                "title": PROFILES.get(family, family),
                "versions": {
                    str(version): {"passed": tally.passed, "total": tally.total}
                    for version, tally in row.items()
                },
            }
            for family, row in tallies(run.results).items()
        },
        "cases": [_case(result) for result in run.results],
        "variations": [
            {"name": entry.name, "frees": entry.frees.value, "source": entry.source} for entry in VARIATIONS
        ],
    }


def _case(result: CaseResult) -> dict[str, Any]:
    return {
        "name": result.name,
        "profile": result.family,
        "version": str(result.version) if result.version is not None else None,
        "group": result.group,
        "outcome": result.outcome.value,
        "steps": result.steps,
        "seconds": round(result.seconds, 3),
        "reason": result.reason,
        "failure": _failure(result.failure) if result.failure is not None else None,
        "variations": list(result.variations),
        "notes": list(result.notes),
    }


def _failure(failure: Failure) -> dict[str, Any]:
    return {
        "step": failure.step,
        "time": failure.time,
        "operations": failure.operations,
        "reason": failure.reason,
        "request": failure.request,
        "expected": failure.expected,
        "answer": failure.answer,
        "request_bytes": failure.request_bytes.hex(),
        "answer_bytes": failure.answer_bytes.hex(),
    }


def result_text(result: CaseResult, *, verbose: bool) -> str | None:
    """Return one case that did not pass, or any when `verbose`, as a line or a few; None for nothing."""
    if result.outcome is Outcome.PASSED and not verbose:
        return None
    lines = [f"{result.outcome.value} {result.name}{_why(result)}"]
    lines += [f"  note: {note}" for note in result.notes]
    if verbose and result.failure is not None:
        lines.append(failure_text(result.failure))
    return "\n".join(lines)


def _why(result: CaseResult) -> str:
    failure = result.failure
    if failure is None:
        return f": {result.reason}" if result.reason else ""
    return f", step {failure.step} ({failure.operations}): {failure.reason}"


def failure_text(failure: Failure) -> str:
    """Return the failing step in full: request, listing, answer, bytes."""
    parts = [("request", failure.request), ("expected", failure.expected)]
    parts.append(("answer", failure.answer if failure.answer is not None else "(not a message)"))
    if failure.request_bytes:
        parts.append(("bytes sent", hex_dump(failure.request_bytes)))
    if failure.answer_bytes:
        parts.append(("bytes received", hex_dump(failure.answer_bytes)))
    return "\n".join(f"  {title}:\n{_indented(text)}" for title, text in parts if text)


def _indented(text: str) -> str:
    return "\n".join(f"    {line}" for line in text.splitlines())


def summary_text(run: Run) -> str:
    """Return the table by profile and version, and the counts."""
    columns = versions(run.results)
    rows = [["PROFILE", *map(str, columns)]]
    for family, row in tallies(run.results).items():
        cells = [
            f"{row[version].passed}/{row[version].total}" if version in row else "-" for version in columns
        ]
        rows.append([PROFILES.get(family, family), *cells])
    widths = [max(len(row[column]) for row in rows) for column in range(len(columns) + 1)]
    lines = [
        "  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip() for row in rows
    ]
    return "\n".join([f"KMIP conformance of {run.target}", *lines, _sentence(run)])


def _sentence(run: Run) -> str:
    counts: Sequence[str] = [
        f"{run.count(outcome)} {outcome.value}" for outcome in Outcome if run.count(outcome)
    ]
    return f"{len(run.results)} cases: {', '.join(counts) or 'none'}."
