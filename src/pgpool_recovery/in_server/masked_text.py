"""Mask passwords in the output and arguments of programs before they are logged or shown.

The library masks its log, and the function in the server masks the output of scripts; for that this
file is Python 3.6 and is written into the function's body (extension/build.py). A script that runs
with ``set -o xtrace`` prints each command as it is, including any password.
"""

from typing import Dict, Iterable, Match, Pattern

MASK = b"********"

# A text without any of these, in lower case, is not searched for the patterns below.
HINTS = (b"pass", b"secret", b"token", b"key", b"pw", b"://", b"curl", b"wget")
COLONS = 4  # In a line of a password file.

# A value as quoted by sh -x, a connection string, a configuration file or SQL: within other quotes,
# within its own, or unquoted. An unquoted value extends to the next blank, without a quote that
# ends the word; in a connection string it may contain any other character, such as ; and &.
# What can start at any byte of a line, and then fail to match, has a limited length: others choose
# the line, and no cancel is handled while it is searched.
VALUE = rb"""(?:'\\''.*?(?:'\\''|$)
    |''(?:\\''[^']*'?)+
    |''[^'\s][^']*''
    |(?:\$|[EeUu]&?)?'(?:'\\''|[^'\\]|\\.|'')*'?
    |\\"(?:[^"\\]|\\[^"])*(?:\\"|$)
    |"(?:[^"\\]|\\.)*(?:"|$)
    |[^\s'"]\S*?(?=['"\\]{0,8}(?:\s|$)))"""
FIELD = rb"""(?:\\.|[^\s:'"\\]){1,255}"""
NAME = (
    rb"(?:pass(?:word|wd|phrase)?|(?<![a-z])pw|pgpass|(?:secret|token)(?:[_-]?(?:access[_-]?)?key)?"
    rb"|(?:storage|account|azure)[_-]?(?:access[_-]?)?key)[0-9]*"
)
# What follows the name of a file, such as .pgpass, in the message that it cannot be read.
REASON = rb"(?:No\ such\ file\ or\ directory|Permission\ denied|(?:Is|Not)\ a\ directory)(?!\w)"
PATTERNS = (
    # NAME=value, name = value, name: value, "name": value.
    rb"(?P<before>"
    + NAME
    + rb"""\\?['"]?(?:=|\s+=\s*|\s*:\s+(?!"""
    + REASON
    + rb""")|\s*:(?=['"])))"""
    + VALUE,
    # --password value, --secret-key value, sshpass -p value, openssl -pass pass:value.
    rb"(?P<before>(?:--(?:[a-z0-9]+-)*" + NAME + rb"|\bsshpass\s+-p)\s+)" + VALUE,
    rb"(?P<before>\s-pass(?:in|out)?\s+)(?=['\"\\]{0,8}pass:)" + VALUE,
    rb"(?P<before>\bsshpass\s+-p)[^\s=]\S*",
    rb"(?P<before>\b(?:curl|wget)\s(?:.{0,1000}?\s)?(?:-u|--user)[\s=]{0,9}[^\s:]{1,255}:)[^\s'\"]+",
    # ALTER ROLE ... PASSWORD 'value'.
    rb"(?P<before>\bpassword\s+)(?:[EeUu]&?)?'(?:'\\''|[^'\\]|\\.|'')*'?",
    # scheme://user:value@host.
    rb"(?P<before>\b[a-z][a-z0-9+.-]{0,30}://[^\s/:@]{0,255}:)[^\s@]{1,4096}(?=@)",
    # A line of a password file: host:port:database:user:value.
    rb"""(?P<before>(?<![^\s'"=(>])"""
    + FIELD
    + rb":(?:[0-9]{1,5}|\*):"
    + FIELD
    + rb":"
    + FIELD
    + rb""":)(?:\\.|[^\s'"\\])+""",
)

_compiled: Dict[bytes, Pattern[bytes]] = {}


def masked(line: bytes) -> bytes:
    r"""Return the bytes of a line with all recognisable passwords masked.

    >>> masked(b"+ PGPASSWORD='it'\\''s' psql 'host=a password=b c=d' postgres://u:p@h/d")
    b"+ PGPASSWORD=******** psql 'host=a password=******** c=d' postgres://u:********@h/d"
    """
    if not (may_have_password(line) or line.count(b":") >= COLONS):
        return line
    for pattern in _patterns():
        line = pattern.sub(_mask, line)
    return line


def may_have_password(text: bytes) -> bool:
    """Return whether a text of one or more lines has a word that can precede a password."""
    lower = text.lower()
    return any(hint in lower for hint in HINTS)


def _mask(match: Match[bytes]) -> bytes:
    return match.group("before") + MASK


def _patterns() -> Iterable[Pattern[bytes]]:
    import re  # Imported here, since it would take 5 ms in each new session.

    if not _compiled:
        for text in PATTERNS:
            _compiled[text] = re.compile(text, re.IGNORECASE | re.VERBOSE)
    return _compiled.values()
