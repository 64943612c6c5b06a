@PYTHON@

# Byte-compile the command, so that it starts quickly also for users who cannot write here.
compile() {
    choose_python
    if [ -z "$python" ]; then
        echo 'pgpool-recovery: there is no Python 3.11 or later in /usr/bin' >&2
        return 1
    fi
    "$python" -IS -m compileall -q --invalidation-mode timestamp /usr/lib/pgpool-recovery
}

remove_compiled() {
    find /usr/lib/pgpool-recovery -depth -type d -name __pycache__ -exec rm -r {} +
}
