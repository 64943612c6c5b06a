"""The commands about recoveries."""

from pgpool_recovery.cli.grammar.common import EVENTS, JSON
from pgpool_recovery.cli.grammar.form import NODE, SECONDS, Argument, Command, Option, Value, whole

METHODS = ("attach", "repoint", "catch-up", "rewind", "incremental", "restore", "basebackup")
"""Those of `facts.policy.Method`, which takes too long to import for a help text."""

RECOVER = Command(
    "recover",
    "recover",
    "Recover nodes: bring each back as a standby, moving no more than it lacks.",
    """\
Shows what it will do, asks before anything is destroyed, has it done, shows the steps while they
are taken, and sees at the end that the node is up in the pool and streams.

The recovery keeps to what was agreed to. When more would have to be done it stops before that,
and the new plan is shown and asked about; where nobody can be asked, the exit status is 4.

The recovery does not depend on this command: after Ctrl-C or a lost terminal it goes on.
`pgpool-recovery watch` finds it again, `pgpool-recovery cancel NODE` ends it.

Several nodes are recovered one after the other. The exit status is that of the first failure.""",
    Argument(NODE, "Node ids, as in pgpool.conf.", is_repeatable=True),
    (
        Option(
            ("--all-down",),
            "Recover all nodes that are down in Pgpool-II, but not those in quarantine.",
        ),
        Option(
            ("--yes", "-y"),
            "Do not ask about the plan that is shown: it is agreed to, and nothing that does more "
            "harm.",
        ),
        Option(
            ("--at-most",),
            "Allow what this method does, at most, without asking; more is not begun.",
            Value("METHOD", choices=METHODS),
        ),
        Option(
            ("--wait",),
            "When a recovery of the node runs already, wait until it has ended.",
        ),
    ),
    (JSON, EVENTS),
    is_connected=True,
)
PLAN = Command(
    "plan",
    "plan",
    "Show what a recovery of a node would do, and why it does not move less.",
    """\
Nothing is changed. The exit status is 4 when no recovery is possible; then every reason is
shown.""",
    Argument(NODE, "The node, up or down.", is_required=True),
    output=(JSON,),
    is_connected=True,
)
CHECK = Command(
    "check",
    "check",
    "Check for every node, also the healthy ones: if it were lost now, would it come back?",
    """\
Says by which method and roughly how long, and what stands in the way, with what to do. For
monitoring: the exit status is 0 when there is no error, 4 when there is one, and 5 when nobody
could be asked.""",
    options=(Option(("--strict",), "Warnings count as errors."),),
    output=(JSON,),
    is_connected=True,
)
WATCH = Command(
    "watch",
    "watch",
    "Watch recoveries that run now until they end, whoever asked for them.",
    """\
Shows what was done so far, then each step as it is taken. Leaving it with Ctrl-C changes
nothing. The exit status is that of the first recovery that fails; 0 when none runs.""",
    Argument(NODE, "Watch only the recovery of this node."),
    output=(JSON, EVENTS),
    is_connected=True,
)
CANCEL = Command(
    "cancel",
    "cancel",
    "End the recovery of a node on every host, and say in which state the node is then.",
    "What was done is undone as far as it can be. The command waits until all of it has ended.",
    Argument(NODE, "The node that is being recovered.", is_required=True),
    (Option(("--within",), "Seconds to wait for the end; 60 if not given.", SECONDS),),
    (JSON,),
    is_connected=True,
)
HISTORY = Command(
    "history",
    "history",
    "Show the last recoveries, or one of them with its plan, its steps and its cause.",
    argument=Argument(whole("RUN"), "The number of a recovery, the first column of the list."),
    options=(Option(("--last", "-n"), "How many to list; 20 if not given.", whole("COUNT")),),
    output=(JSON,),
    is_connected=True,
)
