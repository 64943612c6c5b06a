@COMPILE@

if [ "$1" -eq 0 ]; then
    remove_compiled
fi
