"""The example of docs/certificates.md works as it stands."""

import re
from pathlib import Path

import pytest
from cryptography import x509

from strongroom import testing
from strongroom.model.objects import Certificate
from strongroom.registry import ValidityIndicator

DOCUMENT = (Path(__file__).resolve().parents[2] / "docs" / "certificates.md").read_text()


def test_the_example_makes_an_authority_that_issues(
    server: testing.Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STRONGROOM_PROFILE", str(server.profile))
    (example,) = re.findall(r"```python\n(.*?)```", DOCUMENT, re.DOTALL)
    names: dict[str, object] = {}
    exec(compile(example, "certificates.md", "exec"), names)
    assert names["judgement"] is ValidityIndicator.VALID
    issued, root = (names[name] for name in ("certificate", "root_certificate"))
    assert isinstance(issued, Certificate)
    assert isinstance(root, Certificate)
    x509.load_der_x509_certificate(issued.certificate_value).verify_directly_issued_by(
        x509.load_der_x509_certificate(root.certificate_value)
    )
