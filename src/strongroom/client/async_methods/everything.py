"""Every method, for the shells to inherit."""

from strongroom.client.async_methods.attributes import AsyncAttributeMethods
from strongroom.client.async_methods.certificates import AsyncCertificates
from strongroom.client.async_methods.encryption import AsyncEncryption
from strongroom.client.async_methods.keys import AsyncKeys
from strongroom.client.async_methods.later import AsyncRequestsForLater
from strongroom.client.async_methods.life_cycle import AsyncLifeCycle
from strongroom.client.async_methods.objects import AsyncObjects
from strongroom.client.async_methods.registration import AsyncRegistration
from strongroom.client.async_methods.server import AsyncServer
from strongroom.client.async_methods.signatures import AsyncSignatures


class AsyncMethods(
    AsyncKeys,
    AsyncRegistration,
    AsyncObjects,
    AsyncAttributeMethods,
    AsyncLifeCycle,
    AsyncEncryption,
    AsyncSignatures,
    AsyncCertificates,
    AsyncServer,
    AsyncRequestsForLater,
):
    """What one can ask for without writing a request. Each raises KMIPError.

    Names of parameters are those of the specification. `attributes` are further attributes of a new object,
    made with `strongroom.client.attributes.attribute`.
    """
