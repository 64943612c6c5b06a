#!/bin/sh
# With synchronous_standby_names = '*', a running pg_basebackup that streams WAL counts as a
# synchronous standby, with its own temporary slot, which is the default: commits may wait for it.
# With --no-slot it does not.
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
end() { # The backups end with their server.
    $as "$bin/pg_ctl" -D "$work/data/one" -m immediate stop >/dev/null 2>&1 || true
    rm -rf "$work"
}
trap end EXIT
$as "$bin/initdb" -D "$work/data/one" -U postgres -A trust --no-sync >/dev/null
cat >>"$work/data/one/postgresql.conf" <<END
listen_addresses = ''
unix_socket_directories = '$work/data'
port = 7804
fsync = off
synchronous_standby_names = '*'
END
$as "$bin/pg_ctl" -D "$work/data/one" -w -l "$work/data/log" start >/dev/null
ask() { "$bin/psql" -h "$work/data" -p 7804 -U postgres -d postgres -XAtc "$1"; }
ask "SELECT version()"
seen() { # The sync_state of a slow backup's WAL stream, once it streams.
    $as "$bin/pg_basebackup" -h "$work/data" -p 7804 -U postgres -D "$work/data/$1" -c fast \
        --no-sync -X stream --max-rate=64k $2 >/dev/null 2>&1 &
    state=
    for _ in $(seq 100); do
        state=$(ask "SELECT sync_state FROM pg_stat_replication WHERE state = 'streaming'")
        [ "$state" = sync ] && break
        sleep 0.2
    done
    echo "$state"
    ask "SELECT pg_terminate_backend(pid) FROM pg_stat_replication" >/dev/null
    for _ in $(seq 100); do
        [ "$(ask "SELECT count(*) FROM pg_stat_replication")" = 0 ] && break
        sleep 0.2
    done
}
with=$(seen with "") without=$(seen without --no-slot)
echo "pg_basebackup -X stream: sync_state \"$with\"; with --no-slot: \"$without\""
[ "$with" = sync ] && [ "$without" != sync ]
