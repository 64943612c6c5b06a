"""Read passwords from the file .pcppass, as the pcp_* commands do."""

import os
import re
import stat
from typing import List, Optional, Sequence

from .digest import PasswordDigest
from .pcp_error import LOGIN_REFUSED, PcpError

PASS_FILE_VARIABLE = "PCPPASSFILE"
PASS_FILE_NAME = ".pcppass"
PASS_FILE_FIELDS = 4
ACCESSIBLE_BY_OTHERS = stat.S_IRWXG | stat.S_IRWXO
MAX_PASS_FILE_BYTES = 1 << 20


def pass_file_path() -> str:
    """Return the path of the pass file: $PCPPASSFILE, otherwise ~/.pcppass."""
    home = os.path.join(os.path.expanduser("~"), PASS_FILE_NAME)
    return os.environ.get(PASS_FILE_VARIABLE) or home


def password_from_file(path: str, hosts: Sequence[str], port: int, user: str) -> PasswordDigest:
    """Return the password in the first matching line of a pass file.

    Raises PcpError with the reason when the file does not exist, when others may read it, or when
    none of its lines match.
    """
    line = _line(hosts[0], str(port), user)
    text = _read(path, user, line)
    password = password_in_text(text, hosts, str(port), user)
    if password is None:
        raise _no_password(
            user,
            'No line of "%s" matches %s:%d:%s.' % (path, " or ".join(hosts), port, user),
            'Add the line %s to "%s".' % (line, path),
        )
    return PasswordDigest.of_password(password)


def password_in_text(text: str, hosts: Sequence[str], port: str, user: str) -> Optional[str]:
    r"""Return the password of the first line that matches; a field ``*`` matches everything.

    >>> password_in_text("*:9898:pcp:a\\:b", ["server1"], "9898", "pcp")
    'a:b'
    """
    wanted = (hosts, [port], [user])
    for line in text.split("\n"):
        fields = fields_of_line(line)
        if len(fields) == PASS_FILE_FIELDS and all(map(_fits, fields[:-1], wanted)):
            return _unescaped(fields[-1])
    return None


def fields_of_line(line: str) -> List[str]:
    r"""Return host, port, user and password as written; fewer if the line ends before.

    A backslash escapes the next character, and the password is the rest of the line.

    >>> fields_of_line("a\\:b:*:pcp:c:d")
    ['a\\:b', '*', 'pcp', 'c:d']
    """
    fields = [""]
    at = 0
    while at < len(line) and len(fields) < PASS_FILE_FIELDS:
        width = 2 if line[at] == "\\" else 1
        if line[at] == ":":
            fields.append("")
        else:
            fields[-1] += line[at : at + width]
        at += width
    return fields[:-1] + [fields[-1] + line[at:]]


def _unescaped(field: str) -> str:
    return re.sub(r"\\(.)", r"\1", field)


def _fits(field: str, words: Sequence[str]) -> bool:
    return field == "*" or _unescaped(field) in words


def _line(*fields: str) -> str:
    r"""Return the line that is missing, without the password.

    >>> _line("::1", "9898", "pcp")
    '\\:\\:1:9898:pcp:PASSWORD'
    """
    return ":".join([*(re.sub(r"([\\:])", r"\\\1", field) for field in fields), "PASSWORD"])


def _read(path: str, user: str, line: str) -> str:
    """Return the text of a pass file that no other user may read; `line` is the line it needs.

    The permissions are checked on the opened file: another file may be renamed to its path in the
    meantime.
    """
    try:
        with open(path, encoding="utf-8", errors="surrogateescape", opener=_open) as file:
            status = os.fstat(file.fileno())
            if not stat.S_ISREG(status.st_mode):
                raise _no_password(user, 'The pass file "%s" is not a regular file.' % path)
            if status.st_mode & ACCESSIBLE_BY_OTHERS:
                raise _no_password(
                    user,
                    'The pass file "%s" is ignored, because group or others have access to it.'
                    % path,
                    'Use "chmod 0600" on it.',
                )
            return file.read(MAX_PASS_FILE_BYTES)
    except OSError as error:
        raise _no_password(
            user,
            'Could not read the pass file "%s": %s.' % (path, error.strerror or error),
            'Make "%s" a file of mode 0600 that you can read, with the line %s.' % (path, line),
        ) from None


def _open(path: str, flags: int) -> int:
    """Open a file without waiting for the writer of a FIFO."""
    return os.open(path, flags | os.O_NONBLOCK)


def _no_password(user: str, detail: str, hint: Optional[str] = None) -> PcpError:
    message = 'no password for PCP user "%s"' % user
    return PcpError(message, detail=detail, hint=hint, sqlstate=LOGIN_REFUSED)
