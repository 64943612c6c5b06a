# Set `python` to the distribution's default Python if that is 3.11 or later, else to the newest;
# empty if there is none.
choose_python() {
    python=
    for candidate in /usr/bin/python3.1[1-9] /usr/bin/python3.[2-9][0-9]; do
        if [ -x "$candidate" ]; then
            python=$candidate
            # shellcheck disable=SC3013 # dash and bash have -ef, and it needs no process
            if [ /usr/bin/python3 -ef "$candidate" ]; then
                break
            fi
        fi
    done
}
