#!/bin/sh
# A standby that replayed more of the old timeline than its sibling had when that was promoted
# cannot follow it. While it runs, or after an orderly shutdown, it is refused. After a crash it is
# not: if an archive has the history file, it starts, reads all of its own pg_wal, streams from the
# new primary, which reports it as streaming with replay_lsn beyond what it sent, and shows rows
# that the primary never had. No line in its log mentions the fork.
set -eu
work=$(mktemp -d)
chmod 755 "$work"
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check 'pgserver==0.1.4' 2>/dev/null
bin=$(echo "$work"/venv/lib/python3*/site-packages/pgserver/pginstall/bin)
mkdir -p "$work/data/archive"
as=
if [ "$(id -u)" = 0 ]; then # PostgreSQL does not run as root.
    chown nobody "$work/data" "$work/data/archive"
    as='setpriv --reuid=nobody --clear-groups'
fi
one=$work/data/one two=$work/data/two three=$work/data/three
end() {
    for node in "$one" "$two" "$three"; do
        $as "$bin/pg_ctl" -D "$node" -m immediate stop >/dev/null 2>&1 || true
    done
    rm -rf "$work"
}
trap end EXIT
start() {
    $as "$bin/pg_ctl" -D "$1" -w -l "$1.log" start >/dev/null
}
copy() { # Create a standby of the first server, with its own port.
    $as "$bin/pg_basebackup" -h "$work/data" -p 7801 -U postgres -D "$1" -R -c fast --no-sync
    echo "port = $2" >>"$1/postgresql.conf"
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
archive_mode = on
archive_command = 'cp %p $work/data/archive/%f'
restore_command = 'cp $work/data/archive/%f %p'
END
start "$one"
"$bin/postgres" --version
copy "$two" 7802
copy "$three" 7803
start "$three" # The other one is down meanwhile, so it falls behind.
sql 7801 "CREATE TABLE t AS SELECT g FROM generate_series(1, 20000) AS g"
wait_for '[ "$(sql 7803 "SELECT count(*) FROM t" 2>/dev/null)" = 20000 ]'
for node in "$one" "$three"; do # As after a power failure.
    $as "$bin/pg_ctl" -D "$node" -m immediate stop >/dev/null
done
start "$two"
$as "$bin/pg_ctl" -D "$two" -w promote >/dev/null
wait_for '[ -e "$work/data/archive/00000002.history" ]'
echo "fork, by the archive's 00000002.history: $(cut -f 2 "$work/data/archive/00000002.history")"
sql 7802 "CREATE TABLE u (a int)" # The new timeline advances.
sed -i 's/port=7801/port=7802/' "$three/postgresql.auto.conf"
: >"$three.log"
start "$three"
wait_for '[ "$(sql 7802 "SELECT replay_lsn > sent_lsn FROM pg_stat_replication")" = t ]'
sleep 2 # It remains in that state.
echo "on the new primary, state, sent_lsn, replay_lsn, replay_lsn > sent_lsn:"
sql 7802 "SELECT state, sent_lsn, replay_lsn, replay_lsn > sent_lsn FROM pg_stat_replication" |
    tee "$work/row"
has="SELECT concat_ws(' and ', to_regclass('t'), to_regclass('u'))"
on_primary=$(sql 7802 "$has")
on_standby=$(sql 7803 "$has")
echo "tables of the primary: $on_primary; of its standby: $on_standby"
said=$(grep -c 'fork\|not a child' "$three.log" || true)
echo "lines about the fork in the standby's log: $said"
grep -q '^streaming|.*|t$' "$work/row" && [ "$said" = 0 ] &&
    [ "$on_primary" = u ] && [ "$on_standby" = t ]
