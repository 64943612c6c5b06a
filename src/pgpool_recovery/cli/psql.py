"""A failure as psql shows an error."""

from pgpool_recovery.domain.error import RecoveryError


def as_psql(error: RecoveryError, *, with_target: bool = True) -> list[str]:
    """Return a failure in lines, with the state of the target where there is one."""
    parts = {
        "ERROR": error.message,
        "DETAIL": error.detail,
        "HINT": error.hint,
        "TARGET": str(error.target) if with_target else None,
    }
    return [line for name, text in parts.items() if text for line in f"{name}:  {text}".split("\n")]
