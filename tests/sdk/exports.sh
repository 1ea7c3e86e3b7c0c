#!/bin/sh
# exports.sh LIBRARY HEADER: the library gives away the functions of the header, all of them and nothing else.
set -eu
exported=$(nm -D --defined-only "$1" | awk '{ sub(/@.*/, "", $3); print $3 }' | sort)
strange=$(printf '%s\n' "$exported" | grep -v '^prova_' || true)
if [ -n "$strange" ]; then
    printf "exported, but not of prova.h: %s\n" "$strange"
    exit 1
fi
for name in $(grep -A1 '^PROVA_API' "$2" | grep -o 'prova_[a-z_]*(' | tr -d '('); do
    printf '%s\n' "$exported" | grep -qx "$name" || { echo "declared, but not exported: $name"; exit 1; }
done
