#!/bin/sh
# A standby whose restore_command is scp or ssh does not start when the archive's host is gone,
# although the primary is there to stream from: ssh exits with 255 if it cannot connect, and
# PostgreSQL takes a status above 125 for one of the shell's own, which is a reason to end recovery.
# The manual mentions "command not found". scp -O exits with 1 in the same case, and the standby
# streams.
#
# For Debian 12's openssh-client, unpacked into a temporary directory.
set -eu
work=$(mktemp -d)
chmod 755 "$work"
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check 'pgserver==0.1.4' 2>/dev/null
bin=$(echo "$work"/venv/lib/python3*/site-packages/pgserver/pginstall/bin)
mkdir "$work/data" "$work/download"
(cd "$work/download" && apt-get download -q openssh-client=1:9.2p1-2+deb12u10 >/dev/null 2>&1)
dpkg -x "$work"/download/openssh-client_*.deb "$work/root"
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
$as "$bin/initdb" -D "$one" -U postgres -A trust --no-sync >/dev/null
cat >>"$one/postgresql.conf" <<END
listen_addresses = ''
unix_socket_directories = '$work/data'
port = 7801
fsync = off
END
$as "$bin/pg_ctl" -D "$one" -w -l "$work/data/one.log" start >/dev/null
$as "$bin/pg_basebackup" -h "$work/data" -p 7801 -U postgres -D "$two" -R -c fast --no-sync
echo "port = 7802" >>"$two/postgresql.conf"
"$bin/postgres" --version
"$work/root/usr/bin/ssh" -V
# Port 1 of this host, where nothing listens, stands in for a host that is gone.
options="-S '$work/root/usr/bin/ssh' -F /dev/null -o BatchMode=yes -P 1"
streams() { # Print whether the standby starts and streams with this command.
    echo "restore_command = '$(echo "$1" | sed "s/'/''/g")'" >"$work/data/restore.conf"
    rm -f "$work/data/two.log"
    seen=no
    if $as "$bin/pg_ctl" -D "$two" -w -l "$work/data/two.log" start >/dev/null 2>&1; then
        for _ in $(seq 300); do
            seen=$("$bin/psql" -h "$work/data" -p 7801 -U postgres -d postgres -XAtqc \
                "SELECT state FROM pg_stat_replication")
            if [ "$seen" = streaming ]; then break; fi
            sleep 0.1
        done
        $as "$bin/pg_ctl" -D "$two" -w -m fast stop >/dev/null
    fi
    echo "$seen"
    sed -n 's/.*\(FATAL: .*could not restore\)/\1/p' "$work/data/two.log"
}
echo "include '$work/data/restore.conf'" >>"$two/postgresql.conf"
status=0
for word in '' -O; do
    echo "restore_command = 'scp${word:+ $word} archive:/wal/%f %p', and the host is gone; the standby streams:"
    streams "'$work/root/usr/bin/scp' $word $options 127.0.0.1:/wal/%f %p"
    case $word in -O) expected=streaming ;; *) expected=no ;; esac
    [ "$seen" = "$expected" ] || status=1
done
exit $status
