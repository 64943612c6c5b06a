"""Which agreement a run is bound by, and what applies if there is none."""

from typing import TYPE_CHECKING, Any, cast

from pgpool_recovery.domain.node import NodeId, Target
from pgpool_recovery.facts.policy import Policy, Unattended
from pgpool_recovery.observe.consent import agreement_for, why_unbound
from pgpool_recovery.plan.agreement import AGREED, ASKS, CALLS, LOCK_CLASS, session_name
from pgpool_recovery.plan.harm import ANYTHING, Harm, Old, Reach

if TYPE_CHECKING:
    from pgpool_recovery.postgres.connection import Connection

TARGET = Target("server1", "/data", NodeId(1))
OTHER = Target("server1", "/other", NodeId(2))
WAL, COPY = Harm(Reach.WAL, Old.KEPT), Harm(Reach.COPY, Old.GOES)


class Sessions:
    """The sessions of roles that may recover, the newest first; a fake of our queries."""

    def __init__(self, *found: tuple[int, str]) -> None:
        self.found = found
        self.read: list[dict[str, Any]] = []

    def rows(self, query: str, *, head: str) -> list[dict[str, Any]]:
        assert query == "agreements"
        return [
            {"pid": pid, "application_name": name, "role": f"role{pid}"}
            for pid, name in self.found
            if name.startswith(head)
        ]

    def row(self, query: str, **parameters: Any) -> dict[str, Any]:
        assert query == "agreement_read"
        self.read.append(parameters)
        return {"is_said": True}


def agreed(sessions: Sessions, caller: int | None = None, policy: Policy | None = None) -> Any:
    connection = cast("Connection", sessions)
    found = agreement_for(connection, TARGET, policy or Policy(), caller)
    return found.by, found.harm


def test_promise_11_waiting_agreement_is_read_and_confirmed_as_read() -> None:
    sessions = Sessions((7, session_name(AGREED, TARGET, WAL)))
    assert agreed(sessions, caller=99) == ("role7", WAL)
    assert sessions.read == [{"class": LOCK_CLASS, "pid": 7}]


def test_newest_counts() -> None:
    names = (session_name(AGREED, TARGET, harm) for harm in (WAL, COPY))
    assert agreed(Sessions(*zip((8, 7), names, strict=True))) == ("role8", WAL)


def test_calling_session_speaks_only_for_its_own_call() -> None:
    calls = Sessions((7, session_name(CALLS, TARGET, COPY)))
    assert agreed(calls, caller=7) == ("role7", COPY)
    assert calls.read == [], "nobody waits for that"
    assert agreed(calls, caller=8) == (None, ANYTHING)
    assert agreed(calls) == (None, ANYTHING), "by hand"


def test_promise_11_agreement_about_another_directory_does_not_apply() -> None:
    sessions = Sessions((7, session_name(AGREED, OTHER, COPY)))
    strict = Policy(unattended=Unattended.NOTHING)
    assert agreed(sessions, policy=strict) == (None, None), "nor does anybody profit from it"
    assert sessions.read == []


def test_name_that_another_build_wrote() -> None:
    name = f"{session_name(AGREED, TARGET)} wal eaten"
    assert agreed(Sessions((7, name))) == (None, ANYTHING)


def test_session_that_asks_is_recognised_before_the_agreement() -> None:
    def why(*names: str) -> str | None:
        return why_unbound(cast("Connection", Sessions(*enumerate(names))), TARGET)

    assert why(session_name(ASKS, TARGET)) is None
    assert "no session of a role" in str(why(session_name(ASKS, OTHER)))
    assert why(session_name(AGREED, TARGET, WAL)) is not None
    assert why() is not None
