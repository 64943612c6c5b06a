r"""What of a server's log is about its start and its replication, and of no session of a user.

The end of a standby's log is told to whoever may read the record of recoveries, and stands in
Pgpool-II's log. A server that accepts connections writes there for its users as well: statements
that fail, with the data in them. So an entry is kept when its text begins as PostgreSQL begins what
it says of itself (startup.c, xlogrecovery.c, walreceiver.c, postmaster.c), in the language in which
the programmers wrote it; in another language nothing is, and the log has to be read on its host.
In csvlog and jsonlog stands which process has written an entry, whatever its language.

An entry is a line with a severity and two blanks (elog.c), and the lines that follow with a tab:

    2026-11-27 13:00:00 UTC [42] FATAL:  could not start WAL streaming: ERROR:  replication slot …
"""

import re
from collections.abc import Iterator, Sequence

from pgpool_recovery.host.log_entry import LogEntry

OWN = ("LOG", "WARNING", "FATAL", "PANIC")
"""Of an ERROR it is a session that tells."""
MORE = ("DETAIL", "HINT", "CONTEXT")
SESSION = ("STATEMENT", "QUERY")
OTHERS = ("ERROR", "NOTICE", "INFO", "LOCATION", "BACKTRACE", *(f"DEBUG{n}" for n in range(1, 6)))
ENTRY = re.compile(rf"(?<![A-Za-z])({'|'.join((*OWN, *MORE, *SESSION, *OTHERS))}):  (.*)")

BEGINS = re.compile(
    r"""
      starting\ | listening\ on\ | database\ system\ | entering\ standby\ mode
    | redo\ | consistent\ recovery\ state | completed\ backup\ recovery | restored\ log\ file
    | invalid\ (?:record|checkpoint|primary\ checkpoint|magic|resource|info|contrecord|backup)
    | incorrect\ (?:resource|prev-link) | unexpected\ (?:pageaddr|timeline) | record\ with\ | WAL\
    | (?:there\ is\ no\ )?contrecord | out-of-sequence | contrecord
    | waiting\ for\ WAL | started\ streaming\ WAL | restarted\ WAL\ streaming | fetching\ timeline
    | replication\ (?:slot|terminated) | primary\ server | requested\ | end\ of\ WAL | new\ timeline
    | selected\ new\ timeline | highest\ timeline | recovery\ (?:target|stopping|is|has|restart)
    | hot\ standby | archive\ recovery | timeline\ | latest\ completed | last\ completed
    | could\ not\ (?:connect\ to\ the\ primary|start\ WAL|receive\ data\ from\ WAL|receive\ timeline
        |receive\ database\ system|send\ data\ to\ WAL|send\ end-of-streaming|identify\ the\ system
        |parse|locate|find\ redo|restore\ file|bind|create\ any|create\ listen|access\ file|fsync
        |write\ (?:to\ file|lock)|open\ (?:file|directory)|read\ (?:from\ )?(?:file|WAL)|load)
    | terminating\ walreceiver | walreceiver\ | startup\ process | aborting\ startup
    | (?:server|background\ worker|checkpointer|WAL\ receiver)\ process | all\ server\ processes
    | received\ (?:SIGHUP|fast|smart|immediate|promote) | shutting\ down | restartpoint
    | configuration\ file | parameter\ " | unrecognized\ configuration | invalid\ value\ for
    | requesting\ fast\ promotion | system\ identifier
    """,
    re.VERBOSE,
)
CHANGED = re.compile(r'(parameter "[^"]*") (?:changed|removed|cannot be changed).*')
"""With its value, which may have a password in it (ProcessConfigFileInternal, guc-file.l)."""
QUOTE, NO_QUOTE = '["«»„“”]', '[^"«»„“”]'
NAME = rf"{NO_QUOTE}*{QUOTE}[\w.$]*{QUOTE}"
OF_A_FILE = re.compile(
    rf"((?:{NAME})?{NO_QUOTE}*{QUOTE}\s*/{NO_QUOTE}*{QUOTE}[^\d\"«»„“”]*\d+){NO_QUOTE}*{QUOTE}.*"
)
"""A file and the number of its line, in any language, then what stands there (guc-file.l)."""
OF_A_VALUE = re.compile(rf"({NO_QUOTE}*{QUOTE}{NO_QUOTE}*{QUOTE}{NO_QUOTE}*){QUOTE}.*")
"""The name of a parameter or of a file, then a value."""
OF_A_SESSION = re.compile(r"Failed process was running|parameters:")
CONNINFO = "primary_conninfo"


