#!/bin/sh
# "pg_basebackup -c fast" from a standby that has replayed everything does not begin where the
# standby is, but where the last checkpoint of the primary was, which may be checkpoint_timeout or
# max_wal_size ago. CHECKPOINT on the standby succeeds and does not help: a restartpoint is only
# possible at a checkpoint of the primary. So the copy gets, or with "-X none" needs, all WAL since
# then; the manual's list of limitations of a backup from a standby does not mention it. CHECKPOINT
# on the primary, just before, helps.
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
replayed() { # Wait up to a minute until the standby has replayed all WAL of the primary.
    end_lsn=$(sql 7801 "SELECT pg_current_wal_insert_lsn()")
    for _ in $(seq 600); do
        if [ "$(sql 7802 "SELECT pg_last_wal_replay_lsn() >= '$end_lsn'")" = t ]; then return; fi
        sleep 0.1
    done
    return 1
}
backup() { # Back up the standby; print how many MB before its replay that begins.
    at=$(sql 7802 "SELECT pg_last_wal_replay_lsn()")
    $as "$bin/pg_basebackup" -h "$work/data" -p 7802 -U postgres -D "$work/data/copy" -c fast \
        --no-slot --no-sync
    start=$(sed -n 's/^START WAL LOCATION: \([^ ]*\) .*/\1/p' "$work/data/copy/backup_label")
    behind=$(sql 7802 "SELECT trunc(pg_wal_lsn_diff('$at', '$start') / 1048576)")
    files=$(ls "$work/data/copy/pg_wal" | grep -cE '^[0-9A-F]{24}$')
    echo "replayed up to $at; a backup starts at $start, $behind MB before, with $files WAL files"
    rm -rf "$work/data/copy"
}
$as "$bin/initdb" -D "$one" -U postgres -A trust --wal-segsize=1 --no-sync >/dev/null
cat >>"$one/postgresql.conf" <<END
listen_addresses = ''
unix_socket_directories = '$work/data'
port = 7801
fsync = off
autovacuum = off
checkpoint_timeout = 1h
max_wal_size = 1GB
END
$as "$bin/pg_ctl" -D "$one" -w -l "$work/data/one.log" start >/dev/null
"$bin/postgres" --version
$as "$bin/pg_basebackup" -h "$work/data" -p 7801 -U postgres -D "$two" -R -c fast --no-sync
echo "port = 7802" >>"$two/postgresql.conf"
$as "$bin/pg_ctl" -D "$two" -w -l "$work/data/two.log" start >/dev/null
sql 7801 "CREATE TABLE t (a int)"
for _ in $(seq 20); do # Write 20 segments of 1 MB.
    sql 7801 "INSERT INTO t VALUES (1)"
    sql 7801 "SELECT pg_switch_wal()" >/dev/null
done
replayed
backup
[ "$behind" -ge 20 ]
[ "$files" -ge 20 ]
echo "CHECKPOINT on the standby:"
sql 7802 CHECKPOINT
first=$start
backup
[ "$start" = "$first" ]
echo "CHECKPOINT on the primary:"
sql 7801 CHECKPOINT
replayed
backup
[ "$behind" = 0 ]
[ "$files" -le 2 ]
