#!/bin/sh
# START_REPLICATION accepts a physical replication slot that max_slot_wal_keep_size made "lost" as
# if nothing had happened: the slot is active, its restart_lsn advances, and wal_status says
# "unreserved" with a safe_wal_size. But it no longer retains WAL: when its receiver is away for
# less than max_slot_wal_keep_size, the WAL that it needs is removed; a new slot beside it retains
# that WAL.
set -eu
work=$(mktemp -d)
chmod 755 "$work"
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check 'pgserver==0.1.4' 2>/dev/null
bin=$(echo "$work"/venv/lib/python3*/site-packages/pgserver/pginstall/bin)
mkdir -p "$work/data/received"
as=
if [ "$(id -u)" = 0 ]; then # PostgreSQL does not run as root.
    chown nobody "$work/data" "$work/data/received"
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
wait_for() { # Wait up to a minute until a query returns true.
    for _ in $(seq 600); do
        if [ "$(sql "$1")" = t ]; then return 0; fi
        sleep 0.1
    done
    return 1
}
segments() { # Write this many segments, then checkpoint: it removes what nothing retains.
    for _ in $(seq "$1"); do
        sql "INSERT INTO t VALUES (1)"
        sql "SELECT pg_switch_wal()" >/dev/null
    done
    sql "CHECKPOINT"
}
received_by() { # Receive from a slot, and confirm, until its segment has arrived.
    $as "$bin/pg_receivewal" -h "$work/data" -p 7801 -U postgres -D "$work/data/received" \
        -S "$1" --synchronous --no-loop >"$work/receive.log" 2>&1 &
    receiver=$!
    wait_for "SELECT active FROM pg_replication_slots WHERE slot_name = '$1'"
    sql "INSERT INTO t VALUES (2)"
    end_lsn=$(sql "SELECT pg_switch_wal()")
    wait_for "SELECT restart_lsn >= '$end_lsn' FROM pg_replication_slots WHERE slot_name = '$1'"
    sql "SELECT slot_name, active, wal_status, safe_wal_size > 0
         FROM pg_replication_slots WHERE slot_name = '$1'"
    kill -INT "$receiver"
    wait "$receiver" || true
    wait_for "SELECT NOT active FROM pg_replication_slots WHERE slot_name = '$1'"
}
$as "$bin/initdb" -D "$one" -U postgres -A trust --no-sync >/dev/null
cat >>"$one/postgresql.conf" <<END
listen_addresses = ''
unix_socket_directories = '$work/data'
port = 7801
fsync = off
max_slot_wal_keep_size = 64MB
min_wal_size = 32MB
END
$as "$bin/pg_ctl" -D "$one" -w -l "$work/data/one.log" start >/dev/null
"$bin/postgres" --version
sql "CREATE TABLE t (a int)"
sql "SELECT pg_create_physical_replication_slot('old', true)" >/dev/null
segments 7
lost=$(sql "SELECT slot_name, active, wal_status FROM pg_replication_slots")
echo "slot, active, wal_status: $lost"
received_by old >"$work/status"
echo "while it is received by, and safe_wal_size > 0: $(cat "$work/status")"
sql "SELECT pg_create_physical_replication_slot('new', true)" >/dev/null
segment=$(sql "SELECT pg_walfile_name(restart_lsn + 1) FROM pg_replication_slots
               WHERE slot_name = 'old'")
kept() {
    if [ -e "$one/pg_wal/$segment" ]; then echo kept; else echo removed; fi
}
segments 2
new=$(kept)
echo "what the old slot needs, 2 segments later, with a new slot at its side: $new"
sql "SELECT pg_drop_replication_slot('new')" >/dev/null
sql "CHECKPOINT"
old=$(kept)
echo "and without: $old"
[ "$lost" = 'old|f|lost' ] && [ "$(cat "$work/status")" = 'old|t|unreserved|t' ] &&
    [ "$new" = kept ] && [ "$old" = removed ]
