"""All commands that people call, in the order and under the titles of the help."""

from pgpool_recovery.cli.grammar import hooks, host, nodes, recovery
from pgpool_recovery.cli.grammar.form import Command

SECTIONS: dict[str, tuple[Command, ...]] = {
    "Recovery": (
        recovery.RECOVER,
        recovery.PLAN,
        recovery.CHECK,
        recovery.WATCH,
        recovery.CANCEL,
        recovery.HISTORY,
    ),
    "Nodes in Pgpool-II": (nodes.STATUS, nodes.ATTACH, nodes.DETACH, nodes.PROMOTE),
    "Called by Pgpool-II": (hooks.FAILOVER, hooks.FOLLOW_PRIMARY),
    "This host": (host.SETUP, host.INSTALL, host.UNINSTALL),
}
COMMANDS = {command.name: command for section in SECTIONS.values() for command in section}
