#!/bin/sh
# sshd_config(5) says that the first value obtained for a keyword is used. If there are two lines of
# MaxStartups, PerSourceMaxStartups, PerSourceNetBlockSize or IPQoS, the last one is used: a file in
# sshd_config.d that is included at the top overrides the rest of sshd_config for other keywords,
# but not for these.
#
# Runs Debian 12's openssh-server, unpacked into a temporary directory, as "sshd -T", which accepts
# no connections, with the libraries that openssh-server depends on. Exits with 1 when that changes.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
chmod 755 "$folder"
mkdir "$folder/download" "$folder/own"
(cd "$folder/download" &&
    apt-get download -q openssh-server=1:9.2p1-2+deb12u10 openssh-client=1:9.2p1-2+deb12u10 \
        libwrap0=7.6.q-32 >/dev/null 2>&1)
for package in "$folder"/download/*.deb; do dpkg -x "$package" "$folder/root"; done
as=
if [ "$(id -u)" = 0 ]; then # As root, sshd requires /run/sshd.
    chown nobody "$folder/own"
    as='setpriv --reuid=nobody --clear-groups'
fi
export LD_LIBRARY_PATH="$(echo "$folder"/root/usr/lib/*-linux-gnu)"
$as "$folder/root/usr/bin/ssh-keygen" -q -t ed25519 -N '' -f "$folder/own/key"
"$folder/root/usr/bin/ssh" -V

status=0
for case in LoginGraceTime=11,22=first MaxAuthTries=2,3=first MaxSessions=4,5=first \
    MaxStartups=20:30:40,50:60:70=last PerSourceMaxStartups=3,4=last \
    PerSourceNetBlockSize=24:64,8:16=last IPQoS=ef,cs1=last; do
    word=${case%%=*} expected=${case##*=}
    values=${case#*=} values=${values%=*}
    first=${values%,*} last=${values#*,}
    printf '%s %s\n' "$word" "$first" "$word" "$last" >"$folder/config"
    used=$($as "$folder/root/usr/sbin/sshd" -T -f "$folder/config" -h "$folder/own/key" |
        grep -i "^$word " | cut -d ' ' -f 2)
    echo "$word $first, then $word $last: $used is used"
    case $expected in first) expected=$first ;; last) expected=$last ;; esac
    [ "$used" = "$expected" ] || status=1
done
exit $status
