"""Circuit breakers: who gave up again and again is left in peace for a while, and nobody is kept waiting."""

from datetime import UTC, datetime, timedelta

from pybreaker import STATE_HALF_OPEN, STATE_OPEN, CircuitBreaker

FAILURES, REST = 5, 30  # in a row, until nobody is kept waiting for this many seconds


def make() -> CircuitBreaker:
    return CircuitBreaker(fail_max=FAILURES, reset_timeout=REST, exclude=[GeneratorExit], throw_new_error_on_trip=False)


def put_back(one: CircuitBreaker, failures: int, state: str) -> None:
    """As it was before a call that was stopped before anything came: that tells neither of health nor of failure."""
    if state == STATE_OPEN:  # another call's doing meanwhile
        one.open()
    if state == STATE_HALF_OPEN:
        one.half_open()
    for _failure in range(failures):
        one._state_storage.increment_counter()


def is_resting(one: CircuitBreaker) -> bool:
    """Whether nobody is asked just now: it calls itself open until the next call, however long after its rest that comes."""
    opened, rest = one._state_storage.opened_at, timedelta(seconds=one.reset_timeout)
    return one.current_state == STATE_OPEN and opened is not None and datetime.now(UTC) < opened + rest
