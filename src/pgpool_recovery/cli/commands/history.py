"""history: show past recoveries."""

from pgpool_recovery.cli.connection_options import Where
from pgpool_recovery.cli.say import say, say_json
from pgpool_recovery.domain.error import UsageError

LAST = 20


def history(
    run: int | None = None,
    /,
    *,
    last: int = LAST,
    as_json: bool = False,
    where: Where,
) -> None:
    """Show the latest recoveries, or one of them with its plan, its steps and why it failed."""
    from pgpool_recovery.cli.render.document import document
    from pgpool_recovery.cli.render.history import history_lines, run_lines
    from pgpool_recovery.control.extension import Feature
    from pgpool_recovery.control.record import RecordReader

    _, primary, _ = where.primary()
    with primary.connect(Feature.HISTORY) as connection:
        record = RecordReader(connection)
        if run is None:
            runs = record.runs(last)
            if as_json:
                say_json(document(runs=runs))
            else:
                say(*history_lines(runs))
            return
        found = record.run(run)
        if found is None:
            raise UsageError(
                f"there is no recovery {run} on record",
                hint='"pgpool-recovery history" lists the latest ones.',
            )
        plan, events = record.plan(run), record.all_events(run)
    if as_json:
        say_json(document(run=found, plan=plan, events=events))
    else:
        say(*run_lines(found, plan, events))
