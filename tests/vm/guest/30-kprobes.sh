# kprobes and kretprobes: arguments, return values, names, wildcards.

kretprobe_retval() {
    trace_well -e 'kretprobe:do_sys_openat2 /comm == "opens"/ { @[(int32)retval] = count(); }' -c "opens 50 /missing"
    # ENOENT
    exactly 50 "$(rows out | sed -n 's/^@\[-2\]: //p')" "calls that returned -2"
}
check kretprobe-retval kretprobe_retval

# The second argument is a string of the user's.
kprobe_arguments() {
    trace_well -e 'kprobe:do_sys_openat2 /comm == "opens"/ { @[str(uptr(arg1))] = count(); }' -c "opens 50 /missing"
    exactly 50 "$(rows out | sed -n 's/^@\[\/missing\]: //p')" "calls with /missing"
}
check kprobe-arguments kprobe_arguments

# Several probes on one function run in the script's order, on entry and on return.
kprobe_order() {
    for probe in kprobe kretprobe; do
        trace_well -e "$probe:do_sys_openat2 { @o[tid] = 1; } $probe:do_sys_openat2 { @o[tid] = @o[tid] * 10 + 2; }
            $probe:do_sys_openat2 /comm == \"opens\"/ { @seen[@o[tid] * 10 + 3] = count(); } END { clear(@o); }" \
            -c "opens 50 /missing"
        at_least 50 "$(rows out | sed -n 's/^@seen\[123\]: //p')" "calls in order of $probe"
        ! rows out | grep '^@seen' | grep -v '^@seen\[123\]' || fail "another order of $probe"
    done
}
check kprobe-order kprobe_order

# A function that the compiler changed has another name: it is meant by its own, whether the script is checked or run.
kprobe_changed_function() {
    changed=$(awk '$2 ~ /[tT]/ { if (sub(/\.isra\.0$/, "", $3)) split_off[$3]; else whole[$3] }
        END { for (name in split_off) if (!(name in whole)) print name }' /proc/kallsyms |
        grep -Fx -e finish_task_switch -e do_sys_openat2 -e vfs_statx -m 1)
    [ -n "$changed" ] || skip "no function was changed"
    for mode in --check --dry-run; do
        trace_well "$mode" -e "kprobe:$changed { @ = count(); }"
        trace_well "$mode" -e "kprobe:$changed.isra.0 { @ = count(); }"
    done
    trace_well -e "kprobe:$changed { @ = count(); exit(); } interval:s:5 { exit(); }"
    contains err "^note: .$changed. is .$changed.isra.0." "the note"
}
check kprobe-changed-function kprobe_changed_function

kprobe_wildcard() {
    trace_well -e 'kprobe:vfs_re* { @[func] = count(); }' -c "cat /guest/lib"
    at_least 1 "$(rows out | sed -n 's/^@\[vfs_read\]: //p')" "calls of vfs_read"
    contains err '^Attached ([2-9]|[0-9][0-9]+) probes' "the wildcard"
    ! rows out | grep -v '^@\[vfs_re' || fail "a function that the wildcard does not match"
}
check kprobe-wildcard kprobe_wildcard

list_agrees_with_the_kernel() {
    trace_well -l 'kprobe:vfs_re*'
    grep -x 'kprobe:vfs_read' out || fail "kprobe:vfs_read is not listed"
    lacks out '^kprobe:vfs_write' "the list"
}
check kprobe-list list_agrees_with_the_kernel

# A list of the user's instead of the kernel's.
traceable_functions() {
    printf 'vfs_read\nvfs_write\n' >functions
    trace_well -l --traceable-functions functions 'kprobe:vfs_*'
    [ "$(tr '\n' ' ' <out)" = "kprobe:vfs_read kprobe:vfs_write " ] || fail "other functions are listed: $(head -n 3 out | tr '\n' ' ')"
    trace_well --dry-run --traceable-functions functions -e 'kprobe:vfs_* { @[func] = count(); }'
    grep -q 'Attached 2 probes' err || fail "not two probes are attached: $(head -n 3 err)"
}
check kprobe-traceable-functions traceable_functions

predicate_by_pid() {
    start_trace -e 'kprobe:do_sys_openat2 /pid != 0/ { @[pid, comm] = count(); }'
    opens 40 /missing >first
    opens 30 /missing >second
    end_trace
    exactly 40 "$(rows out | sed -n "s/^@\[$(value pid first), opens\]: //p")" "calls of the first process"
    exactly 30 "$(rows out | sed -n "s/^@\[$(value pid second), opens\]: //p")" "calls of the second process"
}
check kprobe-by-pid predicate_by_pid

no_such_function() {
    trace -e 'kprobe:no_such_function_at_all { @ = count(); }' -c "opens 1 /missing"
    exactly 1 "$status" "status"
    contains err 'no_such_function_at_all' "the error"
}
check kprobe-missing-function no_such_function

# A name that several functions have, such as that which runs programs of 64 and of 32 bits, means all of them.
kprobe_several_functions() {
    copies=$(grep -c ' [tT] load_elf_binary$' /proc/kallsyms)
    [ "$copies" -gt 1 ] || skip "every name is one function's"
    trace_well --dry-run -e 'kprobe:load_elf_binary { @ = count(); }'
    kernel_from 6.1 || skip "this kernel takes the first one"
    # No place for a probe, by far: said as such, wherever adding it up ends.
    for offset in 0x7fffffffffffffff 0xffffffffffffffff; do
        trace --dry-run -e "kprobe:load_elf_binary+$offset { @ = count(); }"
        exactly 1 "$status" "status at $offset"
        contains err 'lets no probe be put there' "the message at $offset"
    done
    trace_well -e 'kprobe:load_elf_binary { @[comm] = count(); }' -c "opens 1 /missing"
    at_least 1 "$(rows out | sed -n 's/^@\[[^]]*\]: //p' | sort -n | tail -1)" "programs that were run"
}
check kprobe-several-functions kprobe_several_functions
