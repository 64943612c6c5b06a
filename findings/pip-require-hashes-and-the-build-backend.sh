#!/bin/sh
# pip: with --require-hashes everything that is installed needs a hash, but what builds it needs none.
#
# A source archive that is pinned by its hash is built in isolation, and the build backend that its
# pyproject.toml names is downloaded for that in whatever version the index has, without a hash, and
# run. Hash-checking mode says nothing of it. Only --no-build-isolation with a backend that was
# installed by hash before, or nothing but wheels (--only-binary :all:), closes it.
#
# Needs Python 3 with venv, and a package index as pip is configured. Exit status 1 when it changed.
set -eu

directory=$(mktemp -d)
trap 'rm -rf "$directory"' EXIT
cd "$directory"
python3 -m venv venv >/dev/null
venv/bin/pip install --quiet 'pip==25.3' >/dev/null 2>&1
cat >requirements.txt <<'END'
mdurl==0.1.2 --hash=sha256:bb413d29f5eea38f31dd4754dd7377d4465116fb207585f97bf925588687c1ba
END

venv/bin/pip --version | sed 's/ from.*//'
echo "requirements.txt: $(cat requirements.txt)"
venv/bin/pip install --require-hashes --no-binary mdurl -r requirements.txt --verbose >said 2>&1 || {
	tail -5 said
	exit 1
}
echo "pip install --require-hashes --no-binary mdurl -r requirements.txt"
grep -E 'Installing build dependencies: started|Collecting flit_core|Successfully installed' said |
	sed -E 's/^ +//' || true

# No line of the file names the backend, and none of its hashes could have been looked at.
if grep -q 'Collecting flit_core' said && ! grep -q flit requirements.txt; then
	echo "flit_core was downloaded and run, and no hash of it was asked for"
	exit 0
fi
echo "changed: the build backend was not taken without a hash"
exit 1
