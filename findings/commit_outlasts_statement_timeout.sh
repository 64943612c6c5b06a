#!/bin/sh
# statement_timeout, which is documented to apply until the server has completed a command, does not
# end a commit that waits for a synchronous standby: it is disabled before the commit begins. A
# client that relies on it and writes to a primary whose standby is away waits forever.
# pg_cancel_backend, or a cancel request of the client, ends the wait, with a WARNING, and the row
# is there.
set -eu
work=$(mktemp -d)
chmod 755 "$work"
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check 'pgserver==0.1.4' 2>/dev/null
bin=$(echo "$work"/venv/lib/python3*/site-packages/pgserver/pginstall/bin)
mkdir "$work/data"
as=
if [ "$(id -u)" = 0 ]; then # PostgreSQL does not run as root.
    chown nobody "$work/data"
    as='setpriv --reuid=nobody --clear-groups'
fi
one=$work/data/one
end() {
    $as "$bin/pg_ctl" -D "$one" -m immediate stop >/dev/null 2>&1 || true
    rm -rf "$work"
}
trap end EXIT
sql() {
    "$bin/psql" -h "$work/data" -p 7801 -U postgres -d postgres -XAtqc "$1"
}
$as "$bin/initdb" -D "$one" -U postgres -A trust --no-sync >/dev/null
cat >>"$one/postgresql.conf" <<END
listen_addresses = ''
unix_socket_directories = '$work/data'
port = 7801
fsync = off
END
$as "$bin/pg_ctl" -D "$one" -w -l "$work/data/one.log" start >/dev/null
"$bin/postgres" --version
sql "CREATE TABLE t (a int)"
sql "ALTER SYSTEM SET synchronous_standby_names = 'away'"
sql "SELECT pg_reload_conf()" >/dev/null
for _ in $(seq 600); do
    if [ "$(sql "SHOW synchronous_standby_names")" = away ]; then break; fi
    sleep 0.1
done
sleep 1 # Give the checkpointer time to tell the other processes whether commits must wait.
export PGOPTIONS='-c statement_timeout=1s'
sleeps=$(sql "SELECT pg_sleep(60)" 2>&1) || true
echo "statement_timeout = 1s, SELECT pg_sleep(60): $sleeps"
sql "INSERT INTO t VALUES (1)" >"$work/insert" 2>&1 &
insert=$!
unset PGOPTIONS
seen=
for _ in $(seq 600); do
    seen=$(sql "SELECT wait_event FROM pg_stat_activity
                WHERE query LIKE 'INSERT%' AND now() - query_start > '5 s'")
    if [ -n "$seen" ]; then break; fi
    sleep 0.1
done
echo "and INSERT, 5 seconds later, waits for: $seen"
sql "SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE query LIKE 'INSERT%'" >/dev/null
status=0
wait "$insert" || status=$?
echo "after pg_cancel_backend, exit status $status of psql, and:"
cat "$work/insert"
rows=$(sql "SELECT count(*) FROM t")
echo "rows: $rows"
[ "$sleeps" = 'ERROR:  canceling statement due to statement timeout' ] && [ "$seen" = SyncRep ] &&
    [ "$status" = 0 ] && [ "$rows" = 1 ]
