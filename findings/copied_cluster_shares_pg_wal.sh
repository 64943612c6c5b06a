#!/bin/sh
# "cp -a" of a stopped cluster that was made with "initdb -X" copies the link pg_wal, not the WAL.
# The copy starts while the original runs, although both then write their WAL to the same file, at
# the same positions: postmaster.pid and the shared memory guard a data directory, and nothing
# guards the WAL directory. Neither server logs as much as a warning, and WAL that the original has
# committed, and would need after a crash, is overwritten.
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
note() { # Commit a word to the WAL of the server on a port; print where that begins.
    sql "$1" "SELECT pg_current_wal_lsn() FROM pg_logical_emit_message(true, 'word', '$2')"
}
words() { # Print the words that are in the WAL.
    grep -aoh 'written-by-[a-z]*' "$work"/data/wal/0000*
}
$as "$bin/initdb" -D "$one" -X "$work/data/wal" -U postgres -A trust --no-sync >/dev/null
cat >>"$one/postgresql.conf" <<END
listen_addresses = ''
unix_socket_directories = '$work/data'
port = 7801
fsync = off
autovacuum = off
checkpoint_timeout = 1h
wal_level = minimal
max_wal_senders = 0
END
"$bin/postgres" --version
$as cp -a "$one" "$two"
echo "port = 7802" >>"$two/postgresql.conf"
$as "$bin/pg_ctl" -D "$one" -w -l "$work/data/one.log" start >/dev/null
first=$(note 7801 written-by-original)
before=$(words)
echo "the original commits a word at $first; words in the WAL: $before"
started=yes
$as "$bin/pg_ctl" -D "$two" -w -l "$work/data/two.log" start >/dev/null || started=no
echo "the copy starts beside it: $started"
[ "$started" = yes ]
second=$(note 7802 written-by-copy)
after=$(words)
echo "the copy commits a word at $second; words in the WAL: $after"
runs=$(sql 7801 "SELECT count(*) FROM pg_stat_activity WHERE pid = pg_backend_pid()")
echo "the original still answers: $runs"
said=$(cat "$work"/data/*.log | grep -cE ' (WARNING|ERROR|FATAL|PANIC): ') || true
echo "warnings and errors in both logs: $said"
[ "$second" = "$first" ] && [ "$before" = written-by-original ] &&
    [ "$after" = written-by-copy ] && [ "$runs" = 1 ] && [ "$said" = 0 ]
