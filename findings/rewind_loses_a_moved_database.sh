#!/bin/sh
# A standby is promoted, and the former primary diverges. The new primary moves a database to another
# tablespace. pg_rewind succeeds on the former primary, and has brought the database to its new place.
# Then replay empties it: the move is in the WAL as "copy this directory", and the original is gone.
# The rewound server starts, follows, and logs nothing about it; the database cannot be connected to.
set -eu
work=$(mktemp -d)
chmod 755 "$work"
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check 'pgserver==0.1.4' 2>/dev/null
bin=$(echo "$work"/venv/lib/python3*/site-packages/pgserver/pginstall/bin)
mkdir -p "$work/data/space"
as=
if [ "$(id -u)" = 0 ]; then # PostgreSQL does not run as root.
    chown nobody "$work/data" "$work/data/space"
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
start() {
    $as "$bin/pg_ctl" -D "$1" -w -l "$1.log" start >/dev/null
}
sql() { # Query a database of the server on a port.
    "$bin/psql" -h "$work/data" -p "$1" -U postgres -d "$2" -XAtqc "$3"
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
wal_log_hints = on
wal_keep_size = 1GB
END
start "$one"
"$bin/postgres" --version
sql 7801 postgres "CREATE DATABASE moved"
sql 7801 moved "CREATE TABLE t AS SELECT g FROM generate_series(1, 1000) AS g"
sql 7801 postgres "CREATE TABLESPACE space LOCATION '$work/data/space'"
$as "$bin/pg_basebackup" -h "$work/data" -p 7801 -U postgres -D "$two" -R -c fast --no-sync \
    -T "$work/data/space=$work/data/space2"
echo "port = 7802" >>"$two/postgresql.conf"
start "$two"
sql 7801 postgres "CHECKPOINT"
lsn=$(sql 7801 postgres "SELECT pg_current_wal_lsn()")
wait_for '[ "$(sql 7802 postgres "SELECT pg_last_wal_replay_lsn() >= '"'$lsn'"'")" = t ]'
$as "$bin/pg_ctl" -D "$two" -w promote >/dev/null
sql 7801 postgres "CREATE TABLE astray (a int)"
$as "$bin/pg_ctl" -D "$one" -w stop >/dev/null
sql 7802 postgres "ALTER DATABASE moved SET TABLESPACE space"
sql 7802 postgres "CHECKPOINT"
$as "$bin/pg_rewind" -D "$one" -R --no-sync \
    --source-server="host=$work/data port=7802 user=postgres dbname=postgres" 2>&1 | tail -n 1
sed -i 's/^port = 7802/port = 7801/' "$one/postgresql.conf"
brought=$(find "$work/data/space" -name PG_VERSION | wc -l)
: >"$one.log"
start "$one"
wait_for '[ -n "$(sql 7802 postgres "SELECT 1 FROM pg_stat_replication WHERE replay_lsn = pg_current_wal_lsn()")" ]'
left=$(find "$work/data/space" -name PG_VERSION | wc -l)
echo "databases in the tablespace of the rewound node: $brought after pg_rewind, $left after replay"
echo "rows on the new primary: $(sql 7802 moved "SELECT count(*) FROM t")"
said=$(sql 7801 moved "SELECT count(*) FROM t" 2>&1 || true)
echo "on the rewound node: $said"
[ "$brought" = 1 ] && [ "$left" = 0 ] && echo "$said" | grep -q 'is not a valid data directory'
