"""Connect over a Unix socket only to a server that our own user runs."""

import os
import pwd


def own_peer() -> dict[str, str]:
    """Return the parameter that has libpq check whose server it is before the login (requirepeer).

    The runner and the agent run as the user of their server. While that server is down, another
    user could listen in a directory where everybody may create sockets, receive passwords, and
    decide what we do. libpq ignores the parameter over a network. It takes a user's name, so
    nothing is returned for a user without one.
    """
    try:
        return {"requirepeer": pwd.getpwuid(os.geteuid()).pw_name}
    except KeyError:
        return {}
