# Many attach points by one program, or by one each where the kernel has no cookies (before 5.15): the names are right.

tracepoint_names() {
    trace_well -e 'tracepoint:syscalls:sys_enter_get* /comm == "calls"/ { @[probe] = count(); }' -c "calls 50 /missing"
    at_least 50 "$(rows out | sed -n 's/^@\[tracepoint:syscalls:sys_enter_getppid\]: //p')" "calls of getppid"
    at_least 100 "$(rows out | sed -n 's/^@\[tracepoint:syscalls:sys_enter_getuid\]: //p')" "calls of getuid"
}
check tracepoint-names tracepoint_names

# open and openat have their file names at different places in the record.
tracepoint_arguments() {
    [ -d /sys/kernel/tracing/events/syscalls/sys_enter_open ] || skip "this processor has no system call open"
    open="tracepoint:syscalls:sys_enter_open, tracepoint:syscalls:sys_enter_openat"
    trace_well -e "$open "'{ @[probe, str(args.filename)] = count(); }' -c "calls 50 /missing"
    for call in open openat; do
        exactly 50 "$(rows out | sed -n "s/^@\[tracepoint:syscalls:sys_enter_$call, \/missing\]: //p")" "calls of $call"
    done
}
check tracepoint-arguments tracepoint_arguments

one_program() {
    kernel_from 5.15 || skip "no cookies before 5.15"
    trace_well -v -e 'tracepoint:syscalls:sys_enter_get* { @[probe] = count(); }' -c "calls 1 /missing"
    exactly 1 "$(grep -c 'Tracepoint program' err)" "programs"
}
check tracepoint-one-program one_program

kprobe_names() {
    trace_well -e 'kprobe:vfs_re*, kprobe:vfs_w* { @[func, probe] = count(); }' -c "cat /guest/lib"
    at_least 1 "$(rows out | sed -n 's/^@\[vfs_read, kprobe:vfs_read\]: //p')" "calls of vfs_read"
    at_least 1 "$(rows out | sed -n 's/^@\[vfs_write, kprobe:vfs_write\]: //p')" "calls of vfs_write"
    # Each function under its own name.
    ! rows out | grep -v '^@\[\(vfs_[a-z_]*\), kprobe:\1\]: ' || fail "a name of another function"
}
check kprobe-names kprobe_names

kretprobe_names() {
    trace_well -e 'kretprobe:vfs_read, kretprobe:vfs_write { @[func] = sum(1); }' -c "cat /guest/lib"
    at_least 1 "$(rows out | sed -n 's/^@\[vfs_read\]: //p')" "returns of vfs_read"
    at_least 1 "$(rows out | sed -n 's/^@\[vfs_write\]: //p')" "returns of vfs_write"
}
check kretprobe-names kretprobe_names
