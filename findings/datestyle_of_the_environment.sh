#!/bin/sh
# libpq's `options` do not override PGDATESTYLE: libpq sends the values of PGDATESTYLE, PGTZ and
# PGGEQO after the options in the startup packet, and of two values for a setting the server uses
# the later one. So a connection string with "options=-c DateStyle=ISO" gets another style if
# PGDATESTYLE is set in the program's environment, although for all other settings the connection
# string overrides the environment.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
chmod 755 "$work"
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check \
    'pgserver==0.1.4' 'psycopg[binary]==3.2.10' 2>/dev/null
bin=$(echo "$work"/venv/lib/python3*/site-packages/pgserver/pginstall/bin)
mkdir "$work/data" "$work/socket"
as=
if [ "$(id -u)" = 0 ]; then # PostgreSQL does not run as root.
    chown nobody "$work/data" "$work/socket"
    as='setpriv --reuid=nobody --clear-groups'
fi
$as "$bin/initdb" -D "$work/data" -U postgres -A trust --no-sync >/dev/null
$as "$bin/postgres" -D "$work/data" -k "$work/socket" -c listen_addresses= 2>/dev/null &
server=$!
trap 'kill $server; wait $server || true; rm -rf "$work"' EXIT
"$bin/postgres" --version
style() {
    "$work/venv/bin/python" - "$work/socket" <<'END'
import sys, time
import psycopg

for _ in range(100):
    try:
        with psycopg.connect(
            f"host={sys.argv[1]} user=postgres options='-c DateStyle=ISO,MDY -c work_mem=5MB'"
        ) as connection:
            for name in ("DateStyle", "work_mem"):
                print(name, connection.execute(f"SHOW {name}").fetchone()[0], sep=": ")
            break
    except psycopg.OperationalError:
        time.sleep(0.1)
END
}
plain=$(style)
environment=$(PGDATESTYLE=German PGOPTIONS='-c work_mem=7MB' style)
printf 'without PGDATESTYLE and PGOPTIONS\n%s\nwith them\n%s\n' "$plain" "$environment"
[ "$plain" = 'DateStyle: ISO, MDY
work_mem: 5MB' ] && [ "$environment" = 'DateStyle: German, DMY
work_mem: 5MB' ]
