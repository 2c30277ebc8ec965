"""Keys and random bytes that the server makes.

Rule: a template becomes the attributes of Create or Create Key Pair, and nothing is made any other way.
"""

from typing import Final

from strongroom.domain.errors import InvalidField, KmipError
from strongroom.model.attribute_list import AttributeInstance, Attributes, TemplateAttributes
from strongroom.model.secret import SecretBytes
from strongroom.model.structures import CryptographicDomainParameters, DerivationParameters
from strongroom.operations.create import CreateRequest
from strongroom.operations.create_key_pair import CreateKeyPairRequest
from strongroom.operations.derive_key import DeriveKeyRequest
from strongroom.operations.pkcs11.attributes import ALGORITHMS, Template, described, template_of
from strongroom.operations.pkcs11.constants import CKA, CKF, CKK, CKM, CKO
from strongroom.operations.pkcs11.failure import Failure
from strongroom.operations.pkcs11.functions import Call, do, function
from strongroom.operations.pkcs11.mechanisms import settings_of
from strongroom.operations.pkcs11.objects import taken_in, writable
from strongroom.operations.rng_retrieve import RNGRetrieveRequest
from strongroom.operations.rng_seed import RNGSeedRequest
from strongroom.registry import CryptographicAlgorithm, DerivationMethod, ObjectType, Tag
from strongroom.registry import PKCS11Function as Function
from strongroom.registry import PKCS11ReturnCode as Code

_SIZE: Final[dict[type[KmipError], Code]] = {InvalidField: Code.CKR_KEY_SIZE_RANGE}


@function(Function.C_GENERATEKEY)
async def generate_key(call: Call) -> None:
    session = call.session()
    mechanism = call.input.mechanism()
    template = template_of(call.input.template())
    call.input.end()
    settings_of(mechanism.type, mechanism.parameter, CKF.GENERATE)
    lasting = writable(session, template)
    usual = CKK.AES if mechanism.type == CKM.AES_KEY_GEN else CKK.GENERIC_SECRET
    algorithm = ALGORITHMS.get(template.take(CKA.KEY_TYPE, usual))
    _require(template, CKO.SECRET_KEY)
    if algorithm is None or (usual is CKK.AES) != (algorithm is CryptographicAlgorithm.AES):
        raise Failure(Code.CKR_TEMPLATE_INCONSISTENT)
    given = [
        AttributeInstance(Tag.CRYPTOGRAPHIC_ALGORITHM, algorithm),
        AttributeInstance(Tag.CRYPTOGRAPHIC_LENGTH, _bits(template.need(CKA.VALUE_LEN) * 8)),
        *described(template, CKO.SECRET_KEY, call.ctx.now),
    ]
    template.end()
    request = CreateRequest(object_type=ObjectType.SYMMETRIC_KEY, attributes=_template(given))
    made = await do(call, request, codes=_SIZE)
    call.output.ulong(taken_in(call, session, made.unique_identifier, lasting=lasting))


@function(Function.C_GENERATEKEYPAIR)
async def generate_key_pair(call: Call) -> None:
    session = call.session()
    mechanism = call.input.mechanism()
    public, private = template_of(call.input.template()), template_of(call.input.template())
    call.input.end()
    settings_of(mechanism.type, mechanism.parameter, CKF.GENERATE_KEY_PAIR)
    lasting = writable(session, public), writable(session, private)
    elliptic = mechanism.type == CKM.EC_KEY_PAIR_GEN
    for template, cls in ((public, CKO.PUBLIC_KEY), (private, CKO.PRIVATE_KEY)):
        _require(template, cls)
        kind = CKK.EC if elliptic else CKK.RSA
        if template.take(CKA.KEY_TYPE, kind) != kind:
            raise Failure(Code.CKR_TEMPLATE_INCONSISTENT)
    common = _elliptic(call, public) if elliptic else _rsa(public)
    request = CreateKeyPairRequest(
        common_attributes=_template(common),
        private_key_attributes=_template(described(private, CKO.PRIVATE_KEY, call.ctx.now)),
        public_key_attributes=_template(described(public, CKO.PUBLIC_KEY, call.ctx.now)),
    )
    public.end()
    private.end()
    made = await do(call, request, codes=_SIZE)
    identifiers = made.public_key_unique_identifier, made.private_key_unique_identifier
    for identifier, lasts in zip(identifiers, lasting, strict=True):
        call.output.ulong(taken_in(call, session, identifier, lasting=lasts))


