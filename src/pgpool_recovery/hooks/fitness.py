"""Decide whether a standby can be promoted, and a live primary be stopped for it. Pure."""

from collections.abc import Iterator, Mapping

from pgpool_recovery.domain.control_file import STANDBY_PARAMETERS
from pgpool_recovery.domain.standby import ENOUGH_SHUTDOWN_MS, SHUTDOWN_TIMEOUT
from pgpool_recovery.hooks.scene import Standing

RECOVERY_TARGETS = (
    "recovery_target",
    "recovery_target_lsn",
    "recovery_target_name",
    "recovery_target_time",
    "recovery_target_xid",
)
SETTINGS = (
    *STANDBY_PARAMETERS,
    *RECOVERY_TARGETS,
    SHUTDOWN_TIMEOUT,
    "wal_block_size",
    "wal_segment_size",
    "recovery_min_apply_delay",
)
"""The settings that are queried from a server."""


def why_unfit(standby: Standing) -> str | None:
    """Return why a standby would not become a primary with everything that it has received."""
    return next(_own_reasons(standby), None)


def _own_reasons(standby: Standing) -> Iterator[str]:
    if not standby.may_promote:
        yield "its login may not call pg_promote()"
    for name in RECOVERY_TARGETS:
        if standby.settings.get(name):
            yield (
                f"it does not replay beyond its recovery target, {name} = "
                f"'{standby.settings[name]}'"
            )
    yield from _too_low(standby, standby.required or {})


def _too_low(standby: Standing, required: Mapping[str, int]) -> Iterator[str]:
    for name in STANDBY_PARAMETERS:
        own, least = standby.number(name), required.get(name)
        if own is not None and least is not None and own < least:
            yield (
                f"its server would shut down: {name} is {own} there, but must be at least {least}, "
                "as on the primary"
            )


def is_doubtful(standby: Standing) -> bool:
    """Return whether replay is paused, and it is not known if too low a setting is the reason."""
    return standby.is_paused and standby.required is None


def why_no_successor(standby: Standing, primary: Standing) -> str | None:
    """Return why a live primary is not stopped for a standby that could be promoted."""
    return next(_reasons_beside(standby, primary), None)


def _reasons_beside(standby: Standing, primary: Standing) -> Iterator[str]:
    if standby.system_identifier != primary.system_identifier:
        yield "it belongs to another cluster"
    if standby.timeline != primary.timeline:
        yield f"it is on timeline {standby.timeline}, the primary on timeline {primary.timeline}"
    if not standby.is_streaming:
        yield "it does not stream"
    values = {name: primary.number(name) for name in STANDBY_PARAMETERS}
    yield from _too_low(standby, {name: n for name, n in values.items() if n is not None})


def why_not_stopped(primary: Standing) -> str | None:
    """Return why this primary would not wait on shutdown until its standbys have everything."""
    patience_ms = primary.number(SHUTDOWN_TIMEOUT)  # PostgreSQL 19; -1 waits for all.
    if patience_ms is not None and 0 <= patience_ms < ENOUGH_SHUTDOWN_MS:
        return (
            f"{SHUTDOWN_TIMEOUT} is {patience_ms} ms there, so a shutdown would not wait until a "
            "standby has everything."
        )
    return None
