from __future__ import annotations

import pytest

from trainables.errors import InputError, lookup


def test_lookup_finds_what_is_there():
    assert lookup("colour", "red", {"red": 1, "blue": 2}) == 1


def test_lookup_names_the_nearest():
    with pytest.raises(InputError, match="unknown colour 'rde': did you mean 'red'"):
        lookup("colour", "rde", {"red": 1, "blue": 2})


def test_lookup_names_all_where_none_is_near():
    with pytest.raises(InputError, match="choose from blue, red"):
        lookup("colour", "xyzzy", {"red": 1, "blue": 2})
