#!/bin/sh
# The control file of a base backup on which no server has been started says "in production",
# because it is the primary's, even beside a standby.signal. According to it, a new standby is a
# primary that crashed. So pg_checksums --check, with which one might check a backup, refuses it as
# a cluster that is not shut down. After the first start it says "in archive recovery".
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
state() {
    "$bin/pg_controldata" "$two" | sed -n 's/^Database cluster state: *//p'
}
$as "$bin/initdb" -D "$one" -U postgres -A trust -k --no-sync >/dev/null
cat >>"$one/postgresql.conf" <<END
listen_addresses = ''
unix_socket_directories = '$work/data'
port = 7801
fsync = off
END
$as "$bin/pg_ctl" -D "$one" -w -l "$work/data/one.log" start >/dev/null
"$bin/postgres" --version
$as "$bin/pg_basebackup" -h "$work/data" -p 7801 -U postgres -D "$two" -R -c fast --no-sync
echo "port = 7802" >>"$two/postgresql.conf"
ls "$two/standby.signal" >/dev/null
fresh=$(state)
echo "a copy with a standby.signal, never started: $fresh"
status=0
$as "$bin/pg_checksums" --check -D "$two" >"$work/said" 2>&1 || status=$?
echo "pg_checksums --check: exit status $status"
cat "$work/said"
$as "$bin/pg_ctl" -D "$two" -w -l "$work/data/two.log" start >/dev/null
started=$(state)
echo "started: $started"
[ "$fresh" = 'in production' ] && [ "$started" = 'in archive recovery' ] &&
    [ "$status" = 1 ] && grep -q 'cluster must be shut down' "$work/said"
