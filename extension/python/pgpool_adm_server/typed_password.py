"""Hide the password in the statement of a failed call before it is written to the server log.

PostgreSQL logs a failed statement unchanged. For a call with a password, that is turned off, and we
log the statement ourselves. It is not left out entirely: otherwise any password in a statement
would be enough to hide whatever else the statement tries to do.
"""

import re
from typing import List, Match, Optional

from pgpool_recovery_server.session import Session

from server_types import Memory

from .moment import moment_of

KEPT = "pgpool_adm: what was typed in a call that has failed"
HIDDEN = "********"
MAX_STATEMENT_CHARACTERS = 100000
MAX_DOLLAR_QUOTES = 3
STATEMENT = """
select pg_catalog.current_query() as text,
       pg_catalog.current_setting('standard_conforming_strings') as conforming
"""

PLAIN = r"'(?:[^']|'')*'"
ESCAPED = r"'(?:[^'\\]|\\.|'')*'"
CONSTANT_OR_OTHER = r"""
      (?P<comment> --[^\r\n]* | /\* )
    | (?P<name> (?:\b[uU]&)? "(?:[^"]|"")*" )
    | (?P<escaped> (?<![\w$]) [eE] {escaped} (?: [ \t\f]*[\r\n]\s* {escaped} )* )
    | (?P<unicode> (?<![\w$]) [uU]& {plain} )
    | (?P<plain> {string} )
    | (?P<dollar> (?<![\w$]) (?P<tag> \$ (?:[^\W\d]\w*)? \$ ) (?P<body> .*? ) (?P=tag) )
    | (?P<open> ['"] | (?<![\w$]) \$ (?:[^\W\d]\w*)? \$ )
"""
COMMENT_EDGE = re.compile(r"/\*|\*/")


def remember_password(caller: Session, shared: Memory, password: str) -> None:
    """Keep the password of a call, which no SQL value passes on, until the call ends."""
    if password:
        shared[KEPT] = (moment_of(caller), password)


def forget_password(caller: Session, shared: Memory) -> Optional[str]:
    """Return the password with which a call in this very statement has failed, or None.

    It is no longer kept. A password that an earlier statement has left does not belong to this one.
    """
    moment, password = shared.pop(KEPT, (None, None))
    return password if password is not None and moment == moment_of(caller) else None


def statement_without(caller: Session, password: str) -> str:
    """Return the statement of this session with the password hidden.

    The constants that equal the password are hidden. If none does, the password is a parameter or
    was written in another form, and all constants are hidden.
    """
    found = caller.query("statement", STATEMENT)[0]
    text = (found["text"] or "")[:MAX_STATEMENT_CHARACTERS]
    is_conforming = found["conforming"] == "on"
    hiding = Hiding(password, is_conforming=is_conforming)
    shown = hiding.hide(text)
    return shown if hiding.has_found else Hiding(None, is_conforming=is_conforming).hide(text)


class Hiding:
    r"""Replaces string constants by asterisks: those that are a password, or all if it is None.

    >>> Hiding("secret").hide("select f('a', 'secret', $$ g('secret') $$, E'\\'')")
    "select f('a', '********', $$ g('********') $$, E'********')"
    >>> Hiding(None).hide("select \"it's\", f('a', $x$b$x$) -- it's")
    'select "it\'s", f(\'********\', $x$********$x$) -- it\'s'
    """

    def __init__(self, password: Optional[str], *, is_conforming: bool = True) -> None:
        """Prepare for one statement; `is_conforming` is standard_conforming_strings."""
        self.has_found = False
        self._password = password
        self._is_conforming = is_conforming
        self._depth = 0
        string = PLAIN if is_conforming else ESCAPED
        pattern = CONSTANT_OR_OTHER.format(plain=PLAIN, escaped=ESCAPED, string=string)
        self._pattern = re.compile(pattern, re.VERBOSE | re.DOTALL)

    def hide(self, text: str) -> str:
        """Return a statement, or a part of one, with the constants replaced."""
        pieces: List[str] = []
        at = 0
        while True:
            match = self._pattern.search(text, at)
            if match is None:
                return "".join(pieces) + text[at:]
            pieces.append(text[at : match.start()])
            if match.group("open"):  # It has no end: it was cut.
                return "".join(pieces) + HIDDEN
            at = match.end() if match.group() != "/*" else _end_of_comment(text, match.end())
            pieces.append(self._replaced(match, text[match.start() : at]))

    def _replaced(self, match: Match[str], found: str) -> str:
        if match.group("comment") or match.group("name"):
            return found
        if match.group("dollar"):
            tag = match.group("tag")
            return tag + self._body(match.group("body")) + tag
        prefix, _, rest = found.partition("'")
        is_literal = "\\" not in rest or (match.group("plain") and self._is_conforming)
        is_shown = (
            is_literal
            and not match.group("unicode")
            and not self._is_secret(rest[:-1].replace("''", "'"))
        )
        return found if is_shown else "%s'%s'" % (prefix, HIDDEN)

    def _body(self, body: str) -> str:
        """Return the inside of dollar quotes: a password, or code with constants of its own."""
        is_code = re.search(r"\s", body) and self._depth < MAX_DOLLAR_QUOTES
        if self._is_secret(body) and not (self._password is None and is_code):
            return HIDDEN
        if not is_code:
            return body if self._depth < MAX_DOLLAR_QUOTES else HIDDEN
        self._depth += 1
        hidden = self.hide(body)
        self._depth -= 1
        return hidden

    def _is_secret(self, content: str) -> bool:
        if self._password is None:
            return True
        self.has_found = self.has_found or content == self._password
        return content == self._password


def _end_of_comment(text: str, at: int) -> int:
    """Return where the comment that begins before `at` ends; PostgreSQL nests comments."""
    depth = 1
    for edge in COMMENT_EDGE.finditer(text, at):
        depth += 1 if edge.group() == "/*" else -1
        if depth == 0:
            return edge.end()
    return len(text)
