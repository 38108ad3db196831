import pytest
from pybreaker import STATE_CLOSED, STATE_HALF_OPEN, STATE_OPEN

from lib import breakers


@pytest.mark.parametrize("state", [STATE_CLOSED, STATE_OPEN, STATE_HALF_OPEN])
def test_a_call_that_tells_nothing_leaves_the_breaker_as_it_was(state):
    """A call that ends without an error closes it."""
    one = breakers.make()
    with one.calling():
        pass
    breakers.put_back(one, 3, state)
    assert (one.current_state, one.fail_counter, breakers.is_resting(one)) == (state, 3, state == STATE_OPEN)
