#!/bin/sh
# If pgpool.conf names a healthy primary's host and port but no sr_check_user, Pgpool-II has no PCP
# for search_primary_node_timeout, 5 minutes by default, which its sample file calls the time to
# search "when a failover occurs". PCP is started only after the search, which logs in as the role
# "nobody", which does not exist on the primary. Then Pgpool-II starts nevertheless, and reports the
# primary as a standby.
#
# Runs Debian 12's pgpool2, unpacked into a temporary directory, with the libraries that it depends
# on.
set -eu
work=$(mktemp -d)
chmod 755 "$work"
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check 'pgserver==0.1.4' 2>/dev/null
bin=$(echo "$work"/venv/lib/python3*/site-packages/pgserver/pginstall/bin)
mkdir "$work/data" "$work/download"
(cd "$work/download" &&
    apt-get download -q pgpool2=4.3.5-1+deb12u1 libpgpool2=4.3.5-1+deb12u1 \
        libmemcached11=1.1.4-1 libhashkit2=1.1.4-1 >/dev/null 2>&1)
for package in "$work"/download/*.deb; do dpkg -x "$package" "$work/root"; done
libraries=$(echo "$work"/root/usr/lib/*-linux-gnu)
as=
if [ "$(id -u)" = 0 ]; then # PostgreSQL does not run as root.
    chown nobody "$work/data"
    as='setpriv --reuid=nobody --clear-groups'
fi
one=$work/data/one
pgpool=
end() {
    if [ -n "$pgpool" ]; then
        kill -INT "$pgpool" 2>/dev/null || true
        wait "$pgpool" || true
    fi
    $as "$bin/pg_ctl" -D "$one" -m immediate stop >/dev/null 2>&1 || true
    rm -rf "$work"
}
trap end EXIT
ask() { # Run psql on a port, for at most ten seconds.
    PGCONNECT_TIMEOUT=10 "$bin/psql" -h "$work/data" -p "$1" -U postgres -d postgres -XAtqc "$2"
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
LD_LIBRARY_PATH=$libraries "$work/root/usr/sbin/pgpool" --version 2>&1
cat >"$work/data/pgpool.conf" <<END
backend_hostname0 = '$work/data'
backend_port0 = 7801
search_primary_node_timeout = 8
# Where to listen and write: in the temporary directory.
listen_addresses = ''
socket_dir = '$work/data'
port = 7802
pcp_listen_addresses = ''
pcp_socket_dir = '$work/data'
pcp_port = 7803
pid_file_name = '$work/data/pgpool.pid'
logdir = '$work/data'
END
echo "somebody:$(printf word | md5sum | cut -d ' ' -f 1)" >"$work/data/pcp.conf"
: >"$work/data/pool_hba.conf"
echo "*:*:somebody:word" >"$work/pcppass"
chmod 600 "$work/pcppass"
try() { # Print after how many seconds PCP answers, and the role of the primary then.
    began=$(date +%s)
    LD_LIBRARY_PATH=$libraries $as "$work/root/usr/sbin/pgpool" -n -D -f "$work/data/pgpool.conf" \
        -F "$work/data/pcp.conf" -a "$work/data/pool_hba.conf" >"$work/pgpool.log" 2>&1 &
    pgpool=$!
    nodes=
    for _ in $(seq 600); do
        if nodes=$(LD_LIBRARY_PATH=$libraries PCPPASSFILE=$work/pcppass \
            "$work/root/usr/sbin/pcp_node_count" -h "$work/data" -p 7803 -U somebody -w \
            2>"$work/error"); then break; fi
        sed "s|$work|…|g" "$work/error" >"$work/last"
        sleep 0.1
    done
    took=$(($(date +%s) - began))
    role=$(ask 7802 "SHOW pool_nodes" | cut -d '|' -f 7)
    kill -INT "$pgpool"
    wait "$pgpool" || true
    pgpool=
    echo "after $took s pcp_node_count says $nodes; SHOW pool_nodes: $role"
}
echo "in recovery: $(ask 7801 "SELECT pg_is_in_recovery()"), search_primary_node_timeout: 8 s"
echo "without sr_check_user:"
try
cat "$work/last"
role_without=$role took_without=$took
grep -o 'FATAL:  role .*' "$work/data/one.log" | sort -u
echo "sr_check_user = 'postgres':"
echo "sr_check_user = 'postgres'" >>"$work/data/pgpool.conf"
try
[ "$took_without" -ge 8 ] && [ "$role_without" = standby ] && [ "$role" = primary ] &&
    grep -q 'role "nobody" does not exist' "$work/data/one.log"
