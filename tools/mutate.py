"""Change one thing at a time in the files that decide, and see that a test notices.

`python tools/mutate.py` goes through every mutant of TARGETS and exits 1 when one survives that
`tests/faults/mutants.toml` does not list as equivalent, or when one that is listed there is none any more.
`--every N` tries each N-th mutant only, `--list` prints them all.

A mutant is the source of one module with one node of its syntax tree replaced: a comparison turned, a
condition forced, a branch, an entry of a table or a statement left out, a constant or the member of an
enumeration exchanged. The tests run in a child of a process that has everything else imported already.
"""

import argparse
import ast
import copy
import importlib.abc
import importlib.util
import os
import signal
import sys
import tomllib
from collections.abc import Callable, Iterator, Sequence
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType
from typing import Final, NamedTuple

ROOT: Final = Path(__file__).resolve().parent.parent
EQUIVALENT: Final = ROOT / "tests" / "faults" / "mutants.toml"
PATIENCE: Final = 60
"""Seconds for the tests of one mutant; one that never ends is noticed, too."""

TARGETS: Final = {
    "strongroom.domain.access": [
        "tests/unit/domain/test_access.py",
        "tests/unit/domain/test_ticket_rights.py",
    ],
    "strongroom.domain.reserved": ["tests/unit/domain/test_reserved.py"],
    "strongroom.domain.rights": ["tests/unit/domain/test_access.py"],
    "strongroom.domain.rules": ["tests/unit/domain/test_access.py"],
    "strongroom.domain.sight": ["tests/unit/domain/test_access.py"],
    "strongroom.domain.lifecycle": ["tests/unit/domain/test_lifecycle.py"],
}
"""Module to the tests that have to notice."""

_TURNED: Final[dict[type[ast.cmpop], type[ast.cmpop]]] = {
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
}


class Mutant(NamedTuple):
    """One changed module. `name` says what was changed, the same as long as the line stays the same."""

    module: str
    name: str
    source: str


def main() -> int:
    """Run the command line and return the exit code."""
    options = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    options.add_argument("--every", type=int, default=1, metavar="N", help="try each N-th mutant only")
    options.add_argument("--list", action="store_true", help="print the mutants and try none")
    given = options.parse_args()
    everything = [mutant for module in TARGETS for mutant in mutants(module)]
    if given.list:
        print("\n".join(f"{mutant.module}: {mutant.name}" for mutant in everything))
        return 0
    equivalent = {
        (one["module"], one["mutant"]) for one in tomllib.loads(EQUIVALENT.read_text())["equivalent"]
    }
    tried = everything[:: given.every]
    survivors = set()
    for mutant in tried:
        if not noticed(mutant):
            survivors.add((mutant.module, mutant.name))
            if (mutant.module, mutant.name) not in equivalent:
                print(f"SURVIVED {mutant.module}: {mutant.name}", flush=True)
    stale = (equivalent - survivors) & {(mutant.module, mutant.name) for mutant in tried}
    stale |= equivalent - {(mutant.module, mutant.name) for mutant in everything}
    for module, name in sorted(stale):
        print(f"NO LONGER EQUIVALENT {module}: {name}")
    print(
        f"{len(tried)} mutants, {len(survivors)} survived, {len(survivors & equivalent)} of them equivalent"
    )
    return 1 if stale or survivors - equivalent else 0


def mutants(module: str) -> Iterator[Mutant]:
    """Yield every mutant of a module."""
    source = (ROOT / "src" / Path(*module.split("."))).with_suffix(".py").read_text(encoding="utf-8")
    tree = ast.parse(source)
    members = _members(tree)
    lines, seen = source.splitlines(), dict[str, int]()
    for node in list(_nodes(tree)):
        for what, change in _changes(node, members):
            undo = copy.copy(node.__dict__)
            change()
            changed = ast.unparse(ast.fix_missing_locations(tree))
            node.__dict__.clear()
            node.__dict__.update(undo)
            name = f"{lines[_line(node) - 1].strip()!r}: {what}"
            seen[name] = seen.get(name, 0) + 1
            yield Mutant(module, name if seen[name] == 1 else f"{name} ({seen[name]})", changed)


def _line(node: ast.AST) -> int:
    """Return the line of a node; some have none but those inside them have."""
    return next(int(inner.lineno) for inner in ast.walk(node) if hasattr(inner, "lineno"))


def _nodes(tree: ast.AST) -> Iterator[ast.AST]:
    """Yield what may be changed: not docstrings, annotations, decorators, imports and bases."""
    for name, field in ast.iter_fields(tree):
        if name in ("annotation", "returns", "decorator_list", "bases", "keywords") and not isinstance(
            tree, ast.Call
        ):
            continue
        for child in field if isinstance(field, list) else [field]:
            if not isinstance(child, ast.AST) or isinstance(child, ast.Import | ast.ImportFrom):
                continue
            if isinstance(child, ast.Expr) and isinstance(child.value, ast.Constant):
                continue
            yield child
            yield from _nodes(child)


