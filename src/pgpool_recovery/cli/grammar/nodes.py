"""The commands about nodes in Pgpool-II."""

from pgpool_recovery.cli.grammar.common import JSON, YES
from pgpool_recovery.cli.grammar.form import NODE, Argument, Command, Option

GRACEFULLY = Option(("--gracefully",), "Wait until all clients have left.")

STATUS = Command(
    "status",
    "status",
    "Show the nodes as they are now, for Pgpool-II and for themselves.",
    """\
For each node its status in the pool, its role, whether it streams and how far it is behind,
its replication slot and the WAL that this keeps on the primary, and a recovery that runs.
Below the table stands what is not as it should be.""",
    output=(JSON,),
    is_connected=True,
)
ATTACH = Command(
    "attach",
    "change",
    "Let Pgpool-II use a node, and wait until it does.",
    """\
Refused when the server of the node is not up or does not stream from the primary, for then its
clients would see errors, or the past; and while Pgpool-II looks for a primary, for then it
attaches nothing.""",
    Argument(NODE, "The node.", is_required=True),
    (Option(("--force",), "Attach it all the same; but never a second primary."),),
    (JSON,),
    is_connected=True,
)
DETACH = Command(
    "detach",
    "change",
    "Have Pgpool-II use a node no more, and wait until it does not.",
    """\
The server goes on running. To detach the primary is a failover, so that is asked first.""",
    Argument(NODE, "The node.", is_required=True),
    (GRACEFULLY, YES),
    (JSON,),
    is_connected=True,
)
PROMOTE = Command(
    "promote",
    "change",
    "Make a node the primary, and wait until Pgpool-II and its server agree that it is.",
    """\
With --switchover Pgpool-II detaches the primary and promotes the server of the node by its
failover_command. Without it this is NOT a switchover: only Pgpool-II changes its mind about
which node is the primary. That is right when the server was promoted by somebody else, and
refused when it is a standby.

Refused, before Pgpool-II is asked: while that looks for a primary or, with --switchover, has
none; for a node that it does not use; with --switchover for one that does not stream from the
primary, or would not survive its promotion. An order would wait, and be worked off later as
something else. Refused as well while follow_primary_command runs on this host or, with
--switchover, the primary recovers a node.""",
    Argument(NODE, "The node that is to be the primary.", is_required=True),
    (
        Option(("--switchover",), "Promote its server, and detach the primary of now."),
        GRACEFULLY,
        YES,
    ),
    (JSON,),
    is_connected=True,
)
