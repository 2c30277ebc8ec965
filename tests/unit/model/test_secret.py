"""What is made of secret bytes lives as long as they do."""

from hashlib import md5, sha256

from strongroom.model.secret import SecretBytes


def test_what_is_made_of_them_is_made_once() -> None:
    secret = SecretBytes(b"key")
    first = secret.once(sha256)
    assert first.digest() == sha256(b"key").digest()
    assert secret.once(sha256) is first
    assert SecretBytes(b"key").once(sha256) is not first


def test_something_else_is_made_by_somebody_else() -> None:
    secret = SecretBytes(b"key")
    assert secret.once(sha256).name == "sha256"
    assert secret.once(md5).name == "md5"
