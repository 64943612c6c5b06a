"""The parameters that every module has: how Pgpool-II is reached, and as whom."""


class ModuleDocFragment:
    """What `extends_documentation_fragment` adds."""

    DOCUMENTATION = r"""
options:
  command:
    description:
      - The command on the host where the module runs.
    type: path
    default: /usr/bin/pgpool-recovery
  host:
    description:
      - Host of Pgpool-II, or the directory of its PCP socket.
      - By default the one of the settings file, otherwise the local sockets.
    type: str
  port:
    description:
      - PCP port of Pgpool-II.
    type: int
  username:
    description:
      - PCP user.
    type: str
  config:
    description:
      - Settings file to use instead of C(/etc/pgpool-recovery.toml).
    type: path
  without_pgpool:
    description:
      - Do not use Pgpool-II, but take the nodes from the settings and find the primary by SQL.
    type: bool
    default: false
  pcp_pass_file:
    description:
      - File with the password of the PCP user, instead of C(~/.pcppass).
    type: path
  pg_pass_file:
    description:
      - File with the passwords for the nodes, instead of C(~/.pgpass).
    type: path
notes:
  - Run it on the host of Pgpool-II, as a user who has the two files with passwords.
  - No password is a parameter, so none is in the arguments of a process or in a log.
requirements:
  - pgpool-recovery 2.0 on that host
"""
