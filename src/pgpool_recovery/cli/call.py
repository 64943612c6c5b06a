"""Call the function of a command with the parsed arguments."""

from importlib import import_module

from pgpool_recovery.cli.parse import ParsedCall


def run_call(call: ParsedCall) -> int:
    """Run a command and return its exit status."""
    command = call.command
    module = import_module(f"pgpool_recovery.cli.commands.{command.module}")
    options = dict(call.options)
    if call.is_debugging:
        from pgpool_recovery.cli.log import log_to_the_end

        log_to_the_end(command.name)
    if command.is_connected:
        from pgpool_recovery.cli.connection_options import Where

        options["where"] = Where(**call.connection)
    status = getattr(module, command.name)(*call.words, **options)
    return status if isinstance(status, int) else 0
