"""A key manager, and the rotations of any number of nodes on its store."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from strongroom.model.identifiers import UniqueIdentifier
from strongroom.operations.catalogue import all_operations
from strongroom.scheduler.rotation import Rotations
from tests.kms import TestKms


@pytest.fixture
def kms(tmp_path: Path) -> Iterator[TestKms]:
    server = TestKms(tmp_path)
    yield server
    server.close()


class Node:
    """The scheduler of one node, with what it reported."""

    def __init__(self, kms: TestKms) -> None:
        self.rotated: list[UniqueIdentifier] = []
        self.failed: list[tuple[UniqueIdentifier, BaseException]] = []
        self.rotations = Rotations(
            kms.repository,
            kms.dispatcher.transactions,
            {int(code): spec for code, spec in all_operations().items()},
            on_rotation=self.rotated.append,
            on_failure=lambda identifier, exc: self.failed.append((identifier, exc)),
        )
        self._kms = kms

    def look(self) -> int:
        """Rotate what is due now."""
        return self._kms.run(self.rotations.once(self._kms.clock.now()))


@pytest.fixture
def new_node(kms: TestKms) -> Callable[..., Node]:
    """Return what makes a node, on the same store unless told otherwise."""
    return lambda other=None: Node(other or kms)
