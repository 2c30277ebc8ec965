"""Wrapping of keys on their way out (KMIP 1.4 §2.1.5-2.1.6, 2.1 §3.3 and §7.18).

Rule: what a Key Wrapping Specification asks for is worked out here, for every operation that gives out keys:
which keys, may they be used, what bytes are protected, in which order. The way back is `unwrapping.py`.
"""

from collections.abc import Mapping
from typing import Final, NamedTuple

from strongroom.attributes.rules import select
from strongroom.domain.computing import over
from strongroom.domain.context import Context
from strongroom.domain.errors import (
    BadCryptographicParameters,
    EmptyPlaceholder,
    FeatureNotSupported,
    InvalidField,
    InvalidObjectType,
    ObjectArchived,
    ObjectDestroyed,
    ObjectNotFound,
    PermissionDenied,
)
from strongroom.domain.key_form_errors import (
    EncodingOptionError,
    WrappingObjectArchived,
    WrappingObjectDestroyed,
    WrappingObjectNotFound,
)
from strongroom.domain.objects import ManagedObject
from strongroom.domain.permission import Permission
from strongroom.domain.usage import Use, require, spend
from strongroom.model.attribute_list import Attributes, TemplateAttributes
from strongroom.model.keys import KeyBlock, KeyValue
from strongroom.model.objects import ManagedObjectStruct, PrivateKey
from strongroom.model.secret import SecretBytes
from strongroom.model.structures import (
    CryptographicParameters,
    EncryptionKeyInformation,
    KeyWrappingData,
    MACSignatureKeyInformation,
)
from strongroom.model.wrapping import KeyWrappingSpecification
from strongroom.procedures.cryptographic_parameters import usable_key
from strongroom.procedures.used_ivs import refuse_used_iv
from strongroom.registry import (
    CryptographicUsageMask,
    EncodingOption,
    ObjectType,
    Tag,
    WrappingMethod,
)


class _Steps(NamedTuple):
    """What a method does, in this order; `mac_first` says over what the MAC is made."""

    encrypts: bool
    authenticates: bool
    mac_first: bool = False


_METHODS: Final[Mapping[WrappingMethod, _Steps | None]] = {
    WrappingMethod.ENCRYPT: _Steps(encrypts=True, authenticates=False),
    WrappingMethod.MAC_SIGN: _Steps(encrypts=False, authenticates=True),
    WrappingMethod.ENCRYPT_THEN_MAC_SIGN: _Steps(encrypts=True, authenticates=True),
    WrappingMethod.MAC_SIGN_THEN_ENCRYPT: _Steps(encrypts=True, authenticates=True, mac_first=True),
    WrappingMethod.TR_31: None,  # no kept library makes the key blocks of ASC X9 TR-31
}
if set(_METHODS) != set(WrappingMethod):
    raise TypeError("a Wrapping Method is neither done nor refused")

_TO_WRAP: Final = CryptographicUsageMask.WRAP_KEY


class WrappingKey(NamedTuple):
    """A wrapping key, ready for use."""

    obj: ManagedObject
    parameters: CryptographicParameters

    @property
    def block(self) -> KeyBlock:
        return usable_key(self.obj)

    @property
    def value(self) -> ManagedObjectStruct:
        material = self.obj.material
        assert material is not None
        value: ManagedObjectStruct = material.replace(key_block=self.block)
        return value


def key_block_of(value: ManagedObjectStruct | None) -> KeyBlock | None:
    """Return the Key Block of an object, None for one that has none."""
    key_block: KeyBlock | None = getattr(value, "key_block", None)
    return key_block


def is_wrapped(value: ManagedObjectStruct | None) -> bool:
    """Tell whether an object is a wrapped key."""
    key_block = key_block_of(value)
    return key_block is not None and key_block.key_wrapping_data is not None


def conceals(method: WrappingMethod) -> bool:
    """Tell whether a wrapped key can be read by nobody without the wrapping key."""
    steps = _METHODS.get(method)
    return steps is None or steps.encrypts


