"""What the settings allow a plan to do."""

from dataclasses import dataclass
from enum import StrEnum


class KeepOld(StrEnum):
    """Whether a full copy leaves the old data alone until the new one runs."""

    ALWAYS = "always"
    WHEN_SPACE_ALLOWS = "when-space-allows"
    NEVER = "never"


@dataclass(frozen=True)
class Policy:
    """The decisions that are the operator's."""

    keep_old: KeepOld = KeepOld.WHEN_SPACE_ALLOWS
    max_rate: str | None = None
