"""Find the Pgpool-II that a call names: by its address and a login, or by a foreign server."""

from typing import Optional

from pgpool_recovery.pcp.client.address import PCP_PORT, PcpAddress
from pgpool_recovery.pcp.client.commands import PcpServer
from pgpool_recovery.pcp.client.digest import PasswordDigest
from pgpool_recovery.pcp.client.link import LinkLimits
from pgpool_recovery_server.outcome import INSUFFICIENT_PRIVILEGE, INVALID_PARAMETER_VALUE, Failure
from pgpool_recovery_server.session import Session

from server_types import Found

from .adm_setting import seconds_of
from .user_mapping import mapping_of

TIMEOUT = "pgpool_adm.timeout"
TIMEOUT_S = 30.0
CONNECT_S = 10.0
MAY_READ_FILES = "select pg_catalog.pg_has_role('pg_read_server_files', 'usage') as may_read"


class Asked:
    """The session of the caller, and the Pgpool-II that it queries."""

    def __init__(self, caller: Session, server: PcpServer) -> None:
        self.caller = caller
        self.server = server


def server_of_address(caller: Session, host: str, port: str, user: str, password: str) -> PcpServer:
    """Return the server at an address; an empty password means the one in the pass file."""
    return _pcp_server(caller, PcpAddress(host, int(port)), user, password, is_trusted=False)


def server_of_foreign_server(caller: Session, found: Optional[Found], name: str) -> PcpServer:
    """Return the server that a foreign server describes, with the login of the user mapping.

    If the mapping has no password, the one in the pass file is for users who may read files of this
    host, and for all users of a foreign server whose owner may: the owner has chosen where the
    password is sent.
    """
    mapping = mapping_of(caller, found, name)
    port = mapping.server_options.get("port", str(PCP_PORT))
    if not port.isdecimal():
        raise Failure(
            'option "port" of server "%s" is not a number' % name, sqlstate=INVALID_PARAMETER_VALUE
        )
    if "user" not in mapping.user_options:
        raise Failure(
            'the user mapping for server "%s" has no option "user"' % name,
            hint="Use ALTER USER MAPPING to add the name of a PCP user.",
            sqlstate=INVALID_PARAMETER_VALUE,
        )
    address = PcpAddress(mapping.server_options.get("host", ""), int(port))
    user, password = mapping.user_options["user"], mapping.user_options.get("password")
    return _pcp_server(caller, address, user, password, is_trusted=mapping.owner_reads_files)


def _pcp_server(
    caller: Session, address: PcpAddress, user: str, password: Optional[str], *, is_trusted: bool
) -> PcpServer:
    if not (password or is_trusted or caller.query("files", MAY_READ_FILES)[0]["may_read"]):
        raise Failure(
            "password is required",
            detail="Only superusers and members of pg_read_server_files may log in with the pass "
            "file of this host.",
            hint="Give a password, or use a foreign server.",
            sqlstate=INSUFFICIENT_PRIVILEGE,
        )
    timeout_s = seconds_of(caller, TIMEOUT, TIMEOUT_S)
    return PcpServer(
        address,
        user,
        PasswordDigest.of_password(password) if password else None,
        limits=LinkLimits(connect_s=min(CONNECT_S, timeout_s), answer_s=timeout_s),
        check=lambda: raise_interrupt(caller),
    )


def raise_interrupt(caller: Session) -> None:
    """Raise the pending cancel of this statement."""
    interrupt = caller.check_for_interrupts()
    if interrupt is not None:
        raise interrupt