def about_itself(text: str) -> str:
    """Return the entries that a server wrote about itself, without a session's statement or data.

    The values of parameters that have changed are left out as well.
    """
    return "\n".join(_kept(text))


def _kept(text: str) -> Iterator[str]:
    is_kept = was_kept = False
    for line in text.split("\n"):
        entry = ENTRY.search(line)
        if line.startswith("\t") or entry is None:
            # More of the line before. What begins elsewhere than an entry is nobody's.
            is_kept = is_kept and line.startswith("\t")
        elif entry[1] in MORE:
            is_kept = was_kept and OF_A_SESSION.match(entry[2]) is None
        else:
            is_kept = was_kept = entry[1] in OWN and BEGINS.match(entry[2]) is not None
        if is_kept:
            yield _without_value(line, entry)


def _without_value(line: str, entry: re.Match[str] | None) -> str:
    changed = None if entry is None else CHANGED.match(entry[2])
    if entry is None or changed is None:
        return line
    return f"{line[: entry.start(2)]}{changed[1]} was changed"


def own_lines(entries: Sequence[LogEntry]) -> list[str]:
    """Return the lines of entries that a server wrote about itself, likewise.

    Where the format names the process only its main process tells of values: it reads the files.
    """
    found: list[str] = []
    for entry in entries:
        if entry.is_own and not entry.is_debugging:
            died = any(OF_A_SESSION.search(line) for line in entry.lines)
            lines = entry.lines[:1] if died else entry.lines
            found += map(_without_quoted, lines) if entry.is_of_main else lines
    return found


def without_contents(said: str) -> str:
    r"""Return what a server says of its configuration without what it quotes of a file.

    A file may include any other one that the server's user can read, such as a password file, of
    which the parser shows the word that it does not understand: it is the whole line.

    >>> without_contents('LOG:  syntax error in file "/d/postgresql.conf" line 3, near token "x:y"')
    'LOG:  syntax error in file "/d/postgresql.conf" line 3 …'
    >>> without_contents('LOG:  invalid value for parameter "port": "secret"')
    'LOG:  invalid value for parameter "port": …'
    >>> without_contents('FATAL:  configuration file "/d/postgresql.conf" contains errors')
    'FATAL:  configuration file "/d/postgresql.conf" contains errors'
    >>> without_contents("Syntaxfehler in Datei »/d/postgresql.conf«, Zeile 3, bei »x:y«")
    'Syntaxfehler in Datei »/d/postgresql.conf«, Zeile 3 …'
    """
    lines = (line for line in said.split("\n") if not line.startswith("\t"))
    return "\n".join(map(_without_quoted, lines))


def without_token(line: str) -> str:
    """Return a line of a log without what it quotes of a line of a configuration file."""
    return OF_A_FILE.sub(r"\1 …", line)


def _without_quoted(line: str) -> str:
    shortened = without_token(line)
    return shortened if shortened != line else OF_A_VALUE.sub(r"\1…", line)


def without_secrets(line: str) -> str:
    """Return a line of a server's words without those of its files that are nobody's business."""
    return without_token(without_conninfo(line))


def without_conninfo(line: str) -> str:
    """Return a line of a server's log without the connection string that it shows.

    A server that reloads logs the new value of what was changed, passwords included
    (ProcessConfigFileInternal in guc.c), in the language of its messages; the log goes to others.

    >>> without_conninfo('LOG:  parameter "primary_conninfo" changed to "user=a password=b"')
    'LOG:  parameter "primary_conninfo" …'
    >>> without_conninfo("LOG:  started streaming WAL from primary")
    'LOG:  started streaming WAL from primary'
    """
    before, name, _ = line.partition(CONNINFO)
    return f'{before}{name}" …' if name else line
