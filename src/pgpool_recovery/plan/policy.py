"""What the settings allow a plan to do."""

from dataclasses import dataclass
from enum import StrEnum
from typing import NewType

Rate = NewType("Rate", str)
"""A limit as pg_basebackup takes it: kilobytes a second, or with a suffix k or M."""


class KeepOld(StrEnum):
    """Whether a full copy leaves the old data alone until the new one runs."""

    ALWAYS = "always"
    WHEN_SPACE_ALLOWS = "when-space-allows"
    NEVER = "never"


@dataclass(frozen=True)
class Policy:
    """The decisions that are the operator's."""

    keep_old: KeepOld = KeepOld.WHEN_SPACE_ALLOWS
    max_rate: Rate | None = None
