"""What the fuzzers found worth keeping is tried again in every run of the suite.

The programs in tests/fuzz need atheris; their inputs do not.
"""

import contextlib
import importlib.util
import sys
import types
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

FUZZ = Path(__file__).parents[1] / "fuzz"
TARGETS = sorted(path.stem for path in FUZZ.glob("*.py"))


@contextlib.contextmanager
def _instrument_imports(**_: object) -> Iterator[None]:
    yield


def one_input(target: str, monkeypatch: pytest.MonkeyPatch) -> Callable[[bytes], None]:
    """Return the function that a fuzzer calls with each input."""
    atheris = types.ModuleType("atheris")
    atheris.instrument_imports = _instrument_imports  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "atheris", atheris)
    spec = importlib.util.spec_from_file_location(f"fuzz_{target}", FUZZ / f"{target}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    found: Callable[[bytes], None] = module.one_input
    return found


@pytest.mark.parametrize("target", TARGETS)
def test_what_fuzzers_kept_is_still_no_finding(target: str, monkeypatch: pytest.MonkeyPatch) -> None:
    inputs = sorted((FUZZ / "corpus" / target).iterdir())
    assert inputs, "there is a corpus"
    function = one_input(target, monkeypatch)
    for path in inputs:
        function(path.read_bytes())
