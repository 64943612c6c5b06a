#!/bin/sh
# pg_createcluster makes the missing parent of the data directory, /var/lib/postgresql/16, and gives
# it to postgres, so that postgres can replace the data directory without root. With -d and the very
# same path it makes the parent too, but leaves it to root. So "rm -rf" of the data directory as
# postgres, with which Pgpool-II's sample recovery_1st_stage begins, removes all that is in it, but
# not the directory itself, and fails, so that the sample never gets to its pg_basebackup.
#
# Runs Debian 12's postgresql-common, and pgserver's PostgreSQL, in a root and mounts of their
# own, with the programs of this system. Needs root, because it is about two owners.
set -eu
version=248+deb12u2
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
chmod 755 "$work"
mkdir -p "$work/download" "$work/root" "$work/top/usr/lib/postgresql"
(cd "$work/download" &&
    apt-get download -q "postgresql-common=$version" "postgresql-client-common=$version" \
        >/dev/null 2>&1)
for package in "$work"/download/*.deb; do dpkg -x "$package" "$work/top"; done
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check 'pgserver==0.1.4' 2>/dev/null
ln -s /venv/pgserver/pginstall "$work/top/usr/lib/postgresql/16"
cat >"$work/make" <<'END_OF_MAKE'
set -eu
cd "$1/root"
mount -t tmpfs -o mode=755 tmpfs .
cd "$1/root"
mkdir usr venv proc dev etc tmp run var var/log var/lib
for folder in bin sbin lib lib64; do ln -s "usr/$folder" "$folder"; done
ln -s /run var/run
mount -t overlay -o "lowerdir=$1/top/usr:/usr" overlay usr
mount --bind "$(echo "$1"/venv/lib/python3*/site-packages)" venv
mount --bind /proc proc
mount --rbind /dev dev
cp /etc/ld.so.cache etc
printf '%s\n' root:x:0:0::/:/bin/sh postgres:x:100:100::/var/lib/postgresql:/bin/sh >etc/passwd
printf '%s\n' root:x:0: adm:x:4: postgres:x:100: >etc/group
chmod 1777 tmp
mkdir etc/postgresql etc/postgresql-common
install -d -o 100 -g 100 var/lib/postgresql # As postgresql-common makes it.
shift
LC_ALL=C.UTF-8 chroot . /usr/bin/pg_createcluster --quiet --no-status -p 5432 "$@" \
    16 main >/dev/null
chroot . stat -c '%n: %U' /var/lib/postgresql/16 /var/lib/postgresql/16/main
status=0
LC_ALL=C chroot . setpriv --reuid=100 --regid=100 --clear-groups \
    rm -rf /var/lib/postgresql/16/main 2>&1 || status=$?
echo "rm -rf: exit status $status; left: $(chroot . find /var/lib/postgresql/16 -mindepth 1)"
END_OF_MAKE
try() { # Make a cluster in a fresh root, and remove its data directory as postgres.
    echo "pg_createcluster${*:+ $*} 16 main:"
    env -i PATH="$PATH" unshare --mount sh "$work/make" "$work" "$@" >"$work/said"
    cat "$work/said"
}
echo "postgresql-common $version"
try
cp "$work/said" "$work/first"
try -d /var/lib/postgresql/16/main
grep -q '^/var/lib/postgresql/16: postgres$' "$work/first"
grep -q 'exit status 0; left: $' "$work/first"
grep -q '^/var/lib/postgresql/16: root$' "$work/said"
grep -q 'exit status 1; left: /var/lib/postgresql/16/main$' "$work/said"
