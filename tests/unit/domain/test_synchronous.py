"""Names of standbys are compared as the server compares them."""

from pgpool_recovery.domain.synchronous import SynchronousStandbys

CUT = "s" * 63
"""The longest application_name that a server keeps."""


def test_name_of_a_standby_is_truncated() -> None:
    waited = SynchronousStandbys((CUT.upper(),), 1)
    assert waited.names_itself(f"{CUT}_in_full")
    assert waited.missing([f"{CUT}_in_full"]) == ()
    assert not waited.names_itself("s" * 62)


def test_name_in_the_setting_is_not_truncated() -> None:
    """No standby can match such a name: a real server skipped it and used the next one."""
    waited = SynchronousStandbys((f"{CUT}_in_full",), 1)
    assert not waited.has(f"{CUT}_in_full")
    assert waited.missing([CUT]) == (f"{CUT}_in_full",)
