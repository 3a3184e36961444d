"""The manifests, one overlay after the other."""

import pytest

from .manifests import OVERLAYS, Rendered, rendered


@pytest.fixture(params=OVERLAYS)
def suite(request: pytest.FixtureRequest) -> Rendered:
    return rendered(request.param)
