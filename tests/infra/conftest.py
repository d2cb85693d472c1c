"""Object stores of two makers on this machine, each behind a proxy that can fail."""

from collections.abc import Iterator

import pytest

from tests.fakes.faulty_proxy import Proxy, faulty_proxy
from tests.fakes.object_stores import gcs_server, s3_server


@pytest.fixture(scope="session")
def s3_proxy() -> Iterator[Proxy]:
    with s3_server() as endpoint, faulty_proxy(endpoint) as proxy:
        yield proxy


@pytest.fixture(scope="session")
def gcs_proxy() -> Iterator[Proxy]:
    with gcs_server() as endpoint, faulty_proxy(endpoint) as proxy:
        yield proxy
