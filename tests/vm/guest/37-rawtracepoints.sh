# Raw tracepoints: arguments of the call, names of many sites with cookies (since 6.10) and without.

raw_call() {
    number=$1
    trace_well -e "rawtracepoint:sys_enter /comm == \"calls\" && args.id == $number/ { @ = count(); }
        rt:sys_enter /comm == \"calls\" && arg1 == $number/ { @numbered = count(); }" -c "calls 50 /missing"
    calls=$(value getppid out)
    exactly "$calls" "$(rows out | sed -n 's/^@: //p')" "calls by name of argument"
    exactly "$calls" "$(rows out | sed -n 's/^@numbered: //p')" "calls by number of argument"
}
# getppid is call 110 on x86-64, 173 on arm64.
by_name_and_number() {
    case $(uname -m) in x86_64) raw_call 110 ;; *) raw_call 173 ;; esac
}
check raw-arguments by_name_and_number

raw_pointer() {
    trace_well -e 'rt:sched_process_exec /comm == "calls"/ { @[args.p->tgid == pid, str(args.bprm->filename)] = count(); }' -c "calls 1 /missing"
    exactly 1 "$(rows out | sed -n 's/^@\[\(true\|1\), [^,]*calls\]: //p')" "times the workload was started"
}
check raw-pointer raw_pointer

raw_names() {
    trace_well -e 'rt:sched_process_exec, rt:sched_process_exit, rt:sched_process_fork /comm == "calls"/ { @[probe] = count(); }' -c "calls 1 /missing"
    for event in exec exit; do
        exactly 1 "$(rows out | sed -n "s/^@\[rawtracepoint:vmlinux:sched_process_$event\]: //p")" "events of $event"
    done
    ! rows out | grep fork || fail "an event that did not happen"
}
check raw-names raw_names

# The name of a string is kept in scratch memory; one that is preempted does not lose or mix it.
raw_with_strings() {
    trace_well -e 'rt:sys_enter /comm == "keys"/ { @[comm, probe, args.id] = count(); }' -c "keys 2000 2"
    at_least 4000 "$(rows out | total)" "calls in all"
    ! rows out | grep -v '^@\[keys, rawtracepoint:vmlinux:sys_enter, [0-9]*\]: ' || fail "a mixed key"
}
check raw-scratch raw_with_strings
