"""The password, the name and the certificates of a PKCS#12 container, which other objects hold.

Rule: whoever opens or makes a container finds these here (KMIP 1.4 §3.45 and §4.11, 2.1 §4.39 and §6.1.19).
"""

from collections.abc import Iterable
from typing import Final

from strongroom.domain.context import Context
from strongroom.domain.errors import BadPassword, InvalidField, KmipError
from strongroom.domain.objects import ManagedObject
from strongroom.domain.pkcs12 import OpenedContainer
from strongroom.domain.usage import spend
from strongroom.model.attribute_list import AttributeInstance
from strongroom.model.keys import KeyBlock, KeyValue
from strongroom.model.objects import Certificate, ManagedObjectStruct, PrivateKey, SecretData
from strongroom.model.secret import SecretBytes
from strongroom.model.structures import Link
from strongroom.registry import (
    CertificateType,
    KeyCompressionType,
    KeyFormatType,
    LinkType,
    SecretDataType,
    State,
    Tag,
)

USUAL_NAME: Final = "alias"
"""The name of a key whose object has no PKCS#12 Friendly Name (KMIP 2.1 §4.39)."""

_LONGEST_CHAIN: Final = 16
_WITH_BYTES: Final = frozenset({KeyFormatType.RAW, KeyFormatType.OPAQUE})


async def converted(
    ctx: Context,
    obj: ManagedObject,
    value: ManagedObjectStruct,
    wanted: KeyFormatType,
    compression: KeyCompressionType | None,
) -> ManagedObjectStruct:
    """Return the material of `obj` in another format; a container is opened or made where it takes one."""
    block: KeyBlock | None = getattr(value, "key_block", None)
    if not isinstance(value, PrivateKey) or block is None:
        return await ctx.crypto.convert(value, wanted, compression=compression)
    inside = block.key_format_type is KeyFormatType.PKCS_12
    if inside and wanted is not KeyFormatType.PKCS_12:
        opened = await opened_container(ctx, obj.values(Tag.LINK), value)
        declared = block.replace(key_value=None, key_format_type=KeyFormatType.PKCS_8)
        value = value.replace(key_block=declared.replace(key_value=opened.key.key_block.key_value))
    if inside or wanted is not KeyFormatType.PKCS_12:
        return await ctx.crypto.convert(value, wanted, compression=compression)
    secret, password = await _password(ctx, obj.values(Tag.LINK))
    made = await ctx.crypto.make_pkcs12(
        value,
        password=password,
        friendly_name=obj.value(Tag.PKCS_12_FRIENDLY_NAME) or USUAL_NAME,
        certificates=await _chain(ctx, obj),
    )
    assert isinstance(made.key_block.key_value, KeyValue)
    assert isinstance(made.key_block.key_value.key_material, SecretBytes)
    spend(secret, len(made.key_block.key_value.key_material))  # it protects what is in the container
    return made


async def registered_container(
    ctx: Context, given: list[AttributeInstance], value: ManagedObjectStruct
) -> OpenedContainer | None:
    """Return what is in the container that a private key is registered in; None for any other object.

    Raises BadPassword, and InvalidField when it does not open or the key in it has another name than the
    request says.
    """
    block = value.key_block if isinstance(value, PrivateKey) else None
    if block is None or block.key_format_type is not KeyFormatType.PKCS_12:
        return None
    if block.key_wrapping_data is not None or not isinstance(block.key_value, KeyValue):
        return None
    opened = await opened_container(ctx, (a.value for a in given if a.key is Tag.LINK), value)
    name = next((a.value for a in given if a.key is Tag.PKCS_12_FRIENDLY_NAME), None)
    # SPEC(KMIP 2.1 §4.39): the name is matched without regard to case.
    if isinstance(name, str) and name.casefold() != (opened.friendly_name or name).casefold():
        raise InvalidField("the container has no private key of the PKCS#12 Friendly Name in the request")
    return opened


