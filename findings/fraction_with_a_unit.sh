#!/bin/sh
# In PostgreSQL's configuration files, "work_mem = 4MB" needs no quotes, as in the file that initdb
# writes, and a size may have a fraction: '4.5MB', in quotes, is 4608 kB. Without the quotes, it is
# a syntax error, and the server does not start: only a whole number may have a unit there. (The
# manual wants quotes around every value with a unit.)
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
chmod 755 "$work"
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check 'pgserver==0.1.4' 2>/dev/null
bin=$(echo "$work"/venv/lib/python3*/site-packages/pgserver/pginstall/bin)
"$bin/postgres" --version
mkdir -m 700 "$work/data"
echo 16 >"$work/data/PG_VERSION"
as=
if [ "$(id -u)" = 0 ]; then # PostgreSQL does not run as root.
    chown nobody "$work/data"
    as='setpriv --reuid=nobody --clear-groups'
fi
seen=
try() { # Print a setting's value, in the server's own unit, with this line in the file.
    echo "$1" >"$work/data/postgresql.conf"
    found=$($as "$bin/postgres" -D "$work/data" -C "${1%% *}" 2>"$work/said") || found=refused
    echo "$1: $found"
    grep -o 'syntax error .*, near.*' "$work/said" | sed "s|$work|…|" || true
    seen="$seen $found"
}
try "work_mem = 4MB"
try "work_mem = '4.5MB'"
try "work_mem = 4.5MB"
try "vacuum_cost_delay = 2.5"
try "vacuum_cost_delay = 2.5ms"
[ "$seen" = ' 4096 4608 refused 2.5 refused' ]
