#!/bin/sh
# A NOTICE that an extension's script raises is never shown to the user who runs CREATE EXTENSION,
# whatever client_min_messages is set to: the server raises that setting to WARNING while the script
# runs. A script that has something to report must raise a WARNING.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
chmod 755 "$work"
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check \
    'pgserver==0.1.4' 'psycopg[binary]==3.2.10' 2>/dev/null
prefix=$(echo "$work"/venv/lib/python3*/site-packages/pgserver/pginstall)
share=$prefix/share/postgresql/extension
printf "default_version = '1'\n" >"$share/talker.control"
cat >"$share/talker--1.sql" <<'END'
DO $$ BEGIN RAISE NOTICE 'a notice'; RAISE WARNING 'a warning'; END $$;
END
mkdir "$work/data" "$work/socket"
as=
if [ "$(id -u)" = 0 ]; then # PostgreSQL does not run as root.
    chown nobody "$work/data" "$work/socket"
    as='setpriv --reuid=nobody --clear-groups'
fi
$as "$prefix/bin/initdb" -D "$work/data" -U postgres -A trust --no-sync >/dev/null
$as "$prefix/bin/postgres" -D "$work/data" -k "$work/socket" -c listen_addresses= 2>/dev/null &
server=$!
trap 'kill $server; wait $server || true; rm -rf "$work"' EXIT
"$prefix/bin/postgres" --version
heard=$("$work/venv/bin/python" - "$work/socket" <<'END'
import sys, time
import psycopg

def hear(notice):
    print(where, notice.severity, notice.message_primary)

for _ in range(100):
    try:
        connection = psycopg.connect(f"host={sys.argv[1]} user=postgres", autocommit=True)
        break
    except psycopg.OperationalError:
        time.sleep(0.1)
connection.add_notice_handler(hear)
connection.execute("SET client_min_messages = notice")
where = "block:"
connection.execute("DO $$ BEGIN RAISE NOTICE 'a notice'; RAISE WARNING 'a warning'; END $$")
where = "extension:"
connection.execute("CREATE EXTENSION talker")
END
)
echo "$heard"
[ "$heard" = 'block: NOTICE a notice
block: WARNING a warning
extension: WARNING a warning' ]