def _members(tree: ast.AST) -> dict[str, list[str]]:
    """Return the members of enumerations that a module names, by enumeration."""
    found: dict[str, list[str]] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.attr.isupper():
            members = found.setdefault(node.value.id, [])
            if node.attr not in members:
                members.append(node.attr)
    return found


def _changes(node: ast.AST, members: dict[str, list[str]]) -> Iterator[tuple[str, Callable[[], None]]]:
    """Yield what can be done to a node, and how: `change` is undone by restoring the node's fields."""

    def put(**fields: object) -> Callable[[], None]:
        return lambda: node.__dict__.update(fields)

    match node:
        case ast.Compare(ops=[op]) if type(op) in _TURNED:
            yield f"{type(op).__name__} turned", put(ops=[_TURNED[type(op)]()])
        case ast.BoolOp(op=op, values=values):
            yield "and/or exchanged", put(op=ast.Or() if isinstance(op, ast.And) else ast.And())
            for number in range(len(values)):
                rest = [*values[:number], *values[number + 1 :]]
                yield f"operand {number} left out", put(values=rest)
        case ast.UnaryOp(op=ast.Not(), operand=operand):
            yield "not left out", put(op=ast.Not(), operand=ast.UnaryOp(op=ast.Not(), operand=operand))
        case ast.If() | ast.IfExp():
            for value in (True, False):
                yield f"condition is {value}", put(test=ast.Constant(value))
        case ast.comprehension(ifs=[_, *_]):
            yield "filter left out", put(ifs=[])
        case ast.Return(value=value) if value is not None and not isinstance(value, ast.Constant):
            yield "returns None", put(value=ast.Constant(None))
            yield "returns True", put(value=ast.Constant(True))
        case ast.Constant(value=bool() as value):
            yield f"{value} turned", put(value=not value)
        case ast.Constant(value=int() as value):
            yield f"{value} + 1", put(value=value + 1)
        case ast.Constant(value=str() as value):
            yield f"{value!r} changed", put(value=value + "x")
        case ast.Attribute(value=ast.Name(id=name), attr=attr) if (
            len(members.get(name, ())) > 1 and attr.isupper()
        ):
            others = members[name]
            other = others[(others.index(attr) + 1) % len(others)]
            yield f"{name}.{attr} becomes {other}", put(attr=other)
        case ast.Dict(keys=keys, values=values):
            for number in range(len(keys)):
                yield (
                    f"entry {number} left out",
                    put(
                        keys=[*keys[:number], *keys[number + 1 :]],
                        values=[*values[:number], *values[number + 1 :]],
                    ),
                )
        case ast.Set(elts=elements) if len(elements) > 1:
            for number in range(len(elements)):
                yield f"element {number} left out", put(elts=[*elements[:number], *elements[number + 1 :]])
        case ast.Match(cases=cases) if len(cases) > 1:
            for number in range(len(cases)):
                yield f"case {number} left out", put(cases=[*cases[:number], *cases[number + 1 :]])
        case ast.match_case(guard=ast.expr()):
            yield "guard left out", put(guard=None)
    if isinstance(node, ast.FunctionDef | ast.If | ast.For | ast.match_case):
        body: Sequence[ast.stmt] = node.body
        for number, statement in enumerate(body):
            if isinstance(statement, ast.Assign | ast.AugAssign) or (
                isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Call)
            ):
                yield (
                    f"{ast.unparse(statement)!r} left out",
                    put(body=[*body[:number], ast.Pass(), *body[number + 1 :]]),
                )


class _Instead(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Gives one module another source."""

    def __init__(self, mutant: Mutant) -> None:
        self._mutant = mutant

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        return importlib.util.spec_from_loader(fullname, self) if fullname == self._mutant.module else None

    def exec_module(self, module: ModuleType) -> None:
        exec(compile(self._mutant.source, self._mutant.module, "exec"), module.__dict__)


def noticed(mutant: Mutant) -> bool:
    """Run the tests of a mutant in a child process and tell whether they fail."""
    _warm_up()
    child = os.fork()
    if not child:
        signal.alarm(PATIENCE)
        silence = os.open(os.devnull, os.O_WRONLY)
        os.dup2(silence, 1)
        os.dup2(silence, 2)
        sys.meta_path.insert(0, _Instead(mutant))
        os._exit(_test(TARGETS[mutant.module]))
    _, status = os.waitpid(child, 0)
    return status != 0


def _warm_up() -> None:
    """Import what no target is imported by, so that a child need not."""
    os.chdir(ROOT)
    os.environ["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"  # none is needed, and they take most of the time
    for folder in (str(ROOT), str(ROOT / "src")):
        if folder not in sys.path:
            sys.path.insert(0, folder)
    for name in (
        "pytest",
        "strongroom.model.objects",
        "strongroom.model.attribute_list",
        "strongroom.registry",
    ):
        importlib.import_module(name)
    imported = TARGETS.keys() & sys.modules.keys()
    if imported:
        raise SystemExit(f"{', '.join(imported)} would be tested unchanged: it is imported already")


def _test(files: Sequence[str]) -> int:
    import pytest

    return int(pytest.main(["-q", "-x", "-p", "no:cacheprovider", "-p", "no:randomly", *files]))


if __name__ == "__main__":
    sys.exit(main())
