"""The money of a day is counted by the database, so it is exact over all processes."""

from decimal import Decimal

from tests.lib import reserving
from tests.lib.asking import day_of


def test_several_processes_never_reserve_more_than_the_day_has(alice):
    got = reserving.reserved_by(3, alice, times=10, amount="0.10", limit="1.00")
    assert sum(got) == 10
    assert day_of(alice).reserved_usd == Decimal("1.00")
