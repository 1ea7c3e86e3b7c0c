#!/bin/sh
# train.sh C SOLVER EPSILON BIAS: 5-fold cross validation of a linear classifier on the digits, by the program
# `liblinear-train` of Debian's package liblinear-tools. Nothing here knows of prova: the last line of the output is
#     Cross Validation Accuracy = 96.4385%
set -eu

if [ $# -ne 4 ]; then
    echo "usage: train.sh C SOLVER EPSILON BIAS      (see liblinear-train's own help, e.g. train.sh 1 2 0.01 1)" >&2
    exit 2
fi
if ! command -v liblinear-train >/dev/null; then
    echo "train.sh: liblinear-train is not installed: apt-get install liblinear-tools" >&2
    exit 1
fi

# The images in liblinear's own format, "label pixel:value pixel:value ...", zeros left out.
data=$(mktemp)
trap 'rm -f "$data"' EXIT
awk -F, '{ printf "%d", $65; for (i = 1; i <= 64; i++) if ($i) printf " %d:%g", i, $i / 16; print "" }' \
    "$(dirname "$0")/../digits/digits.csv" >"$data"

liblinear-train -q -v 5 -c "$1" -s "$2" -e "$3" -B "$4" "$data"
