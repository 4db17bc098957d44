"""One database for all leads of these tests."""

import pytest

from tests.attribution.own_leads import Credits


@pytest.fixture(scope="session")
def credits_of() -> Credits:
    return Credits()
