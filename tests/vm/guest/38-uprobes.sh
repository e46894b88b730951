# uprobes and uretprobes: arguments, results, names, order, one process.

uprobe_arguments() {
    trace_well -e 'uprobe:functions:twice { @given = sum(arg0); } uretprobe:functions:twice { @got = sum(retval); }
        uprobe:functions:ninth { @ninth[arg0, arg8, func] = count(); } uprobe:functions:letters { @text[str(arg0)] = count(); }' \
        -c "functions 50"
    exactly 1225 "$(rows out | sed -n 's/^@given: //p')" "the sum of what was given"
    exactly 2450 "$(rows out | sed -n 's/^@got: //p')" "the sum of what was returned"
    exactly 50 "$(rows out | sed -n 's/^@ninth\[1, 900, ninth\]: //p')" "calls of ninth"
    exactly 50 "$(rows out | sed -n 's/^@text\[seventeen letters\]: //p')" "calls of letters"
}
check uprobe-arguments uprobe_arguments

uprobe_order() {
    for probe in uprobe uretprobe; do
        trace_well -e "$probe:functions:twice { @o[tid] = 1; } $probe:functions:twice { @o[tid] = @o[tid] * 10 + 2; }
            $probe:functions:twice { @seen[@o[tid] * 10 + 3] = count(); } END { clear(@o); }" -c "functions 50"
        exactly 50 "$(rows out | sed -n 's/^@seen\[123\]: //p')" "calls in order of $probe"
    done
}
check uprobe-order uprobe_order

uprobe_wildcard() {
    trace_well -e 'uprobe:functions:[tnl]*t* { @[func, probe] = count(); }' -c "functions 50"
    at_least 3 "$(rows out | grep -c '^@\[')" "functions that were called"
}
check uprobe-wildcard uprobe_wildcard

uprobe_stack() {
    trace_well -e 'uprobe:functions:letters { @[ustack(2)] = count(); }' -c "functions 50"
    contains out '^ *letters\+0' "the function itself"
    # Before Linux 6.11 the caller of a function that was just entered is left out.
    contains out '^ *(main|__libc_start_call_main)\+' "its caller"
}
check uprobe-stack uprobe_stack
