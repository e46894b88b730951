# Facts that were recorded give the answers of this kernel, and say with a caret what it lacks.

# Checks SCRIPT by the recorded facts and by the kernel itself: same status, same messages.
alike() {
    trace --check -e "$1"
    live=$status
    cp err live.err
    trace --check --facts /tmp/kernel.facts -e "$1"
    [ "$status" = "$live" ] || fail "$1: status $live, by recorded facts $status: $(head -n 3 err | tr '\n' ' ')"
    grep -v '^pfscript: "this kernel" is ' err >recorded.err || true
    cmp -s live.err recorded.err || fail "$1: other messages: $(head -n 3 recorded.err | tr '\n' ' ')"
}

facts() {
    trace_well --record-facts /tmp/kernel.facts
    alike 'kprobe:vfs_read { @[args.file, func] = count(); }'
    alike 'kprobe:vfs_raed { @ = count(); }'
    alike 'kprobe:tcp_* { @[func] = count(); }'
    alike 'tracepoint:sched:sched_switch { @[args.prev_comm] = count(); }'
    alike 'tracepoint:sched:sched_swich { @ = count(); }'
    alike 'rawtracepoint:sched_switch { @ = args.prev; }'
    alike 'BEGIN { print(kaddr("no_such_symbol")); }'
    alike 'software:faults:1 { @[vma(1)] = count(); }'
    alike 'BEGIN { @a[1] = 1; print(len(@a)); }'
}
check facts facts

# What a later kernel has.
lacking() {
    kernel_from 5.13 && skip "has it all"
    trace --check --facts /tmp/kernel.facts -e 'BEGIN { @a[1] = 1; print(len(@a)); }'
    [ "$status" = 1 ] || fail "a missing helper is not refused"
    grep -q 'bpf_for_each_map_elem' err && grep -q '\^\^\^' err || fail "$(cat err)"
}
check facts-lacking lacking
