"""docs/pkcs11.md says what the PKCS#11 operation does."""

import re
from pathlib import Path

from strongroom.operations.pkcs11.constants import CKM
from strongroom.operations.pkcs11.functions import offered
from strongroom.operations.pkcs11.mechanisms import MECHANISMS
from strongroom.operations.pkcs_11 import THEMES
from strongroom.registry.names import VALUES

PAGE = (Path(__file__).parents[3] / "docs" / "pkcs11.md").read_text()


def test_every_function_that_is_offered_is_listed_and_no_other() -> None:
    assert THEMES
    names = {VALUES["PKCS_11Function"][function].name for function in offered()}
    assert set(re.findall(r"^- `(C_\w+)`$", PAGE, re.M)) == names | {"C_Initialize", "C_Finalize"}


def test_every_mechanism_that_is_offered_is_listed_and_no_other() -> None:
    names = {f"CKM_{CKM(number).name}" for number in MECHANISMS}
    assert set(re.findall(r"^\| `(CKM_\w+)` \|", PAGE, re.M)) == names
