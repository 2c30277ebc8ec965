"""Tolerances are named and logged."""

from structlog.testing import capture_logs

from strongroom.crypto.leniency import IV_LENGTH_IN_BYTES, Leniencies


def test_a_leniency_is_logged_once_with_product_and_reason() -> None:
    leniencies = Leniencies()
    with capture_logs() as logs:
        leniencies.use(IV_LENGTH_IN_BYTES)
        leniencies.use(IV_LENGTH_IN_BYTES)
    assert [entry["event"] for entry in logs] == ["leniency_used"]
    assert logs[0]["name"] == "iv-length-in-bytes"
    assert "kmip-go" in logs[0]["product"]