async def opened_container(
    ctx: Context, links: Iterable[Link], value: ManagedObjectStruct
) -> OpenedContainer:
    """Return what is in a container; raises BadPassword and InvalidField."""
    assert isinstance(value, PrivateKey)
    assert isinstance(value.key_block.key_value, KeyValue)
    _, password = await _password(ctx, links)
    return await ctx.crypto.open_pkcs12(value.key_block.key_value.key_material, password)


async def _password(ctx: Context, links: Iterable[Link]) -> tuple[ManagedObject, SecretBytes]:
    """Return what holds the password of a container, and the password.

    Raises BadPassword (KMIP 2.1 §11.46).
    """
    targets = [
        link.linked_object_identifier for link in links if link.link_type is LinkType.PKCS_12_PASSWORD_LINK
    ]
    if len(targets) != 1:
        raise BadPassword(
            "a PKCS#12 key needs one PKCS#12 Password Link, to the Secret Data that protects it"
        )
    try:
        secret = await ctx.objects.get(targets[0])
    except KmipError as error:
        raise BadPassword("the PKCS#12 Password Link leads to no object that can be read") from error
    value = secret.material
    if not isinstance(value, SecretData) or value.secret_data_type is not SecretDataType.PASSWORD:
        raise BadPassword("the PKCS#12 Password Link leads to an object that is not a password")
    if secret.state is not State.ACTIVE:
        raise BadPassword("the password that the PKCS#12 Password Link leads to is not Active")
    block = value.key_block
    if (
        block.key_wrapping_data is not None
        or block.key_format_type not in _WITH_BYTES
        or not isinstance(block.key_value, KeyValue)
        or not isinstance(block.key_value.key_material, SecretBytes)
    ):
        raise BadPassword("the server does not hold the password in the clear")
    return secret, block.key_value.key_material


async def _chain(ctx: Context, private: ManagedObject) -> list[bytes]:
    """Return the certificate chain of a key, its own certificate first; empty without one.

    SPEC(KMIP 2.1 §6.1.19): from the public key over its PKCS#12 Certificate Link, then from each certificate
    over its Certificate Link. 1.4 says Certificate Link at the public key, the OASIS cases (TC-PKCS12-1) lead
    from the private key, and over PKCS#12 Certificate Links all the way.
    """
    chain: list[bytes] = []
    seen: set[str] = set()
    current = await _certificate(ctx, private, LinkType.PKCS_12_CERTIFICATE_LINK)
    if current is None:
        public = await _linked(ctx, private, LinkType.PUBLIC_KEY_LINK)
        current = None if public is None else await _parent(ctx, public)
    while current is not None and current.unique_identifier not in seen:
        if len(chain) == _LONGEST_CHAIN:
            raise InvalidField(
                f"the certificate chain of the key has more than {_LONGEST_CHAIN} certificates"
            )
        seen.add(current.unique_identifier)
        value = current.material
        assert isinstance(value, Certificate)
        chain.append(value.certificate_value)
        current = await _parent(ctx, current)
    return chain


async def _parent(ctx: Context, obj: ManagedObject) -> ManagedObject | None:
    found = await _certificate(ctx, obj, LinkType.PKCS_12_CERTIFICATE_LINK)
    return await _certificate(ctx, obj, LinkType.CERTIFICATE_LINK) if found is None else found


async def _certificate(ctx: Context, obj: ManagedObject, link_type: LinkType) -> ManagedObject | None:
    found = await _linked(ctx, obj, link_type)
    if found is None:
        return None
    value = found.material
    if not isinstance(value, Certificate) or value.certificate_type is not CertificateType.X_509:
        raise InvalidField("a link of the certificate chain leads to an object that is no X.509 certificate")
    return found


async def _linked(ctx: Context, obj: ManagedObject, link_type: LinkType) -> ManagedObject | None:
    """Return the object at the end of a link, None without one; raises InvalidField for more than one."""
    targets = [link.linked_object_identifier for link in obj.values(Tag.LINK) if link.link_type is link_type]
    if len(targets) > 1:
        # SPEC(KMIP 2.1 §6.1.19): it is an error if there is more than one valid certificate chain.
        raise InvalidField("there is more than one certificate chain; leave one PKCS#12 Certificate Link")
    return await ctx.objects.get(targets[0]) if targets else None
