"""The commands for recoveries."""

from pgpool_recovery.cli.grammar.common import EVENTS, JSON
from pgpool_recovery.cli.grammar.form import (
    NODE,
    SECONDS,
    Argument,
    Command,
    Option,
    Value,
    file,
    whole,
)

METHODS = (
    "attach",
    "repoint",
    "catch-up",
    "rewind",
    "incremental",
    "restore",
    "command",
    "delta",
    "basebackup",
)
"""The same as `facts.policy.Method`, which takes too long to import for a help text."""

RECOVER = Command(
    "recover",
    "recover",
    "Recover nodes: bring each back as a standby, copying no more data than necessary.",
    """\
Shows the plan, asks before anything is destroyed, runs the recovery, shows its steps as they
happen, and finally checks that the node is up in the pool and streaming.

The recovery does no more than was agreed to. If more turns out to be necessary, it stops before
doing that, and you are asked again about the new plan; without a terminal, the exit status is 4.

The recovery does not depend on this command: it continues after Ctrl-C or a lost terminal.
`pgpool-recovery watch` shows it again, `pgpool-recovery cancel NODE` cancels it.

Several nodes are recovered one after another, or with --at-once at the same time. The exit status
is that of the first failure, or with --at-once that of the gravest.""",
    Argument(NODE, "Node ids, as in pgpool.conf.", is_repeatable=True),
    (
        Option(
            ("--all-down",),
            "Recover all nodes that are down in Pgpool-II, except those in quarantine.",
        ),
        Option(
            ("--yes", "-y"),
            "Agree to the plan that is shown without being asked. This does not cover anything "
            "that does more harm.",
        ),
        Option(
            ("--at-most",),
            "Agree, without being asked, to at most what this method does; anything beyond that "
            "is refused.",
            Value("METHOD", choices=METHODS),
        ),
        Option(
            ("--at-once",),
            "Recover up to this many nodes at the same time (default: 1). All plans are shown, and "
            "all questions asked, before anything is started.",
            whole("COUNT"),
        ),
        Option(
            ("--wait",),
            "If a recovery of the node is already running, wait until it has ended.",
        ),
    ),
    (JSON, EVENTS),
    is_connected=True,
)
PLAN = Command(
    "plan",
    "plan",
    "Show what a recovery of a node would do, and why no cheaper method is possible.",
    """\
Nothing is changed. If no recovery is possible, every reason is shown, and the exit status
is 4.""",
    Argument(NODE, "The node; it may be up or down.", is_required=True),
    output=(JSON,),
    is_connected=True,
)
CHECK = Command(
    "check",
    "check",
    "Check whether every node, even a healthy one, could be recovered if it were lost now.",
    """\
Reports the method for each node and roughly how long it would take, what stands in the way, and
what to do about it. Nothing is changed on any node.

For monitoring: the exit status is 0 if there are no errors, 4 if there are any, and 5 if Pgpool-II
or the primary cannot be reached. The packages have a systemd timer, pgpool-recovery-check.timer,
which runs it every hour once it is enabled.""",
    options=(
        Option(("--strict",), "Treat warnings as errors."),
        Option(
            ("--textfile",),
            "Also write the number of findings and the exit status to this file, for the textfile "
            "collector of Prometheus's node_exporter. If it cannot be written, the exit status is "
            "4.",
            file("FILE"),
        ),
    ),
    output=(JSON,),
    is_connected=True,
)
WATCH = Command(
    "watch",
    "watch",
    "Watch running recoveries until they end, no matter who started them.",
    """\
Shows what has been done so far, then each step as it happens. Leaving with Ctrl-C does not affect
the recovery. The exit status is that of the first recovery that fails; it is 0 if none is
running.""",
    Argument(NODE, "Watch only the recovery of this node."),
    output=(JSON, EVENTS),
    is_connected=True,
)
CANCEL = Command(
    "cancel",
    "cancel",
    "Cancel the recovery of a node on all hosts, and report the state in which it is left.",
    "What was done is undone as far as possible. The command waits until everything has ended.",
    Argument(NODE, "The node that is being recovered.", is_required=True),
    (Option(("--within",), "How long to wait for the end (default: 60 seconds).", SECONDS),),
    (JSON,),
    is_connected=True,
)
HISTORY = Command(
    "history",
    "history",
    "Show the latest recoveries, or one of them with its plan, its steps and why it failed.",
    """\
Lists the recoveries that are recorded on the primary, no matter who started them, the newest first:
the node, when the recovery began and how long it took, the method, how much it moved, its state,
and the cause of a failure. With RUN, shows one of them in full, each event with its time.""",
    argument=Argument(whole("RUN"), "The number of a recovery, from the first column of the list."),
    options=(Option(("--last", "-n"), "How many to list (default: 20).", whole("COUNT")),),
    output=(JSON,),
    is_connected=True,
)
