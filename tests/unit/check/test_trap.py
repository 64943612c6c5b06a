"""Each of Pgpool-II's traps is found where it is, and nowhere else."""

from dataclasses import replace

import pytest

from pgpool_recovery.check.finding import Finding, Kind
from pgpool_recovery.check.trap import KINDS, SeenNode, SeenPool, Written, traps

PRIMARY = SeenNode(0, "server0:5432", is_primary=True)
STANDBY = SeenNode(
    1, "server1:5432", is_primary=False, sender="server0:5432", application_name="server1"
)
HEALTHY = SeenPool(
    (PRIMARY, STANDBY),
    {"backend_application_name1": "server1", "auto_failback": "1", "detach_false_primary": "on"},
    version=(4, 6, 8),
    major=19,
)


def with_parameters(**parameters: str) -> SeenPool:
    return replace(HEALTHY, parameters={**HEALTHY.parameters, **parameters})


def with_standby(**changes: object) -> SeenPool:
    return replace(HEALTHY, nodes=(PRIMARY, replace(STANDBY, **changes)))  # type: ignore[arg-type]


CASES: dict[Kind, tuple[SeenPool, int | None, str]] = {
    Kind.TWO_PRIMARIES: (
        with_standby(is_primary=True, application_name=None),
        None,
        (
            "node 0 and node 1 accept writes; Pgpool-II takes node 1, which has the highest id, "
            "for the primary"
        ),
    ),
    Kind.NOT_IN_FORCE: (
        replace(HEALTHY, written=(Written(1, "/etc/pgpool.conf sets x", "Restart Pgpool-II."),)),
        1,
        "/etc/pgpool.conf sets x",
    ),
    Kind.APPLICATION_NAME: (
        with_parameters(backend_application_name1=""),
        1,
        (
            "node 1 streams as 'server1', but backend_application_name1 is '': auto_failback "
            "never attaches it"
        ),
    ),
    Kind.FALSE_PRIMARY: (
        with_standby(sender="10.0.0.1:5432"),
        1,
        (
            "node 1 names its primary 10.0.0.1:5432, which is server0:5432 in pgpool.conf, so "
            "detach_false_primary detaches no node"
        ),
    ),
    Kind.WARNING_AT_LOGIN: (
        replace(HEALTHY, version=(4, 6, 1)),
        None,
        (
            "where PostgreSQL 19 warns at login, about an MD5 password or one that expires "
            "within days, Pgpool-II 4.6.1 rejects the login"
        ),
    ),
}


def found(seen: SeenPool, kind: Kind) -> list[Finding]:
    return [one for one in traps(seen) if one.kind is kind]


def test_healthy_cluster_has_none() -> None:
    assert list(traps(HEALTHY)) == []
    assert list(traps(SeenPool(()))) == []


def test_every_trap_has_its_case() -> None:
    assert set(CASES) == set(KINDS)


@pytest.mark.parametrize("kind", CASES, ids=lambda kind: kind.title)
def test_trap_is_found(kind: Kind) -> None:
    seen, node_id, fact = CASES[kind]
    [one] = found(seen, kind)
    assert (one.node_id, one.fact) == (node_id, fact)
    assert one.advice


def test_second_primary_that_is_detached_is_not_taken_yet() -> None:
    [one] = found(with_standby(is_primary=True, is_attached=False), Kind.TWO_PRIMARIES)
    assert "Pgpool-II takes node 0, which" in one.fact
    nodes = tuple(replace(node, is_primary=True, is_attached=False) for node in HEALTHY.nodes)
    [one] = found(replace(HEALTHY, nodes=nodes), Kind.TWO_PRIMARIES)
    assert "Pgpool-II would, if they were attached, take node 1" in one.fact


@pytest.mark.parametrize(
    ("name", "auto_failback", "effect"),
    [
        ("other", "0", "Pgpool-II never sees it stream"),
        ("other", "1", "auto_failback never attaches it"),
        ("", "off", None),
        ("server1", "on", None),
    ],
)
def test_application_name(name: str, auto_failback: str, effect: str | None) -> None:
    """None is the default, and does no harm without auto_failback."""
    seen = with_parameters(backend_application_name1=name, auto_failback=auto_failback)
    facts = [one.fact for one in found(seen, Kind.APPLICATION_NAME)]
    assert len(facts) == (effect is not None)
    assert all(one.endswith(str(effect)) for one in facts)
    asleep = replace(STANDBY, application_name=None)
    assert found(replace(seen, nodes=(PRIMARY, asleep)), Kind.APPLICATION_NAME) == []


def test_spelling_matters_only_where_it_is_compared() -> None:
    other = replace(STANDBY, sender="10.0.0.1:5432")
    off = replace(with_parameters(detach_false_primary="0"), nodes=(PRIMARY, other))
    assert found(off, Kind.FALSE_PRIMARY) == []


@pytest.mark.parametrize(
    ("version", "major", "advice"),
    [
        ((4, 2, 30), 19, "4.7.3 or later"),
        ((4, 3, 20), 19, "4.3.21 or later"),
        ((4, 3, 21), 19, None),
        ((4, 4, 17), 19, "4.4.18 or later"),
        ((4, 5, 13), 19, None),
        ((4, 6), 19, "4.6.8 or later"),
        ((4, 7, 2), 20, "4.7.3 or later"),
        ((4, 7, 3), 19, None),
        ((4, 8), 19, None),
        ((4, 6, 1), 18, None),
        (None, 19, None),
        ((4, 6, 1), None, None),
    ],
)
def test_releases_that_take_warnings(
    version: tuple[int, ...] | None, major: int | None, advice: str | None
) -> None:
    seen = replace(HEALTHY, version=version, major=major)
    advices = [str(one.advice) for one in found(seen, Kind.WARNING_AT_LOGIN)]
    assert len(advices) == (advice is not None)
    assert all(str(advice) in one for one in advices)


def test_release_of_which_only_the_line_is_known() -> None:
    [one] = found(replace(HEALTHY, version=(4, 6)), Kind.WARNING_AT_LOGIN)
    assert "Pgpool-II 4.6, before 4.6.8, rejects the login" in one.fact
