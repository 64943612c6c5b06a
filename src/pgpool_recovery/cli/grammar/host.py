"""The commands for the files of this host."""

from pgpool_recovery.cli.grammar.common import JSON, YES
from pgpool_recovery.cli.grammar.form import Command, Option, Value, file

DRY_RUN = Option(("--dry-run",), "Show what would be done, without doing it.")

INSTALL = Command(
    "install",
    "install",
    "Install the files of the extensions, the stage commands, or the settings of pgpool.conf.",
    """\
Without options, the extensions are installed for every PostgreSQL server found on this host,
which requires root. An existing file is kept beside the one that replaces it, and uninstall
restores it.""",
    options=(
        Option(
            ("--pg-config",),
            "The pg_config of a server to install the extensions for. Can be given more than once.",
            file("PATH"),
            is_repeatable=True,
        ),
        Option(
            ("--data-directory",),
            "A data directory in which to install recovery_1st_stage, recovery_2nd_stage, "
            "pgpool_remote_start, pgpool_recovery_plan and pgpool_recovery_check. Run this as the "
            "owner of the directory. Can be given more than once.",
            file("DIR"),
            is_repeatable=True,
        ),
        Option(
            ("--pgpool-conf",),
            "The pgpool.conf, on the host of Pgpool-II, to which to add the settings for online "
            "recovery, failover and follow primary. The lines are shown, and written once you "
            "confirm them.",
            file("FILE"),
        ),
        Option(
            ("--without-hooks",),
            "Of these settings, add only those for online recovery, and leave failover_command and "
            "follow_primary_command as they are.",
        ),
        Option(
            ("--config",),
            "The settings file that the stage commands, or the hooks in pgpool.conf, will read "
            "instead of /etc/pgpool-recovery.toml. The default is the file that "
            "PGPOOL_RECOVERY_CONFIG names, if that is set.",
            file("FILE"),
        ),
        YES,
        DRY_RUN,
    ),
)
SETUP = Command(
    "setup",
    "setup",
    "Set a running cluster up for recoveries, from the host of Pgpool-II.",
    """\
Reads pgpool.conf, examines every node and its host by ssh, and shows what each has, what it lacks,
and the commands that would add it. Once you confirm, it runs them, stops at the first failure, and
finally checks whether every node could be recovered. It adds only what is missing, and can be run
again. --undo takes back what it did, and nothing else.

It logs in as root, or as an operator who may use sudo without a password. For hosts that it cannot
log in to, and with --script, it writes the commands instead.""",
    options=(
        Option(
            ("--pgpool-conf",),
            "The pgpool.conf of this host, if it is not where its package puts it.",
            file("FILE"),
        ),
        Option(
            ("--packages",),
            "The directory with the package files to install. The default is the current "
            "directory, if they are there.",
            file("DIR"),
        ),
        Option(
            ("--ssh-user",),
            "The user to log in as: root, or one that may use sudo without a password. The default "
            "is root, or the user who called sudo.",
            Value("USER"),
        ),
        Option(
            ("--script",),
            "Change nothing: write a script for each host, named FILE with the name of the host.",
            file("FILE"),
        ),
        Option(("--playbook",), "Change nothing: write a playbook for Ansible.", file("FILE")),
        Option(("--undo",), "Take back what setup did."),
        YES,
        DRY_RUN,
    ),
    output=(JSON,),
)
UNINSTALL = Command(
    "uninstall",
    "install",
    "Remove what install put in place, and restore what was there before.",
    """\
Databases that have an extension keep it, and it continues to work; if you no longer want it, drop
it there first. For a data directory, uninstall reports what recoveries have left behind:
replication slots, and settings that would override those of other scripts.""",
    options=(
        Option(
            ("--pg-config",),
            "The pg_config of a server to remove the extensions' files from.",
            file("PATH"),
            is_repeatable=True,
        ),
        Option(
            ("--data-directory",),
            "A data directory to remove the stage commands from.",
            file("DIR"),
            is_repeatable=True,
        ),
        Option(
            ("--pgpool-conf",),
            "The pgpool.conf to remove our lines from; what was there before is restored.",
            file("FILE"),
        ),
        DRY_RUN,
    ),
)
