# However pfscript ends, it leaves nothing in the kernel.

program='kprobe:vfs_read { @[comm] = count(); } tracepoint:syscalls:sys_enter_openat { @opens[comm] = count(); }'

# What is there besides: other programs, probes by name, pinned objects, and descriptors of BPF programs.
objects() {
    bpfobjects
    cat /sys/kernel/tracing/kprobe_events /sys/kernel/tracing/uprobe_events
    ls -A /sys/fs/bpf
    cat /proc/[0-9]*/fdinfo/* 2>/dev/null | grep -E '^(prog_id|map_id|link_id)'
}
as_before() { objects >after; cmp -s before after; }

# The kernel frees programs and maps some time after their last descriptor is closed.
leaves_nothing() { wait_for 20 as_before || fail "it left something behind: $(diff before after | grep '^[+-][^+-]' | tr '\n' ' ')"; }

makes_objects() { bpfobjects >during; [ "$(value programs during)" -gt "$(value programs before)" ]; }

interrupted() {
    objects >before
    # Started without job control, so with SIGINT ignored; it must take it all the same.
    start_trace -e "$program"
    makes_objects || fail "no BPF program in the kernel while it runs, so this check sees nothing"
    opens 20 /missing >/dev/null
    end_trace INT
    exactly 0 "$status" "status"
    exactly 20 "$(rows out | sed -n 's/^@opens\[opens\]: //p')" "calls that the maps show"
    leaves_nothing
}
check ending-by-interrupt interrupted

terminated() {
    objects >before
    start_trace -e "$program"
    opens 20 /missing >/dev/null
    end_trace TERM
    exactly 20 "$(rows out | sed -n 's/^@opens\[opens\]: //p')" "calls that the maps show"
    leaves_nothing
}
check ending-by-terminate terminated

killed() {
    objects >before
    start_trace -e "$program"
    makes_objects || fail "no BPF program in the kernel while it runs, so this check sees nothing"
    end_trace KILL
    leaves_nothing
}
check ending-by-kill killed

by_its_command() {
    objects >before
    trace_well -e "$program" -c "opens 20 /missing"
    exactly 20 "$(rows out | sed -n 's/^@opens\[opens\]: //p')" "calls that the maps show"
    leaves_nothing
}
check ending-with-its-command by_its_command

# More than thirty tracepoints: stopped together, detached afterwards, which is said.
many_probes() {
    objects >before
    trace_well -e 'BEGIN { @all = count(); } tracepoint:syscalls:sys_enter_r*, tracepoint:syscalls:sys_exit_r* { @all = count(); } END { print(@all); }' \
        -c "opens 20 /missing"
    rows out | sed -n 's/^@all: //p' >counts
    exactly 2 "$(grep -c . counts)" "times that the count is printed"
    exactly 1 "$(sort -u counts | grep -c .)" "counts at END and after it"
    grep -q "the kernel detaches" err || fail "it did not say that it detaches: $(cat err)"
    leaves_nothing
}
check ending-with-many-probes many_probes

with_its_commands_tree() {
    for signal in TERM KILL; do
        # By their paths, for else the shell is what sleeps.
        start_trace -e "$program" --run sh -c '/bin/sleep 1234 & /bin/sleep 1234'
        wait_for 20 sleepers 2 || fail "the command did not start"
        end_trace "$signal"
        wait_for 20 sleepers 0 || fail "after SIG$signal something of the command is left"
    done
}
sleepers() { [ "$(pidof sleep | wc -w)" = "$1" ]; }
check ending-with-its-commands-tree with_its_commands_tree

by_a_closed_pipe() {
    objects >before
    timeout -s KILL 60 pfscript -e 'interval:ms:10 { printf("%d\n", 1); }' 2>err | head -n 3 >out
    exactly 3 "$(grep -c . out)" "lines that were read"
    leaves_nothing
}
check ending-by-closed-pipe by_a_closed_pipe

info_still_runs() {
    trace_well --info
    [ -s out ] || fail "--info printed nothing"
}
check info info_still_runs
