r"""Select what a server's log says about its start and replication, but nothing of users' sessions.

The end of a standby's log is shown to everyone who may read the history of recoveries, and is
written to Pgpool-II's log. A server that accepts connections also logs failed statements of its
users, with the data in them. So a text entry is kept only if it begins like one of PostgreSQL's
messages about itself (startup.c, xlogrecovery.c, walreceiver.c, postmaster.c). Only untranslated
messages are recognised; of a log in another language nothing is kept, and it must be read on its
host. csvlog and jsonlog name the process that wrote an entry, so their language does not matter.

An entry is a line with a severity and two blanks (elog.c), and the following lines with a tab:

    2026-11-27 13:00:00 UTC [42] FATAL:  could not start WAL streaming: ERROR:  replication slot …
"""

import re
from collections.abc import Iterator, Sequence

from pgpool_recovery.host.log_entry import LogEntry

OWN = ("LOG", "WARNING", "FATAL", "PANIC")
"""The severities of the server itself; an ERROR comes from a session."""
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
"""A message with the value of a parameter, which may contain a password
(ProcessConfigFileInternal, guc-file.l)."""
QUOTE, NO_QUOTE = '["«»„“”]', '[^"«»„“”]'
NAME = rf"{NO_QUOTE}*{QUOTE}[\w.$]*{QUOTE}"
OF_A_FILE = re.compile(
    rf"((?:{NAME})?{NO_QUOTE}*{QUOTE}\s*/{NO_QUOTE}*{QUOTE}[^\d\"«»„“”]*\d+){NO_QUOTE}*{QUOTE}.*"
)
"""A file name and a line number, in any language, and then a part of that line (guc-file.l)."""
OF_A_VALUE = re.compile(rf"({NO_QUOTE}*{QUOTE}{NO_QUOTE}*{QUOTE}{NO_QUOTE}*){QUOTE}.*")
"""The name of a parameter or a file, and then a value."""
OF_A_SESSION = re.compile(r"Failed process was running|parameters:")
CONNINFO = "primary_conninfo"


def about_itself(text: str) -> str:
    """Return the entries that a server wrote about itself, without users' statements and data.

    The values of changed parameters are left out, too.
    """
    return "\n".join(_kept(text))


def _kept(text: str) -> Iterator[str]:
    is_kept = was_kept = False
    for line in text.split("\n"):
        entry = ENTRY.search(line)
        if line.startswith("\t") or entry is None:
            # A line with a tab continues the entry before it. Other text outside an entry is
            # dropped.
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
    """Return the lines of the entries that a server wrote about itself, without users' data.

    The values of parameters are left out of the postmaster's entries only: it reads the files.
    """
    found: list[str] = []
    for entry in entries:
        if entry.is_own and not entry.is_debugging:
            died = any(OF_A_SESSION.search(line) for line in entry.lines)
            lines = entry.lines[:1] if died else entry.lines
            found += map(_without_quoted, lines) if entry.is_of_main else lines
    return found


def without_contents(said: str) -> str:
    r"""Return a server's messages about its configuration without quotations from the files.

    A configuration file may include any file that the server's user can read, such as a password
    file. The parser quotes the word that it does not understand, and there that is the whole line.

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
    """Return a line of a log without the text that it quotes from a configuration file."""
    return OF_A_FILE.sub(r"\1 …", line)


def _without_quoted(line: str) -> str:
    shortened = without_token(line)
    return shortened if shortened != line else OF_A_VALUE.sub(r"\1…", line)


def without_secrets(line: str) -> str:
    """Return a line of a server's messages without quotations that may be secret."""
    return without_token(without_conninfo(line))


def without_conninfo(line: str) -> str:
    """Return a line of a server's log without the connection string in it.

    After a reload a server logs the new values of changed parameters, including passwords
    (ProcessConfigFileInternal in guc.c), in the language of its messages. Others will read the log.

    >>> without_conninfo('LOG:  parameter "primary_conninfo" changed to "user=a password=b"')
    'LOG:  parameter "primary_conninfo" …'
    >>> without_conninfo("LOG:  started streaming WAL from primary")
    'LOG:  started streaming WAL from primary'
    """
    before, name, _ = line.partition(CONNINFO)
    return f'{before}{name}" …' if name else line
