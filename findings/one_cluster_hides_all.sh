#!/bin/sh
# pg_lsclusters of postgresql-common exits with 1, and lists no cluster at all, if one of several
# has a postgresql.conf without unix_socket_directories and a data directory that pg_lsclusters
# cannot determine or access (a server is started with its own -D, or a disk is not mounted). With
# the arguments "15 one" it lists that cluster; with unix_socket_directories it lists the odd one
# too, as <unknown>.
#
# Runs Debian 12's postgresql-common, unpacked into a temporary directory; it needs perl, but no
# server. Exits with 1 when that changes.
set -eu
version=248+deb12u2
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
mkdir -p "$folder/download" "$folder/data" "$folder/etc/15/one" "$folder/etc/15/odd"
(cd "$folder/download" &&
    apt-get download -q "postgresql-common=$version" "postgresql-client-common=$version" \
        >/dev/null 2>&1)
for package in "$folder"/download/*.deb; do dpkg -x "$package" "$folder/root"; done
cat >"$folder/etc/15/one/postgresql.conf" <<END
data_directory = '$folder/data'
unix_socket_directories = '$folder/data'
port = 7801
END
odd=$folder/etc/15/odd/postgresql.conf
list() { # Print the listed clusters and the exit status.
    status=0
    PG_CLUSTER_CONF_ROOT=$folder/etc perl -T -I "$folder/root/usr/share/perl5" \
        "$folder/root/usr/bin/pg_lsclusters" --no-header "$@" \
        >"$folder/listed" 2>"$folder/said" || status=$?
    seen=$(echo $(cut -c 1-7 "$folder/listed") "exits with $status")
    echo "$seen"
    grep '^Error' "$folder/said" | sed "s|$folder|…|g" || true
}
echo "postgresql-common $version"
echo "15/odd says only its port:"
echo "port = 7802" >"$odd"
list
[ "$seen" = 'exits with 1' ]
echo "and is it 15/one that is asked for:"
list 15 one
[ "$seen" = '15 one exits with 0' ]
echo "15/odd says unix_socket_directories as well:"
echo "unix_socket_directories = '$folder/data'" >>"$odd"
list
[ "$seen" = '15 odd 15 one exits with 0' ]
echo "15/odd says a data_directory that is not there:"
printf '%s\n' "port = 7802" "data_directory = '$folder/none'" >"$odd"
list
[ "$seen" = 'exits with 1' ]
