"""Names of standbys are compared as the server compares them."""

from pgpool_recovery.domain.synchronous import SynchronousStandbys

CUT = "s" * 63
"""A server takes that much of an application_name."""


def test_what_a_standby_is_called_is_cut() -> None:
    waited = SynchronousStandbys((CUT.upper(),), 1)
    assert waited.names_itself(f"{CUT}_in_full")
    assert waited.missing([f"{CUT}_in_full"]) == ()
    assert not waited.names_itself("s" * 62)


def test_name_that_is_waited_for_is_not() -> None:
    """No standby can have it: a server gave the one of that name the priority of the next one."""
    waited = SynchronousStandbys((f"{CUT}_in_full",), 1)
    assert not waited.has(f"{CUT}_in_full")
    assert waited.missing([CUT]) == (f"{CUT}_in_full",)
