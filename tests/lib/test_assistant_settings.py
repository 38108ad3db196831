"""What an owner types as a provider's key."""

import pytest

from lib import assistant_settings, db
from lib.errors import Invalid
from tests.lib.asking import switch

OWN = {"base_url": "https://one.example.org", "model": "m"}


def key_of(owner):
    with db.scope(owner) as scope:
        provider = assistant_settings.provider(assistant_settings.get(scope))
    return provider.api_key


@pytest.mark.parametrize("blank", ["", "  ", "\t\n"])
def test_a_blank_keeps_the_stored_key_and_is_none_where_nothing_is_stored(fake, alice, blank):
    with pytest.raises(Invalid, match="key for this address"):
        switch(alice, **OWN, api_key=blank)
    switch(alice, **OWN, api_key=" sk-own\n")
    switch(alice, **OWN, api_key=blank)

    assert key_of(alice) == "sk-own"


@pytest.mark.parametrize("odd", ["sk-a\tb\nc", "sk a", "sk-\x7f", "sk-\0", "sk-\u00e9", "Bearer sk-a"])
def test_what_no_header_can_carry_is_no_key(fake, alice, odd):
    switch(alice, **OWN, api_key="sk-own")
    with pytest.raises(Invalid, match="plain letters and digits"):
        switch(alice, **OWN, api_key=odd)

    assert key_of(alice) == "sk-own"
