"""The broker is started once for all tests of this folder that need one."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests import rabbit


@pytest.fixture(scope="session")
def rabbitmq(tmp_path_factory: pytest.TempPathFactory) -> Iterator[rabbit.Rabbit]:
    rabbit.needed()
    with rabbit.Rabbit(tmp_path_factory.mktemp("rabbitmq")) as broker:
        yield broker
