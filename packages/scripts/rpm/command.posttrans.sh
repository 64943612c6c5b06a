@COMPILE@

# The command works without this, only slower.
remove_compiled
compile || echo 'pgpool-recovery: warning: not byte-compiled; it will start slowly' >&2
