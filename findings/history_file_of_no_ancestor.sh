#!/bin/sh
# A standby on timeline 1 requests 00000002.history from a primary on timeline 3, counting through
# the numbers, although timeline 3 forked off timeline 1. A server that was promoted past the number
# of a timeline that it saw in the archive has no such file, so the standby never streams, not even
# the WAL of timeline 1. Given the history file of the timeline that is not an ancestor of either,
# it follows.
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
one=$work/data/one stray=$work/data/stray two=$work/data/two three=$work/data/three
end() {
    for node in "$one" "$stray" "$two" "$three"; do
        $as "$bin/pg_ctl" -D "$node" -m immediate stop >/dev/null 2>&1 || true
    done
    rm -rf "$work"
}
trap end EXIT
start() {
    $as "$bin/pg_ctl" -D "$1" -w -l "$1.log" start >/dev/null
}
stop() {
    $as "$bin/pg_ctl" -D "$1" -m fast stop >/dev/null
}
promote() {
    $as "$bin/pg_ctl" -D "$1" -w promote >/dev/null
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
END
start "$one"
"$bin/postgres" --version
$as "$bin/pg_basebackup" -h "$work/data" -p 7801 -U postgres -D "$stray" -R -c fast --no-sync
stop "$one"
for node in "$two" "$three"; do
    cp -a "$stray" "$node"
done
echo "port = 7802" >>"$stray/postgresql.conf"
echo "port = 7803" >>"$two/postgresql.conf"
echo "port = 7804" >>"$three/postgresql.conf"
archive="archive_mode = on
archive_command = 'cp %p $work/data/archive/%f'"
echo "$archive" >>"$stray/postgresql.conf"
start "$stray" # A copy is promoted by mistake; it leaves its history file in the archive.
promote "$stray"
wait_for '[ -e "$work/data/archive/00000002.history" ]'
stop "$stray"
cat >>"$two/postgresql.conf" <<END
$archive
restore_command = 'cp $work/data/archive/%f %p'
recovery_target_timeline = current
END
start "$two" # The real new primary.
promote "$two"
echo "history files of the new primary: $(cd "$two/pg_wal" && echo *.history)"
echo "what it says: $(cut -f 1 "$two/pg_wal/00000003.history") is the parent"
sed -i 's/port=7801/port=7803/' "$three/postgresql.auto.conf"
start "$three"
refused='could not receive timeline history file .* "pg_wal/00000002.history"'
wait_for 'grep -q "$refused" "$three.log"'
sleep 6 # It retries every 5 seconds.
grep -o "$refused.*" "$three.log" | tail -n 1
without=$(sql 7803 "SELECT count(*) FROM pg_stat_replication")
echo "standbys that stream: $without"
stop "$three"
$as cp "$work/data/archive/00000002.history" "$two/pg_wal/00000003.history" "$three/pg_wal/"
start "$three"
wait_for '[ "$(sql 7803 "SELECT state FROM pg_stat_replication")" = streaming ]'
followed=$(sql 7804 "SELECT received_tli FROM pg_stat_wal_receiver")
echo "with the history file of the other timeline: streams timeline $followed"
[ "$without" = 0 ] && [ "$followed" = 3 ] && [ "$(cut -f 1 "$two/pg_wal/00000003.history")" = 1 ]