async def wrap(
    ctx: Context,
    obj: ManagedObject,
    value: ManagedObjectStruct,
    specification: KeyWrappingSpecification,
) -> ManagedObjectStruct:
    """Return a key in the clear as the specification wants it wrapped; `obj` is the object it belongs to."""
    key_block = key_block_of(value)
    if key_block is None:
        raise InvalidObjectType("only an object with a Key Block can be wrapped")
    steps = steps_of(specification.wrapping_method)
    encryption = specification.encryption_key_information if steps.encrypts else None
    authentication = specification.mac_signature_key_information if steps.authenticates else None
    if steps.encrypts and encryption is None:
        raise InvalidField("this Wrapping Method needs the Encryption Key Information")
    if steps.authenticates and authentication is None:
        raise InvalidField("this Wrapping Method needs the MAC/Signature Key Information")
    if specification.attribute_name:
        await _require_readable(ctx, obj)
    data = _plain(ctx, obj, key_block, specification)
    cipher_key = None if encryption is None else await _to_wrap(ctx, obj, encryption)
    mac_key = None if authentication is None else await _to_authenticate(ctx, obj, authentication)
    iv, code, protected = None, None, data
    if mac_key is not None and steps.mac_first:
        code = await _authenticated(ctx, mac_key, data)
    if cipher_key is not None:
        spend(cipher_key.obj, len(data))
        wrapped = await ctx.crypto.wrap_key(
            cipher_key.block, cipher_key.parameters, data, legacy=ctx.policy.legacy
        )
        protected, iv = SecretBytes(wrapped.data), wrapped.iv_counter_nonce
        await refuse_used_iv(ctx, cipher_key.obj, iv)
    if mac_key is not None:
        spend(mac_key.obj, len(protected))
        if not steps.mac_first:
            code = await _authenticated(ctx, mac_key, protected)
    made = key_block.replace(
        key_value=_in_shape(obj, protected, specification.encoding_option),
        key_wrapping_data=KeyWrappingData(
            wrapping_method=specification.wrapping_method,
            encryption_key_information=None
            if cipher_key is None
            else EncryptionKeyInformation(
                unique_identifier=cipher_key.obj.unique_identifier,
                cryptographic_parameters=cipher_key.parameters,
            ),
            mac_signature_key_information=None
            if mac_key is None
            else MACSignatureKeyInformation(
                unique_identifier=mac_key.obj.unique_identifier,
                cryptographic_parameters=mac_key.parameters,
            ),
            mac_signature=code,
            iv_counter_nonce=iv,
            encoding_option=specification.encoding_option,
        ),
    )
    result: ManagedObjectStruct = value.replace(key_block=made)
    return result


async def _authenticated(ctx: Context, key: WrappingKey, data: SecretBytes) -> bytes:
    """Return the MAC of the data, or with a private key its signature."""
    value, legacy = key.value, ctx.policy.legacy
    if isinstance(value, PrivateKey):
        computation = await ctx.crypto.start_signature(value, key.parameters, legacy=legacy)
    else:
        computation = ctx.crypto.start_mac(key.block, key.parameters, legacy=legacy)
    return await over(computation, data)


async def _require_readable(ctx: Context, obj: ManagedObject) -> None:
    """Return if the attributes of the object may go along with it; raises PermissionDenied."""
    try:
        await ctx.objects.get(obj.unique_identifier, permission=Permission.READ_ATTRIBUTES)
    except ObjectNotFound as error:
        raise PermissionDenied(
            "attributes are wrapped along only for who may read them: leave Attribute Name out, or have the"
            " administrator grant read-attributes"
        ) from error


def steps_of(method: WrappingMethod) -> _Steps:
    steps = _METHODS.get(method)
    if steps is None:
        raise FeatureNotSupported("this Wrapping Method is not done here; Encrypt and MAC/sign are")
    return steps


def _plain(
    ctx: Context, obj: ManagedObject, key_block: KeyBlock, specification: KeyWrappingSpecification
) -> SecretBytes:
    """Return the bytes to protect: the Key Material, or the TTLV encoding of the Key Value."""
    if not isinstance(key_block.key_value, KeyValue):
        raise InvalidObjectType("there is no Key Value to wrap")
    material = key_block.key_value.key_material
    if specification.encoding_option is EncodingOption.NO_ENCODING:
        if specification.attribute_name:
            raise EncodingOptionError(
                "attributes are wrapped along only in TTLV Encoding; leave them or the Encoding Option out"
            )
        if not isinstance(material, SecretBytes):
            raise EncodingOptionError(
                "the Key Material of this format is a structure, which only TTLV Encoding can wrap"
            )
        return material
    wanted = select(obj, specification.attribute_name, ctx.now)
    attributes = TemplateAttributes(attributes=Attributes(wanted)) if wanted else None
    return SecretBytes(
        ctx.dialect.encode(Tag.KEY_VALUE, KeyValue(key_material=material, attributes=attributes))
    )


