"""Check the way to the stages: refuse what would keep a recovery from starting at all.

In each of these cases Pgpool-II reports only that the execution of a command failed.
"""

from pgpool_recovery.control.check import pool_settings
from pgpool_recovery.control.cluster import Cluster, connect_to
from pgpool_recovery.control.extension import Feature, Primary
from pgpool_recovery.domain.error import Refused, Unreachable
from pgpool_recovery.in_server.script_name import is_inside

FIRST_STAGE = "recovery_1st_stage_command"
SECOND_STAGE = "recovery_2nd_stage_command"
REMOTE_START = "pgpool_remote_start"


def refuse_way(primary: Primary, cluster: Cluster, *, by_sql: bool = False) -> None:
    """Raise Refused if Pgpool-II would not find the functions or the scripts on the primary.

    Nothing is refused if our role is not allowed to look, since Pgpool-II's may be. `by_sql`: we
    call the functions ourselves, in the database that has them.
    """
    asked = pool_settings(cluster)
    scripts = {REMOTE_START: "It is called at the end of each recovery."}
    stages = {FIRST_STAGE: asked.get(FIRST_STAGE, "")}
    if not cluster.has_standbys and asked.get(SECOND_STAGE):
        stages[SECOND_STAGE] = asked[SECOND_STAGE]
    for setting, command in stages.items():
        if not is_inside(command):
            raise Refused(
                f'{setting} is "{command}" in pgpool.conf',
                detail="It must be the plain name of a script in the primary's data directory.",
                hint=f"Set {setting} = '{setting.removesuffix('_command')}' and reload Pgpool-II.",
            )
        scripts[command] = f"It is the {setting} of pgpool.conf."
    database = primary.database_of(Feature.RECOVERY) if by_sql else asked["recovery_database"]
    name = primary.node.name
    try:
        with connect_to(primary.node, primary.login, database) as connection:
            has_extension = connection.extension() is not None
            may_look = connection.row("may_look")["may_look"]
            rows = connection.rows("scripts", names=list(scripts)) if may_look else []
    except Unreachable:
        return
    if not has_extension:
        raise Refused(
            f"database {database} of the primary ({name}), where Pgpool-II calls it, has no "
            "extension pgpool_recovery",
            hint=f"Run CREATE EXTENSION pgpool_recovery in database {database}.",
        )
    missing = {row["name"] for row in rows if not row["is_there"]}
    for script, meaning in scripts.items():
        if script in missing:
            raise Refused(
                f'the primary ({name}) has no script "{script}" in its data directory',
                detail=meaning,
                hint="Run this there, as the user that runs PostgreSQL: pgpool-recovery install "
                f"--data-directory {primary.node.data_directory}",
            )
