#!/bin/sh
# "pg_ctl stop -m fast" on a primary sends a streaming standby everything only if a slot or
# wal_keep_size retains its WAL: the shutdown checkpoint itself removes segments that the WAL sender
# has not sent yet. The stop succeeds, and the standby lacks what clients were told is committed.
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
one=$work/data/one two=$work/data/two
end() {
    for node in "$one" "$two"; do
        $as "$bin/pg_ctl" -D "$node" -m immediate stop >/dev/null 2>&1 || true
    done
    rm -rf "$work"
}
trap end EXIT
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
END
$as "$bin/pg_ctl" -D "$one" -w -l "$work/data/one.log" start >/dev/null
$as "$bin/pg_basebackup" -h "$work/data" -p 7801 -U postgres -D "$two" -R -c fast --no-sync
echo "port = 7802" >>"$two/postgresql.conf"
$as "$bin/pg_ctl" -D "$two" -w -l "$work/data/two.log" start >/dev/null
"$bin/postgres" --version
sql 7801 "CREATE TABLE t (a int, b text)"
wait_for '[ "$(sql 7801 "SELECT state FROM pg_stat_replication")" = streaming ]'
receiver=$(sql 7802 "SELECT pid FROM pg_stat_wal_receiver")
kill -STOP "$receiver" # A slow standby: its receiver sleeps, and reads only now and then.
sql 7801 "INSERT INTO t SELECT g, repeat('x', 900) FROM generate_series(1, 60000) AS g"
committed=$(sql 7801 "SELECT count(*) FROM t")
$as "$bin/pg_ctl" -D "$one" -m fast -t 50 stop >"$work/data/stop.log" 2>&1 &
stop=$!
wait_for '! sql 7801 "SELECT" >/dev/null 2>&1'
wait_for '{ kill -CONT $receiver; sleep 0.01; kill -STOP $receiver; } 2>/dev/null
          "$bin/pg_controldata" "$one" | grep -q "state: *shut down$"'
kill -CONT "$receiver" 2>/dev/null || true
wait "$stop" && echo "the fast stop succeeds"
$as "$bin/pg_ctl" -D "$two" -w promote >/dev/null
there=$(sql 7802 "SELECT count(*) FROM t")
echo "committed on the primary: $committed, on the promoted standby: $there"
grep -o 'requested WAL segment .* has already been removed' "$work/data/one.log" | head -n 1
[ "$committed" = 60000 ] && [ "$there" -lt "$committed" ]
