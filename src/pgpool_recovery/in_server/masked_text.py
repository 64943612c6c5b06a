"""Passwords in what a program writes or is called with: it goes to a log, and to whoever asked.

For the log of the library, and in the server for what scripts write: Python 3.6, and written into
the body of a function (extension/build.py). A script that runs with ``set -o xtrace`` shows each
command as it is, with the password in it.
"""

from typing import Dict, Iterable, Match, Pattern

MASK = b"********"

# What a text must have for one of the patterns below to be looked for at all, in lower case.
HINTS = (b"pass", b"secret", b"token", b"key", b"pw", b"://", b"curl", b"wget")
COLONS = 4  # Of a line of a password file.

# As sh -x, a connection string, a configuration file and SQL quote it: within other quotes, within
# its own, or not at all; then it goes on to the blank, but for a quote that ends the word. In a
# connection string a value without quotes may have any other character, such as ; and &.
# What can begin at each byte of a line, and may be looked for in vain, has a length: whoever writes
# the line chooses it, and while one is looked at no cancel is heard.
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
# What follows the name of a file, such as .pgpass, that cannot be read.
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
    r"""Return the bytes of a line without the passwords that can be told as such.

    >>> masked(b"+ PGPASSWORD='it'\\''s' psql 'host=a password=b c=d' postgres://u:p@h/d")
    b"+ PGPASSWORD=******** psql 'host=a password=******** c=d' postgres://u:********@h/d"
    """
    if not (may_have_password(line) or line.count(b":") >= COLONS):
        return line
    for pattern in _patterns():
        line = pattern.sub(_mask, line)
    return line


def may_have_password(text: bytes) -> bool:
    """Say whether a text, of many lines perhaps, has a word that goes before a password."""
    lower = text.lower()
    return any(hint in lower for hint in HINTS)


def _mask(match: Match[bytes]) -> bytes:
    return match.group("before") + MASK


def _patterns() -> Iterable[Pattern[bytes]]:
    import re  # Here, because it takes 5 ms of each new session.

    if not _compiled:
        for text in PATTERNS:
            _compiled[text] = re.compile(text, re.IGNORECASE | re.VERBOSE)
    return _compiled.values()
