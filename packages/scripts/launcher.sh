#!/bin/sh
# Part of pgpool-recovery. It runs the command with the distribution's Python 3.11 or later.

@PYTHON@

choose_python
if [ -z "$python" ]; then
    echo 'ERROR:  pgpool-recovery needs Python 3.11 or later, and there is none in /usr/bin' >&2
    echo 'HINT:  Install the package python3.11, or a later one.' >&2
    exit 127
fi
exec "$python" -ISB -X utf8 /usr/lib/pgpool-recovery/start.py "$@"
