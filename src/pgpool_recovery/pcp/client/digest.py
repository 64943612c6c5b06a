"""Prove to Pgpool-II that the client knows a PCP user's password."""

import hashlib
import re

from .pcp_error import PcpError, wrong_parameter

SALT_BYTES = 4


class PasswordDigest:
    """The MD5 of a password, as in pcp.conf; it is sufficient to log in, so it is never shown.

    The password itself is not kept.

    >>> PasswordDigest.of_password("secret") == PasswordDigest("5ebe2294ecd0e0f08eab7690d2a6ee69")
    True
    >>> PasswordDigest.of_password("secret")
    PasswordDigest(...)
    """

    __slots__ = ("_md5",)

    def __init__(self, md5: str) -> None:
        """Take the 32 hexadecimal digits of pcp.conf, the output of ``pg_md5``."""
        if not re.match(r"[0-9a-f]{32}\Z", md5):
            raise wrong_parameter(
                "the MD5 of a PCP password is not valid",
                detail="It must consist of 32 digits, 0 to 9 and a to f, as printed by pg_md5.",
            )
        self._md5 = md5

    @classmethod
    def of_password(cls, password: str) -> "PasswordDigest":
        """Return the digest of a clear text password."""
        return cls(_md5(password.encode("utf-8", "surrogateescape")))

    def proof(self, user: str, salt: bytes) -> str:
        """Return what the server expects for its salt of four bytes."""
        inner = _md5((self._md5 + user).encode("utf-8", "surrogateescape"))
        return _md5(inner.encode("ascii") + salt)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, PasswordDigest) and other._md5 == self._md5

    def __hash__(self) -> int:
        return hash(self._md5)

    def __repr__(self) -> str:
        return "PasswordDigest(...)"


def _md5(data: bytes) -> str:
    """Return the MD5 as hexadecimal digits.

    Where only FIPS algorithms are allowed, Python 3.9, and 3.6 on Enterprise Linux, must be told
    that MD5 is not used for security. Other releases do not have that argument.
    """
    allowed = {"usedforsecurity": False}
    try:
        return hashlib.md5(data, **allowed).hexdigest()
    except TypeError:
        return hashlib.md5(data).hexdigest()  # PCP offers nothing better.
    except ValueError:
        raise PcpError(
            "this system does not allow MD5",
            detail="PCP has no other authentication method.",
            hint="Run this on a host that is not restricted to FIPS algorithms.",
        ) from None
