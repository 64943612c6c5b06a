"""The commands about the files of this host."""

from pgpool_recovery.cli.grammar.common import YES
from pgpool_recovery.cli.grammar.form import Command, Option, file

DRY_RUN = Option(("--dry-run",), "Say what would be done, and do nothing.")

INSTALL = Command(
    "install",
    "install",
    "Install the extensions' files, the stage commands of a data directory, or Pgpool-II's lines.",
    """\
Without options the extensions go to every PostgreSQL server found on this host; that takes
root. What stands in the place of a file is kept beside it, and comes back with uninstall.""",
    options=(
        Option(
            ("--pg-config",),
            "The pg_config of a server to install the extensions for. Can be given more than once.",
            file("PATH"),
            is_repeatable=True,
        ),
        Option(
            ("--data-directory",),
            "A data directory to install recovery_1st_stage, recovery_2nd_stage, "
            "pgpool_remote_start, pgpool_recovery_plan and pgpool_recovery_check in; run it as the "
            "owner of the directory. Can be given more than once.",
            file("DIR"),
            is_repeatable=True,
        ),
        Option(
            ("--pgpool-conf",),
            "A pgpool.conf, on the host of Pgpool-II, to write the lines for online recovery, "
            "failover and follow primary to. They are shown, and written when you confirm it.",
            file("FILE"),
        ),
        Option(
            ("--config",),
            "The settings file that the stage commands, or the hooks of pgpool.conf, read in place "
            "of /etc/pgpool-recovery.toml. By default the one that PGPOOL_RECOVERY_CONFIG names "
            "now, if it does.",
            file("FILE"),
        ),
        YES,
        DRY_RUN,
    ),
)
UNINSTALL = Command(
    "uninstall",
    "install",
    "Remove what install put in place, and restore what stood there before.",
    """\
Databases that have an extension keep it, and it goes on working; drop it there first if you
do not want it any more. Of a data directory it says what recoveries have left: the slots, and
settings that would win over those of other scripts.""",
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
            "A pgpool.conf to take our lines out of; what stood there before comes back.",
            file("FILE"),
        ),
        DRY_RUN,
    ),
)
