"""The table of fault cases: which tests count, and what fails."""

from pathlib import Path

from tools.gen_faults import collect, numbers, problems, render

CASES = 40


def test_a_docstring_names_cases_one_by_one_or_several_at_once() -> None:
    assert numbers("faults 2: many connections") == {2}
    assert numbers("No space left (fault 30).") == {30}
    assert numbers("design C4; faults 23, 29 and 34") == {23, 29, 34}
    assert numbers("after 3 faults 4 remain") == {4}
    assert numbers("defaults 3, no default 4") == set()
    assert numbers(None) == set()


def test_tests_are_found_in_functions_methods_and_modules(tmp_path: Path) -> None:
    folder = tmp_path / "tests" / "faults"
    folder.mkdir(parents=True)
    (folder / "test_one.py").write_text(
        '"""faults 1"""\n'
        'def helper():\n    """faults 5"""\n'
        'class TestIt:\n    def test_two(self):\n        """faults 2"""\n'
        'async def test_three():\n    """faults 2, 3"""\n'
    )
    (folder / "helper.py").write_text('def test_not_collected():\n    """faults 9"""\n')
    name = "tests/faults/test_one.py"
    assert collect(tmp_path / "tests") == {
        1: [name],
        2: [f"{name}::test_three", f"{name}::test_two"],
        3: [f"{name}::test_three"],
    }


def test_a_case_without_a_test_is_wrong_and_so_is_a_test_without_a_case() -> None:
    found = {number: ["t"] for number in range(1, CASES)}
    assert list(problems(found, frozenset({CASES}), CASES)) == []
    assert len(list(problems(found, frozenset(), CASES))) == 1
    assert len(list(problems(found, frozenset({1, CASES}), CASES))) == 1
    assert len(list(problems({**found, CASES + 1: ["t"]}, frozenset({CASES}), CASES))) == 1


def test_a_case_without_a_test_is_missing_in_the_table() -> None:
    page = render("a\n<!-- generated: fault cases -->\nold\n<!-- end -->\nb\n", {2: ["tests/x.py::test_y"]})
    assert page.startswith("a\n")
    assert page.endswith("<!-- end -->\nb\n")
    assert "\nold\n" not in page
    assert "`tests/x.py::test_y`" in page
    assert page.count("missing") == CASES - 1
