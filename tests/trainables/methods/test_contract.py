"""Every method of the registry keeps the contract."""

from __future__ import annotations

import pytest

from trainables.methods import METHODS
from trainables.methods.base import method_class
from trainables.testing import MethodContract


class TestMethods(MethodContract):
    @pytest.fixture(params=sorted(METHODS))
    def method_type(self, request):
        return method_class(request.param)
