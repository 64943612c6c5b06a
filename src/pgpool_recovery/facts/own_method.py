"""A method of the user's own: a command of the settings that makes the data directory."""

from pgpool_recovery.domain.record import record


@record
class OwnMethod:
    """A command of the settings, as the target sees it.

    `command` has placeholders (domain/placeholder.py). `keep_data`: it works on what the node has,
    instead of an empty directory. `in_backup`: it copies from the primary, which is in backup mode
    meanwhile, and we write backup_label. `timeout_s` and `stall_s` limit how long it may run, and
    how long it may print nothing; None: any time. `problem` is why the target cannot run it.
    """

    name: str
    command: tuple[str, ...]
    keep_data: bool = False
    in_backup: bool = False
    timeout_s: float | None = None
    stall_s: float | None = None
    problem: str | None = None
