"""The secrets in the node's own primary_conninfo: used on this host, and never sent elsewhere."""

import os
import pwd
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from pgpool_recovery.domain.error import Refused
from pgpool_recovery.facts.facts import Conninfo
from pgpool_recovery.files.text import read_lines
from pgpool_recovery.files.write import write_file
from pgpool_recovery.plan.inherited import OF_ROLE, SECRETS
from pgpool_recovery.postgres.conninfo import libpq_version
from pgpool_recovery.postgres.own_peer import own_peer

NO_CLEAR_TEXT = "!password"
REQUIRE_AUTH_SINCE = 160000
SERVICE = "pgpool_recovery"
BLANKS = " \t\v\f\r"
"""White space for libpq (isspace(3) in the C locale); Python takes more characters for it."""
ENDS_A_VALUE = ("\n", "\r", "\0")


class OwnLogin:
    """The connection string with which the node itself followed its primary, including secrets.

    The agent learns it when it examines the data directory, and keeps it: during a recovery the
    files that contain it are moved aside and replaced.
    """

    def __init__(self, conninfo: Mapping[str, str] | None = None) -> None:
        self.conninfo: Mapping[str, str] = {} if conninfo is None else conninfo

    def secrets(self, conninfo: Conninfo) -> dict[str, str]:
        """Return the secrets that belong to a connection string to another node of the cluster.

        A password belongs to its role, whichever node is the primary, and the runner names only
        nodes (plan/named_host.py). The passphrase of a key belongs to that key.
        """
        own, found = self.conninfo, set[str]()
        if own.get("user", own_name()) == conninfo.get("user"):
            found |= set(OF_ROLE)
        if own.get("sslkey") == conninfo.get("sslkey"):
            found.add("sslpassword")
        return {word: own[word] for word in SECRETS if word in found and own.get(word)}

    def whole(self, conninfo: Conninfo) -> Conninfo:
        """Return a connection string for libpq in this process, with its secrets.

        If this host's libpq supports it, no password is sent in clear text. None is sent to a Unix
        socket on which another user listens.
        """
        return {**least(conninfo), **_peer(conninfo), **conninfo, **self.secrets(conninfo)}

    @contextmanager
    def for_program(self, conninfo: Conninfo) -> Iterator[tuple[Conninfo, dict[str, str]]]:
        """Yield a connection string without secrets, and the environment that supplies them.

        The arguments of a program can be read by every user on the host. libpq has an environment
        variable for the password; other secrets are in a service file for as long as the context
        lasts. A libpq older than 16 ignores PGREQUIREAUTH.

        Raises Refused when a service file cannot hold a secret.
        """
        require = {} if "require_auth" in conninfo else {"PGREQUIREAUTH": NO_CLEAR_TEXT}
        require |= {f"PG{word.upper()}": name for word, name in _peer(conninfo).items()}
        secrets = self.secrets(conninfo)
        if set(secrets) <= {"password"}:
            password = {"PGPASSWORD": secrets["password"]} if secrets else {}
            yield conninfo, {**require, **password}
            return
        with tempfile.TemporaryDirectory(prefix="pgpool_recovery_") as directory:
            file = Path(directory, "service")
            write_file(file, service_text(secrets, conninfo.get("service")))
            service = {"service": conninfo.get("service") or SERVICE}
            yield {**conninfo, **service}, {**require, "PGSERVICEFILE": str(file)}


def service_text(secrets: Mapping[str, str], service: str | None) -> str:
    """Return a service file with secrets, and with everything from the node's own service.

    libpq reads a value to the end of its line without trailing white space, and does not know
    quotes (parseServiceFile in fe-connect.c). Raises Refused for a value that does not fit.
    """
    for word, text in secrets.items():
        if text.rstrip() != text or any(end in text for end in ENDS_A_VALUE):
            raise Refused(
                f"cannot pass on the {word} of the node's primary_conninfo",
                detail="It ends with white space or contains a line break.",
                hint="Put it into the password file.",
            )
    lines = [f"[{service or SERVICE}]", *(f"{word}={text}" for word, text in secrets.items())]
    return "\n".join([*lines, *(_own_service(service) if service else ())]) + "\n"


def _own_service(service: str) -> list[str]:
    """Return the lines of a service in the user's own service file, without those of secrets."""
    if not service:
        return []
    file = Path(os.environ.get("PGSERVICEFILE") or Path.home() / ".pg_service.conf")
    try:
        lines = read_lines(file)
    except OSError:
        return []
    found, is_in = [], False
    for line in (line.strip(BLANKS) for line in lines):
        if line.startswith("["):
            is_in = line == f"[{service}]"
        elif is_in and line and line.partition("=")[0] not in SECRETS:
            found.append(line)
    return found


def name_of_service(conninfo: Mapping[str, str]) -> dict[str, str]:
    """Return the application_name in the service that a connection string names, if it has one."""
    lines = _own_service(conninfo.get("service", ""))
    words = {word.strip(): text for word, _, text in (line.partition("=") for line in lines)}
    return {word: words[word] for word in ("application_name",) if words.get(word)}


def own_name() -> str:
    """Return the role that libpq uses by default: the operating system user."""
    return pwd.getpwuid(os.geteuid()).pw_name


def own_server_words(host: str) -> dict[str, str]:
    """Return what keeps a login to this user's own server from reaching another user's.

    If the owner of the socket must be this user, the server may request any authentication.
    """
    return own_peer() if is_socket(host) else least({"host": host})


def is_socket(host: str) -> bool:
    """Return whether libpq takes a host, or one of a list, for the directory of a Unix socket."""
    return any(not one or one.startswith(("/", "@")) for one in host.split(","))


def _peer(conninfo: Conninfo) -> dict[str, str]:
    """Return the user that must own a Unix socket; libpq uses a socket without a host, too."""
    is_local = "requirepeer" not in conninfo and is_socket(conninfo.get("host", ""))
    return own_peer() if is_local else {}


def least(conninfo: Conninfo) -> dict[str, str]:
    """Return what keeps libpq from sending a password in clear text, unless this is already set."""
    is_said = "require_auth" in conninfo or libpq_version() < REQUIRE_AUTH_SINCE
    return {} if is_said else {"require_auth": NO_CLEAR_TEXT}
