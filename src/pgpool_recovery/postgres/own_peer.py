"""A server of this host, by its Unix socket: only the one that this user runs is talked to."""

import os
import pwd


def own_peer() -> dict[str, str]:
    """Return what has libpq look whose server listens, before it says anything (requirepeer).

    The runner and the agent run as the user of their server. While that does not run, somebody else
    may listen where everybody can make a socket, and would get passwords and rule what we do. Over
    a network it means nothing; a user without a name cannot be asked for.
    """
    try:
        return {"requirepeer": pwd.getpwuid(os.geteuid()).pw_name}
    except KeyError:
        return {}
