#!/bin/bash
# run.sh EXAMPLE SOURCES PROVA PROGRAMS: runs one example with a small budget in a folder of its own.
set -eu
example=$1 sources=$2 prova=$3 programs=$4
export PROVA_BIN="$prova"

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"

die() {
    echo "$example: $*" >&2
    exit 1
}

# has TEXT FILE
has() {
    grep -qF -- "$1" "$2" || die "expected '$1', got: $(cat "$2")"
}

# sweep FILE TRIALS [SETTING]...: what it prints as JSON goes to `out`.
sweep() {
    file=$1 trials=$2
    shift 2
    "$prova" run "$file" --json --set limits.trials="$trials" "$@" 2>err >json || die "exit status $?: $(cat err)"
    tr -d ' ' <json >out
    has '"state":"completed"' out
}

case $example in
digits_command)
    sweep "$sources/digits/sweep.yaml" 4 --set parameters.epochs.value=2 --set train.directory="$programs"
    has '"COMPLETED":4' out
    ;;
digits_library)
    sweep "$sources/digits/sweep-library.yaml" 4 --set parameters.epochs.value=2 --set train.directory="$programs"
    has '"COMPLETED":4' out
    ;;
digits_contexts) # one object file, to the bit: a study, a search, a single run and a training on two workers
    cp "$programs/libdigits.so" .
    chmod a-w libdigits.so
    sha256sum libdigits.so >object
    here=(--set train.directory="$folder" --set parameters.epochs.value=2)
    sweep "$sources/digits/ablation.yaml" null "${here[@]}" --set ablation.repeats=2
    has '"COMPLETED":28' out
    has '"rank":1,"component":"group:top"' out
    [ "$(grep -o '"state":"compared"' out | wc -l)" -eq 13 ] || die "expected 13 components: $(cat out)"
    grep -q '"component":"feature:row0","kind":"feature","name":"row0"' out || die "no row0: $(cat out)"
    "$prova" export digits-ablation >trials
    # what is left out is heard: with one seed, no two variants of a repeat come to the same loss
    "$prova" export digits-ablation --reports >reports
    losses=$(awk -F, '$1 <= 14 && $3 == 1 && $4 == "val_loss" { print $5 }' reports | sort -u | wc -l)
    [ "$losses" -eq 14 ] || die "expected 14 different losses: $(cat reports)"
    sweep "$sources/digits/ablation.yaml" 3 "${here[@]}" --set context=optimization
    has '"COMPLETED":3' out
    sweep "$sources/digits/ablation.yaml" 3 "${here[@]}" --set context=single
    has '"COMPLETED":1' out
    world=1 runtime=env # without MPI a training on one
    if command -v mpirun >/dev/null && [ -e "$(dirname "$prova")/libprova_mpi.so" ]; then
        world=2 runtime=mpi
    fi
    sweep "$sources/digits/ablation.yaml" 3 "${here[@]}" --set context=distributed --set workers=2 \
        --set "distributed={workers: $world, runtime: $runtime}"
    has '"COMPLETED":1' out
    sha256sum --check --quiet object || die "the library has changed"
    sha256sum "$programs/libdigits.so" | grep -q "^$(cut -d' ' -f1 object)" || die "another library was run"
    ;;
digits_asha) # real trainings with fixed seeds: better than random search that uses as many epochs
    run="$prova run $sources/digits/asha.yaml --quiet --workers 1 --set train.directory=$programs"
    asha=0 random=0
    for seed in 2 3 4; do
        $run --set seed=$seed >out 2>err || die "$(cat err)"
        $run --set seed=$seed --set schedule=full --set name=digits-random >out 2>err || die "$(cat err)"
        "$prova" export digits-asha >table
        # a trial that went on did so from its checkpoint: every epoch was reported once, and none again
        epochs=$(awk -F, 'NR > 1 && $5 { if ($5 != $4 + 1) exit 1; n += $5 } END { print n }' table) ||
            die "not every epoch is there once: $(cat table)"
        [ "$epochs" -le 271 ] || die "$epochs epochs"
        asha=$("$prova" best digits-asha --json | awk -F'"value":' -v n="$asha" '{ print n + $2 }')
        random=$("$prova" best digits-random --json | awk -F'"value":' -v n="$random" '{ print n + $2 }')
    done
    awk -v a="$asha" -v r="$random" 'BEGIN { exit !(a > r) }' || die "asha $asha, random $random, of 3"
    ;;
digits_lagom)
    "$programs/digits_lagom" --trials 4 --epochs 2 >out 2>err || die "exit status $?: $(cat err)"
    has 'best trial' out
    has '4 completed' out
    "$programs/digits_lagom" --trials 4 --epochs 2 --resume >out 2>err # nothing is left to resume: a new one
    "$prova" ls --json >out
    [ "$(grep -o '"name": "digits-lagom"' out | wc -l)" -eq 2 ] || die "expected two experiments: $(cat out)"
    ;;
digits_inside) # the program that calls prova_lagom, as the command of somebody else's sweep
    cat >sweep.yaml <<EOF
name: inside
train: {command: ["$programs/digits_lagom"]}
metric: {name: accuracy, goal: maximize}
parameters:
  lr:     {min: 0.01, max: 0.1, scale: log}
  hidden: {value: 16}
  layers: {value: 1}
  batch:  {value: 32}
  solver: {value: adam}
  activation: {value: relu}
  weight_decay: {value: 0.0}
  epochs: {value: 2}
workers: 2
EOF
    sweep sweep.yaml 3
    has '"COMPLETED":3' out
    "$prova" export inside --format csv >table 2>err || die "$(cat err)"
    ;;
digits_usage)
    for program in digits_mlp digits_lagom; do
        "$programs/$program" --help >out
        has "usage: $program" out
        "$programs/$program" --nonsense 2>err && die "$program takes any option"
        has "--help" err
    done
    "$programs/digits_mlp" --lr fast 2>err && die "takes any rate"
    has "--lr: expected a number above 0, not 'fast'" err
    "$programs/digits_mlp" --data /nonexistent 2>err && die "takes any file"
    has "/nonexistent" err
    "$programs/digits_lagom" --trials many 2>err && die "takes any number"
    has "limits.trials=many" err
    ;;
liblinear)
    command -v liblinear-train >/dev/null || exit 77
    sweep "$sources/liblinear/sweep.yaml" 3 --set parameters.solver='{value: 2}'
    has '"COMPLETED":3' out
    ;;
*)
    die "no such example"
    ;;
esac
