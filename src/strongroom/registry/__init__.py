"""Tags, enumerations and masks of KMIP 1.0 to 3.0, with the versions that define them.

Rule: numbers and names only. Everything but `names.py` and `versions.py` is generated from
`data/registry.json`.
"""

from strongroom.registry.enumerations import *  # noqa: F403
from strongroom.registry.masks import *  # noqa: F403
from strongroom.registry.tags import Tag as Tag
from strongroom.registry.versions import (
    NEWEST as NEWEST,
)
from strongroom.registry.versions import (
    V1_0 as V1_0,
)
from strongroom.registry.versions import V1_1 as V1_1
from strongroom.registry.versions import V1_2 as V1_2
from strongroom.registry.versions import V1_3 as V1_3
from strongroom.registry.versions import V1_4 as V1_4
from strongroom.registry.versions import V2_0 as V2_0
from strongroom.registry.versions import V2_1 as V2_1
from strongroom.registry.versions import V3_0 as V3_0
from strongroom.registry.versions import VERSIONS as VERSIONS
from strongroom.registry.versions import Version as Version
