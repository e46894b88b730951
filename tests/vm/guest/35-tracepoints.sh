# Tracepoints: arguments from the kernel's own formats.

openat_filename() {
    trace_well -e 'tracepoint:syscalls:sys_enter_openat { @[str(args.filename)] = count(); }' -c "opens 50 /missing"
    exactly 50 "$(rows out | sed -n 's/^@\[\/missing\]: //p')" "calls with /missing"
}
check tracepoint-openat openat_filename

old_spelling() {
    trace_well -e 'tracepoint:syscalls:sys_enter_openat { @[str(args->filename)] = count(); }' -c "opens 50 /missing"
    exactly 50 "$(rows out | sed -n 's/^@\[\/missing\]: //p')" "calls with /missing"
}
check tracepoint-old-spelling old_spelling

# filename is a __data_loc: the argument is where in the record the string is.
exec_filename() {
    trace_well -e 'tracepoint:sched:sched_process_exec { @[str(args.filename), args.pid] = count(); }' -c "opens 1 /missing"
    exactly 1 "$(rows out | sed -n "s/^@\[[^,]*opens, $(value pid out)\]: //p")" "times the workload was started"
}
check tracepoint-exec exec_filename

return_values() {
    trace_well -e 'tracepoint:syscalls:sys_exit_openat /comm == "opens"/ { @[args.ret] = count(); }' -c "opens 50 /missing"
    exactly 50 "$(rows out | sed -n 's/^@\[-2\]: //p')" "calls that returned -2"
}
check tracepoint-negative-argument return_values

every_key_is_kept() {
    trace_well -e 'tracepoint:syscalls:sys_enter_close /args.fd >= 1000000/ { @[args.fd] = count(); }' -c "keys 10000 2"
    exactly 10000 "$(rows out | grep -c '^@\[[0-9]*\]: 2$')" "keys with 2 calls"
    exactly 20000 "$(rows out | total)" "calls in all"
}
check tracepoint-10000-keys every_key_is_kept
