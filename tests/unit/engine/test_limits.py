"""What one request may ask for, so that others are not kept waiting."""

import pytest

from strongroom.model.attribute_list import TemplateAttributes
from strongroom.model.structures import Name
from strongroom.operations.create import CreateRequest
from strongroom.operations.locate import MAXIMUM_FILTERS, LocateRequest
from strongroom.registry import V1_2, V2_1, ObjectType, ResultReason, Tag
from tests.kms import Refused, TestKms, attribute, template


def test_a_locate_has_so_many_filters_at_most(kms: TestKms) -> None:
    """A database says of more that it has failed, and that is not what happened."""
    filters = [attribute(Tag.OBJECT_GROUP, f"g{number}") for number in range(MAXIMUM_FILTERS + 1)]
    kms.call(LocateRequest(attributes=template(*filters[1:])), version=V2_1)
    with pytest.raises(Refused) as refused:
        kms.call(LocateRequest(attributes=template(*filters)), version=V2_1)
    assert refused.value.reason is ResultReason.SERVER_LIMIT_EXCEEDED


def test_an_object_is_not_made_from_thousands_of_templates(kms: TestKms) -> None:
    names = TemplateAttributes(names=(Name(name_value="t"),) * 1001)
    with pytest.raises(Refused, match="at most"):
        kms.call(CreateRequest(object_type=ObjectType.SYMMETRIC_KEY, attributes=names), version=V1_2)