def _in_shape(
    obj: ManagedObject, protected: SecretBytes, encoding: EncodingOption | None
) -> KeyValue | SecretBytes:
    """Return the Key Value of a wrapped key: a byte string, as every version says."""
    sent = key_block_of(obj.as_registered or obj.material)
    if (
        encoding is EncodingOption.NO_ENCODING
        and sent is not None
        and sent.key_wrapping_data is not None
        and isinstance(sent.key_value, KeyValue)
    ):
        # INTEROP(OASIS TC-WRAP-1 and -3, 1.4 and 2.0): a client that registers the wrapped bytes as Key
        # Material in a Key Value structure gets them back so.
        return KeyValue(key_material=protected)
    return protected


async def _to_wrap(ctx: Context, obj: ManagedObject, information: EncryptionKeyInformation) -> WrappingKey:
    key = await _wrapping_object(ctx, obj, information)
    usable_key(key)
    if key.object_type is ObjectType.PRIVATE_KEY:
        raise InvalidObjectType("a key is wrapped with the public key of a pair")
    require(key, _TO_WRAP, Use.PROTECT, ctx.now)
    return WrappingKey(key, _matching(key, information.cryptographic_parameters))


async def _to_authenticate(
    ctx: Context, obj: ManagedObject, information: MACSignatureKeyInformation
) -> WrappingKey:
    key = await _wrapping_object(ctx, obj, information)
    usable_key(key)
    private = key.object_type is ObjectType.PRIVATE_KEY
    mask = CryptographicUsageMask.SIGN if private else CryptographicUsageMask.MAC_GENERATE
    await _require_permission(ctx, key, Permission.SIGN if private else Permission.MAC)
    require(key, mask, Use.PROTECT, ctx.now)
    return WrappingKey(key, _matching(key, information.cryptographic_parameters))


async def _require_permission(ctx: Context, key: ManagedObject, permission: Permission) -> None:
    """Return if the caller may do with a key what authenticating does; raises PermissionDenied.

    A client chooses what its own objects hold, so this makes a MAC or a signature of whatever it wants.
    """
    try:
        await ctx.objects.get(key.unique_identifier, permission=permission)
    except ObjectNotFound as error:
        raise PermissionDenied(
            f"a key is authenticated only for who may {permission.value} with the other one: leave the"
            f" MAC/Signature Key Information out, or have the administrator grant {permission.value}"
        ) from error


async def _wrapping_object(
    ctx: Context,
    obj: ManagedObject,
    information: EncryptionKeyInformation | MACSignatureKeyInformation,
) -> ManagedObject:
    """Return a key that the request names; raises what Get has for wrapping keys."""
    try:
        key = await ctx.objects.get(information.unique_identifier, permission=Permission.WRAP)
    except (ObjectNotFound, EmptyPlaceholder) as error:
        raise WrappingObjectNotFound("no wrapping key has this Unique Identifier") from error
    except ObjectArchived as error:
        raise WrappingObjectArchived("the wrapping key is archived; Recover it first") from error
    except ObjectDestroyed as error:
        raise WrappingObjectDestroyed("the wrapping key was destroyed") from error
    if key is obj:
        raise InvalidField("a key is not wrapped with itself")
    return key


def agreeing_parameters(
    key: ManagedObject, asked: CryptographicParameters | None
) -> CryptographicParameters | None:
    """Return the first of the key's own Cryptographic Parameters that agrees with all that is asked.

    Asking nothing, or with a structure that an older version leaves empty, is met by any. None: none agrees.
    """
    said = [] if asked is None else zip(type(asked).fields, asked.values(), strict=True)
    wanted = [(field.name, value) for field, value in said if value is not None]
    for own in key.values(Tag.CRYPTOGRAPHIC_PARAMETERS):
        if all(getattr(own, name) == value for name, value in wanted):
            found: CryptographicParameters = own
            return found
    return None


def _matching(key: ManagedObject, asked: CryptographicParameters | None) -> CryptographicParameters:
    """Return the parameters of a wrapping key that the request means.

    SPEC(KMIP 2.1 §7.18): they must match an instance of the key's own Cryptographic Parameters; what the
    request leaves out is taken from that instance.
    """
    found = agreeing_parameters(key, asked)
    if found is not None:
        return found
    if key.value(Tag.CRYPTOGRAPHIC_PARAMETERS) is not None:
        raise BadCryptographicParameters(
            "the wrapping key has no Cryptographic Parameters that match those of the request"
        )
    if asked is None or asked == CryptographicParameters():
        raise BadCryptographicParameters(
            "name the Cryptographic Parameters to wrap with: the wrapping key has none of its own"
        )
    # DEVIATION(KMIP 2.1 §7.18): it says to refuse this too. Many clients never give a key Cryptographic
    # Parameters and name them here, and nothing contradicts them.
    return asked
