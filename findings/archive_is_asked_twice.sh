#!/bin/sh
# A standby that has WAL up to the end of a file, and whose archive does not have the next one, calls
# its restore_command twice for that before it streams it: once to read ahead, and once to replay.
# With recovery_prefetch = off it calls it once. So a slow archive costs twice the time at a start.
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
one=$work/data/one two=$work/data/two asked=$work/data/asked
end() {
    for node in "$one" "$two"; do
        $as "$bin/pg_ctl" -D "$node" -m immediate stop >/dev/null 2>&1 || true
    done
    rm -rf "$work"
}
trap end EXIT
start() {
    $as "$bin/pg_ctl" -D "$1" -w -l "$1.log" start >/dev/null
}
sql() { # Query the server on a port.
    "$bin/psql" -h "$work/data" -p "$1" -U postgres -d postgres -XAtqc "$2"
}
wait_for() { # Wait up to a minute until a command succeeds.
    for _ in $(seq 600); do
        if eval "$1"; then return 0; fi
        sleep 0.1
    done
    return 1
}
$as "$bin/initdb" -D "$one" -U postgres -A trust --no-sync >/dev/null
cat >>"$one/postgresql.conf" <<END
listen_addresses = ''
unix_socket_directories = '$work/data'
port = 7801
fsync = off
wal_keep_size = 1GB
END
start "$one"
"$bin/postgres" --version
$as "$bin/pg_basebackup" -h "$work/data" -p 7801 -U postgres -D "$two" -R -c fast --no-sync
cat >>"$two/postgresql.conf" <<END
port = 7802
restore_command = 'echo %f >> $asked; false'
END
streams() {
    [ "$(sql 7801 "SELECT count(*) FROM pg_stat_replication WHERE state = 'streaming'")" = 1 ]
}
calls() { # Restart the standby where a WAL file ends; print how often it asks for the next one.
    end=$(sql 7801 "SELECT pg_switch_wal()")
    wait_for '[ "$(sql 7802 "SELECT pg_last_wal_replay_lsn() >= '"'$end'"'")" = t ]'
    $as "$bin/pg_ctl" -D "$two" -m fast -w stop >/dev/null
    sql 7801 "CREATE TABLE t (); DROP TABLE t"
    file=$(sql 7801 "SELECT pg_walfile_name(pg_current_wal_lsn())")
    rm -f "$asked"
    start "$two"
    wait_for streams
    echo "$file: $(grep -c "$file" "$asked")"
}
start "$two"
wait_for streams
echo "calls of restore_command for the file that it streams then:"
first=$(calls)
echo "$first"
echo "recovery_prefetch = off" >>"$two/postgresql.conf"
echo "with recovery_prefetch = off:"
second=$(calls)
echo "$second"
[ "${first#*: }" = 2 ] && [ "${second#*: }" = 1 ]
