# Random programs print what the reference interpreter says: all of them where there are loops, else those without.

programs() {
    kind=plain
    if kernel_from 5.17; then kind='*'; fi
    for script in /programs/*-$kind.pf; do
        name=$(basename "$script" .pf)
        trace -q "$script"
        [ "$status" = 0 ] || fail "$name: $(grep -m1 -E '^(error|pfscript)' err)"
        cmp -s out "${script%.pf}.out" || fail "$name prints other things: $(diff out "${script%.pf}.out" | head -3 | tr '\n' ' ')"
        ran=$((ran + 1))
    done
    echo "$ran programs"
    at_least 10 "$ran" "programs that ran"
}
check programs programs
