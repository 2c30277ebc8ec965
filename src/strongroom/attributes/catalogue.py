"""Every attribute.

Rule: importing this module declares them all, theme by theme; the order is that of Get Attributes.
"""

import importlib
from collections.abc import Mapping
from typing import Final

from strongroom import attributes
from strongroom.attributes.declaration import Attribute, declared
from strongroom.model.compat import LINK_TAGS
from strongroom.registry import Tag

THEMES: Final = (
    "identity",
    "lifecycle",
    "cryptographic",
    "usage",
    "protection",
    "certificate",
    "split_key",
    "credentials",
    "links",
    "descriptive",
    "rotation",
)

for _theme in THEMES:
    importlib.import_module(f"{attributes.__name__}.{_theme}")


def all_attributes() -> Mapping[Tag, Attribute]:
    """Return every attribute by tag, in the order of Get Attributes."""
    return declared()


def check_complete() -> None:
    """Raise TypeError unless every link tag of `model.compat` is a view of Link."""
    for link_type, tag in LINK_TAGS.items():
        attribute = declared().get(tag)
        if attribute is None or attribute.view is not link_type:
            raise TypeError(f"{tag.name} is not declared as a view of Link")
