"""Which key, and how it is to be used, in an operation that uses one.

Rule: Cryptographic Parameters of the request are taken as a whole; without any, the key's own are. They are
not mixed field by field: the padding of one mode would creep into another.
"""

from strongroom.domain.errors import InvalidObjectType, KeyValueNotPresent
from strongroom.domain.objects import ManagedObject
from strongroom.model.keys import KeyBlock
from strongroom.model.objects import Certificate, PrivateKey, PublicKey, SymmetricKey
from strongroom.model.structures import CryptographicParameters
from strongroom.registry import Tag

_NONE = CryptographicParameters()


def usable_key(obj: ManagedObject) -> KeyBlock:
    """Return the key block, its algorithm filled in; raises InvalidObjectType or KeyValueNotPresent."""
    key_block: KeyBlock | None = getattr(obj.material, "key_block", None)
    if key_block is None:
        raise InvalidObjectType("the object is not a key")
    if key_block.key_value is None or key_block.key_wrapping_data is not None:
        raise KeyValueNotPresent("the server does not hold the key itself, so it cannot use it")
    if key_block.cryptographic_algorithm is None:
        algorithm = obj.value(Tag.CRYPTOGRAPHIC_ALGORITHM)
        if algorithm is not None:
            return key_block.replace(cryptographic_algorithm=algorithm)
    return key_block


def effective_parameters(
    obj: ManagedObject, asked: CryptographicParameters | None
) -> CryptographicParameters:
    """Return the parameters to use (KMIP 1.4 §4.29): the request's, else the first of the key, else none.

    A structure without anything in it says no more than none.
    """
    if asked is not None and (asked.block_cipher_mode is not None or asked != _NONE):
        return asked
    own: CryptographicParameters | None = obj.value(Tag.CRYPTOGRAPHIC_PARAMETERS)
    return _NONE if own is None else own


def usable_symmetric_key(obj: ManagedObject) -> KeyBlock:
    """Return the same of a Symmetric Key; raises InvalidObjectType for anything else."""
    if not isinstance(obj.material, SymmetricKey):
        raise InvalidObjectType("this takes a Symmetric Key")
    return usable_key(obj)


def usable_private_key(obj: ManagedObject) -> PrivateKey:
    """Return a Private Key with its algorithm filled in; raises InvalidObjectType or KeyValueNotPresent."""
    if not isinstance(obj.material, PrivateKey):
        raise InvalidObjectType("this takes a Private Key")
    return PrivateKey(key_block=usable_key(obj))


def usable_public_key(obj: ManagedObject) -> PublicKey | Certificate:
    """Return the same of a Public Key; a Certificate, which has one, is returned as it is."""
    if isinstance(obj.material, Certificate):
        return obj.material
    if not isinstance(obj.material, PublicKey):
        raise InvalidObjectType("this takes a Public Key or a Certificate")
    return PublicKey(key_block=usable_key(obj))