_EXPONENT: Final = 65537


def _rsa(template: Template) -> list[AttributeInstance]:
    """Return what makes an RSA pair."""
    if int.from_bytes(template.take(CKA.PUBLIC_EXPONENT, b"\1\0\1"), "big") != _EXPONENT:
        raise Failure(Code.CKR_ATTRIBUTE_VALUE_INVALID)
    return [
        AttributeInstance(Tag.CRYPTOGRAPHIC_ALGORITHM, CryptographicAlgorithm.RSA),
        AttributeInstance(Tag.CRYPTOGRAPHIC_LENGTH, _bits(template.need(CKA.MODULUS_BITS))),
    ]


def _elliptic(call: Call, template: Template) -> list[AttributeInstance]:
    """Return what makes a pair on a named curve."""
    try:
        curve = call.ctx.crypto.curve_named(template.need(CKA.EC_PARAMS))
    except InvalidField as error:
        raise Failure(Code.CKR_ATTRIBUTE_VALUE_INVALID) from error
    return [
        AttributeInstance(Tag.CRYPTOGRAPHIC_ALGORITHM, CryptographicAlgorithm.ECDSA),
        AttributeInstance(
            Tag.CRYPTOGRAPHIC_DOMAIN_PARAMETERS, CryptographicDomainParameters(recommended_curve=curve)
        ),
    ]


def _require(template: Template, cls: CKO) -> None:
    if template.take(CKA.CLASS, cls) != cls:
        raise Failure(Code.CKR_TEMPLATE_INCONSISTENT)


def _bits(length: int) -> int:
    """Return a length that KMIP can say; raises Failure."""
    if not 0 < length < 1 << 20:
        raise Failure(Code.CKR_KEY_SIZE_RANGE)
    return length


def _template(given: list[AttributeInstance]) -> TemplateAttributes:
    return TemplateAttributes(attributes=Attributes(given))


@function(Function.C_DERIVEKEY)
async def derive_key(call: Call) -> None:
    session = call.session()
    mechanism, base = call.input.mechanism(), call.object(Code.CKR_KEY_HANDLE_INVALID)
    template = template_of(call.input.template())
    call.input.end()
    settings = settings_of(mechanism.type, mechanism.parameter, CKF.DERIVE)
    lasting = writable(session, template)
    algorithm = ALGORITHMS.get(template.take(CKA.KEY_TYPE, CKK.GENERIC_SECRET))
    _require(template, CKO.SECRET_KEY)
    if algorithm is None:
        raise Failure(Code.CKR_TEMPLATE_INCONSISTENT)
    given = [
        AttributeInstance(Tag.CRYPTOGRAPHIC_ALGORITHM, algorithm),
        AttributeInstance(Tag.CRYPTOGRAPHIC_LENGTH, _bits(template.need(CKA.VALUE_LEN) * 8)),
        *described(template, CKO.SECRET_KEY, call.ctx.now),
    ]
    template.end()
    request = DeriveKeyRequest(
        object_type=ObjectType.SYMMETRIC_KEY,
        unique_identifier=(base,),
        derivation_method=DerivationMethod.HKDF,
        derivation_parameters=DerivationParameters(
            cryptographic_parameters=settings.parameters,
            derivation_data=() if settings.info is None else (SecretBytes(settings.info),),
            salt=settings.salt,
        ),
        attributes=_template(given),
    )
    made = await do(call, request, codes=_SIZE)
    call.output.ulong(taken_in(call, session, made.unique_identifier, lasting=lasting))


@function(Function.C_SEEDRANDOM)
async def seed_random(call: Call) -> None:
    call.session()
    seed = call.input.data()
    call.input.end()
    await do(call, RNGSeedRequest(data=SecretBytes(seed)))


@function(Function.C_GENERATERANDOM)
async def generate_random(call: Call) -> None:
    call.session()
    length = call.input.count()
    # Some clients send the buffer that is to be filled along.
    made = await do(call, RNGRetrieveRequest(data_length=length))
    call.output.data(made.data.reveal())
