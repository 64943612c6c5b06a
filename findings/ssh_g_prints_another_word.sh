#!/bin/sh
# ssh -G prints "true" and "false" for StrictHostKeyChecking, although ssh_config and the manual
# have "yes", "no" and "off", and although the same command prints "yes" for BatchMode. A program
# that looks for "yes" in the output of ssh -G to find out whether host keys are checked concludes
# that they never are.
#
# Runs Debian's openssh-client, unpacked into a temporary directory. Exits with 1 when that changes.
set -eu
version=1:9.2p1-2+deb12u10
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
apt-get download -q "openssh-client=$version" >/dev/null
dpkg -x openssh-client_*.deb unpacked
ssh=$folder/unpacked/usr/bin/ssh
"$ssh" -V

says() {
    "$ssh" -T -F /dev/null -o "$1=$2" -G host.example | sed -n "s/^$(echo "$1" | tr A-Z a-z) //p"
}

status=0
for case in StrictHostKeyChecking:yes:true StrictHostKeyChecking:no:false \
    StrictHostKeyChecking:off:false StrictHostKeyChecking:ask:ask \
    StrictHostKeyChecking:accept-new:accept-new BatchMode:yes:yes; do
    option=${case%%:*} rest=${case#*:}
    given=${rest%%:*} expected=${rest#*:}
    found=$(says "$option" "$given")
    echo "$option=$given: ssh -G says $found"
    [ "$found" = "$expected" ] || status=1
done
exit $status
