"""The restore_command of a server whose WAL is fetched ahead, and what it was before.

The line is written so that nothing depends on us. It takes a file that waits, and waits for one
that is being fetched, but only as long as our process lives. For everything else, it runs the
server's own command, whose exit status is its own. So a server keeps working with it forever, even
if nobody is left to put its own command back. That command is in the line itself, because a comment
in postgresql.auto.conf does not outlive ALTER SYSTEM.
"""

import re
import shlex
from collections.abc import Iterable

from pgpool_recovery.domain.record import record

SPOOL = "pg_wal/pgpool_recovery.ahead"
"""Where the files wait, in the data directory: on the filesystem to which they are moved."""
PART = ".part"
"""The suffix of the directory that is there while a file is being fetched."""
DECLINED = "declined"
"""How the names begin of what is there for a file that was left out."""
ASKED = "asked"
"""The name of the directory that is there once the server has waited for a file."""
TICK_S = 0.02
MARKS = (
    ": pgpool_recovery fetches ahead",
    ": pgpool_recovery fetches ahead instead of what was here",
)
"""How a line begins, by whether postgresql.auto.conf had another one before."""
UNFIT = re.compile(r"[\n\r\0]")
"""What a line of a configuration file cannot contain."""


@record
class OwnCommand:
    """A server's own restore_command, and whether postgresql.auto.conf sets it."""

    text: str
    is_in_auto: bool


def line_of(own: OwnCommand, left_out: Iterable[str], pid: int, wait_s: float) -> str:
    """Return the restore_command of a server whose WAL is fetched ahead by a process.

    `left_out` are the ends of names of files that the server gets elsewhere faster: from its own
    pg_wal, or by streaming. For each name the line fails twice, since a server asks twice before it
    streams: when it reads ahead (recovery_prefetch), and when it replays. If it does not find the
    file elsewhere, it asks again, and its own command is run for that, too. `wait_s` limits the
    wait for a file that is being fetched. Once the server has waited for one,
    `ASKED` is there.
    """
    taken = (
        f"test -d {SPOOL}/%f{PART} && mkdir {SPOOL}/{ASKED} 2>/dev/null; "
        f"n=0; while test -d {SPOOL}/%f{PART} && ! test -f {SPOOL}/%f && "
        f"test $n -lt {round(wait_s / TICK_S)} && "
        f"kill -0 {pid}; do n=$((n+1)); sleep {TICK_S}; done 2>/dev/null; "
        f"mv -f {SPOOL}/%f %p 2>/dev/null"
    )
    once, again = (f"mkdir {SPOOL}/{DECLINED}.{number}.%f" for number in (1, 2))
    declined = f"{{ {once} || {again}; }} 2>/dev/null && exit 1"
    which = "|".join(f"*{end}" for end in left_out)
    mark = MARKS[own.is_in_auto]
    return (
        f"{mark}; case %f in {which}) {declined};; esac; ({taken}) || eval {shlex.quote(own.text)}"
    )


def own_command_in(line: str) -> OwnCommand | None:
    """Return the server's own command in such a line; None if the line is not one of ours."""
    mark, _, rest = line.partition("; ")
    _, is_ours, quoted = rest.partition(") || eval ")
    if mark not in MARKS or not is_ours:
        return None
    try:
        (text,) = shlex.split(quoted)
    except ValueError:
        return None
    return OwnCommand(text, is_in_auto=mark == MARKS[True])
