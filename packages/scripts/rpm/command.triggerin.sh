@COMPILE@

# A Python has been installed or updated, and may be the one that the command runs on now. During an
# update of this package, what is compiled now would keep directories of the old one.
if [ "$1" -eq 1 ]; then
    compile || echo 'pgpool-recovery: warning: not byte-compiled; it will start slowly' >&2
fi
