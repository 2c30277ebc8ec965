"""Operations of the registry that this server does not do, each with the reason.

Rule: the table is empty while every operation is there. A test fails while one has neither a file here (or in
`to_client`) nor a line in this table, so that what a new version of the specification brings is noticed;
profiles that mean every operation are not claimed while there is a line.
"""

from collections.abc import Mapping
from typing import Final

NOT_SUPPORTED: Final[Mapping[str, str]] = {}
