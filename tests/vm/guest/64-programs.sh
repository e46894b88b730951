# Random programs print what the reference interpreter says: all of them where there are loops, else those without. So do programs of
# time series, which have a clock of their own.

same() {
    name=$(basename "$script" .pf)
    [ "$status" = 0 ] || fail "$name: $(grep -m1 -E '^(error|pfscript)' err)"
    cmp -s out "${script%.pf}.out" || fail "$name prints other things: $(diff out "${script%.pf}.out" | head -3 | tr '\n' ' ')"
    ran=$((ran + 1))
}

programs() {
    kind=plain
    if kernel_from 5.17; then kind='*'; fi
    for script in /programs/*-$kind.pf; do
        trace --unsafe -q "$script"
        same
    done
    export BPFTRACE_DUMMY_TS_MAP=@ts
    for script in /programs/*.series.pf; do
        trace -q -f json "$script"
        same
    done
    unset BPFTRACE_DUMMY_TS_MAP
    echo "$ran programs"
    at_least 10 "$ran" "programs that ran"
}
check programs programs
