#!/bin/sh
# Promoting a standby that streams and has replayed everything calls restore_command five times in a
# row: twice for WAL that is in its pg_wal, twice for the history file of the next timeline, and
# once for 00000001.history, which never exists. Writes wait until all calls have returned, so an
# archive that answers only after a timeout delays the failover by five timeouts.
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
"$bin/postgres" --version
$as "$bin/pg_basebackup" -h "$work/data" -p 7801 -U postgres -D "$two" -R -c fast --no-sync
cat >>"$two/postgresql.conf" <<END
port = 7802
restore_command = 'echo %f >>"$work/data/asked"; sleep 2; false'
END
$as "$bin/pg_ctl" -D "$two" -w -l "$work/data/two.log" start >/dev/null
wait_for '[ "$(sql 7801 "SELECT state FROM pg_stat_replication")" = streaming ]'
sql 7801 "CREATE TABLE t (a int)"
wait_for '[ "$(sql 7801 "SELECT replay_lsn = pg_current_wal_lsn() FROM pg_stat_replication")" = t ]'
: >"$work/data/asked"
segment=$(sql 7801 "SELECT pg_walfile_name(pg_current_wal_lsn())")
if [ -e "$two/pg_wal/$segment" ]; then has=yes; else has=no; fi
echo "WAL of the primary ends in $segment; the standby streams, has replayed it all; has it: $has"
began=$(date +%s)
sql 7802 "SELECT pg_promote()" >/dev/null
took=$(($(date +%s) - began))
echo "restore_command, which takes 2 s and has nothing, is called for:"
cat "$work/data/asked"
echo "pg_promote() took $took s"
printf '%s\n' 00000002.history "$segment" "$segment" 00000002.history 00000001.history |
    cmp - "$work/data/asked" && [ "$has" = yes ] && [ "$took" -ge 10 ]
