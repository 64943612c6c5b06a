#!/bin/sh
# Pgpool-II's sample follow_primary.sh asks "initdb -V" for the version of PostgreSQL, on the host
# of Pgpool-II, not on a node. With a client package, which has the pg_isready and psql that the
# sample also uses, but no initdb, the version is empty, and "[ -ge 12 ]" is an error that counts
# as false. So the sample sets up the standby as for PostgreSQL 11, with a recovery.conf, and
# PostgreSQL 12 and later do not start with one.
#
# Runs the sample of Debian 12's pgpool2, with PGHOME and PGPOOL_PATH set to a temporary directory,
# where stand-ins for ssh, psql, pg_isready and pcp_attach_node do nothing but succeed; ssh also
# records. Then starts PostgreSQL with a recovery.conf.
set -eu
work=$(mktemp -d)
chmod 755 "$work"
data=$work/data/one
as=
bin=
end() {
    [ -z "$bin" ] || $as "$bin/pg_ctl" -D "$data" -m immediate stop >/dev/null 2>&1 || true
    rm -rf "$work"
}
trap end EXIT
mkdir -p "$work/data" "$work/download" "$work/bin"
(cd "$work/download" &&
    apt-get download -q pgpool2=4.3.5-1+deb12u1 postgresql-client-15=15.20-0+deb12u1 \
        >/dev/null 2>&1)
programs=$(dpkg -c "$work"/download/postgresql-client-15_*.deb |
    grep -oE 'bin/(initdb|pg_isready|psql)$' | tr '\n' ' ')
echo "of initdb, pg_isready and psql, postgresql-client-15 has $programs"
dpkg -x "$work"/download/pgpool2_*.deb "$work/root"
sed -e "s|^PGHOME=.*|PGHOME=$work|" -e "s|^PGPOOL_PATH=.*|PGPOOL_PATH=$work/bin|" \
    "$work/root/usr/share/doc/pgpool2/examples/scripts/follow_primary.sh.sample" >"$work/sample"
for program in psql pg_isready pcp_attach_node; do
    printf '#!/bin/sh\n' >"$work/bin/$program"
done
cat >"$work/bin/ssh" <<END_OF_SSH
#!/bin/sh
for last; do :; done
printf '%s\n' "\$last" >>"$work/recorded"
END_OF_SSH
chmod 755 "$work"/bin/*
seen=
follow() { # Run the sample for a standby; print the file that it writes there, and its complaints.
    rm -f "$work/recorded"
    PATH=$work/bin:$PATH bash "$work/sample" 1 standby 5432 /data 0 primary 0 2 5432 /data \
        >"$work/said" 2>&1
    written=$(grep -o 'cat > [^ ]*' "$work/recorded")
    echo "on the standby: $written"
    grep -o '\[: .*' "$work/said" || true
    seen="$seen|$written"
}
echo "without initdb on the host of Pgpool-II:"
follow
echo "with initdb of PostgreSQL 15:"
printf '#!/bin/sh\necho "initdb (PostgreSQL) 15.20"\n' >"$work/bin/initdb"
chmod 755 "$work/bin/initdb"
follow
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check 'pgserver==0.1.4' 2>/dev/null
bin=$(echo "$work"/venv/lib/python3*/site-packages/pgserver/pginstall/bin)
if [ "$(id -u)" = 0 ]; then # PostgreSQL does not run as root.
    chown nobody "$work/data"
    as='setpriv --reuid=nobody --clear-groups'
fi
"$bin/postgres" --version
$as "$bin/initdb" -D "$data" -U postgres -A trust --no-sync >/dev/null
printf '%s\n' "listen_addresses = ''" "unix_socket_directories = '$work/data'" 'port = 7801' \
    >>"$data/postgresql.conf"
$as touch "$data/recovery.conf"
refused=
$as "$bin/pg_ctl" -D "$data" -w -l "$work/data/log" start >/dev/null 2>&1 || refused=yes
grep -o 'FATAL: .*' "$work/data/log"
[ "$programs" = 'bin/pg_isready bin/psql ' ] &&
    [ "$seen" = '|cat > /data/recovery.conf|cat > /data/myrecovery.conf' ] &&
    [ "$refused" = yes ]
