"""How a client asks for a key to be wrapped (KMIP 1.x §2.1.6, 2.1 §7.18).

Rule: the declaration only; what it means is in `procedures/wrapping.py`.
"""

from typing import Annotated

from strongroom.model.attribute_list import AttributeKey
from strongroom.model.attribute_shapes import AttributeNameShape
from strongroom.model.struct import Since, Struct
from strongroom.model.structures import EncryptionKeyInformation, MACSignatureKeyInformation
from strongroom.registry import V1_1, EncodingOption, WrappingMethod


class KeyWrappingSpecification(Struct):
    """How a key is to be wrapped on its way out."""

    wrapping_method: WrappingMethod
    encryption_key_information: EncryptionKeyInformation | None = None
    mac_signature_key_information: MACSignatureKeyInformation | None = None
    attribute_name: Annotated[tuple[AttributeKey, ...], AttributeNameShape()] = ()
    encoding_option: Annotated[EncodingOption | None, Since(V1_1)] = None
