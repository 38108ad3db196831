"""Which addresses are public: those that Python 3.11 takes for it and that lead elsewhere are not."""

import asyncio

import pytest

from lib import addresses
from lib.errors import Invalid


@pytest.mark.parametrize("address", ["64:ff9b:1::a00:1", "64:ff9b:1:ffff::1", "::ffff:0:10.0.0.1", "::ffff:0:7f00:1", "5f00::1",
                                     "5f00:ffff::1", "3fff::1"])
def test_a_way_round_and_what_nobody_owns_is_not_public(database, address):
    with pytest.raises(Invalid, match="not public"):
        asyncio.run(addresses.resolve(f"https://[{address}]/v1"))


@pytest.mark.parametrize("address", ["[2606:4700:4700::1111]", "[64:ff9a::1]", "8.8.8.8"])
def test_what_is_public_stays_so(database, address):
    assert asyncio.run(addresses.resolve(f"https://{address}/v1")).url == f"https://{address}:443/v1"
