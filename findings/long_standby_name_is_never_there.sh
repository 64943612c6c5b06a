#!/bin/sh
# A standby's application_name is truncated to 63 bytes (NAMEDATALEN); a name in
# synchronous_standby_names is not, and there is no warning. So a standby with the same longer name
# in both is never synchronous. If the name in synchronous_standby_names is truncated by hand, it
# is.
set -eu
work=$(mktemp -d)
chmod 755 "$work"
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check 'pgserver==0.1.4' 2>/dev/null
bin=$(echo "$work"/venv/lib/python3*/site-packages/pgserver/pginstall/bin)
mkdir "$work/data" "$work/data/wal"
as=
if [ "$(id -u)" = 0 ]; then # PostgreSQL does not run as root.
    chown -R nobody "$work/data"
    as='setpriv --reuid=nobody --clear-groups'
fi
end() {
    $as "$bin/pg_ctl" -D "$work/data/one" -m immediate stop >/dev/null 2>&1 || true
    rm -rf "$work"
}
trap end EXIT
$as "$bin/initdb" -D "$work/data/one" -U postgres -A trust --no-sync >/dev/null
cat >>"$work/data/one/postgresql.conf" <<END
listen_addresses = ''
unix_socket_directories = '$work/data'
port = 7806
fsync = off
END
$as "$bin/pg_ctl" -D "$work/data/one" -w -l "$work/data/log" start >/dev/null
ask() { "$bin/psql" -h "$work/data" -p 7806 -U postgres -d postgres -XAtc "$1"; }
ask "SELECT version()"
long=standby-$(printf '%062d' 0) # 70 bytes
cut=$(printf %.63s "$long")
seen() { # The priority of the stream whose application_name is the long name.
    ask "ALTER SYSTEM SET synchronous_standby_names = '\"$1\"'" >/dev/null
    $as "$bin/pg_ctl" -D "$work/data/one" reload >/dev/null
    for _ in $(seq 100); do
        [ "$(ask "SHOW synchronous_standby_names")" = "\"$1\"" ] && break
        sleep 0.2
    done
    $as "$bin/pg_receivewal" -d "host=$work/data port=7806 user=postgres application_name=$long" \
        -D "$work/data/wal" --no-loop --synchronous >/dev/null 2>&1 &
    query="SELECT sync_priority FROM pg_stat_replication
           WHERE application_name = '$cut' AND flush_lsn IS NOT NULL"
    for _ in $(seq 100); do
        priority=$(ask "$query")
        [ -n "$priority" ] && break
        sleep 0.2
    done
    echo "$priority"
    ask "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_replication" >/dev/null
    wait
}
alike=$(seen "$long") by_hand=$(seen "$cut")
echo "application_name of 70 bytes; the same in synchronous_standby_names: sync_priority $alike"
echo "cut at 63 bytes there: sync_priority $by_hand"
[ "$alike" = 0 ] && [ "$by_hand" = 1 ]
