# Timers, BEGIN, END, and what is printed in what order.

begin_and_end() {
    trace_well -e 'BEGIN { printf("begin %d %s\n", 42, "text"); } interval:ms:100 { exit(); } END { printf("end\n"); }'
    printf 'begin 42 text\nend\n' >expected
    grep -E '^(begin|end)' out >actual
    cmp -s expected actual || fail "BEGIN and END printed something else"
}
check begin-and-end begin_and_end

interval_ticks() {
    trace_well -q -e 'interval:ms:100 { @n += 1; printf("tick %d\n", @n); if (@n == 3) { exit(); } } END { printf("end\n"); }'
    printf 'tick 1\ntick 2\ntick 3\nend\n@n: 3\n' >expected
    grep . out >actual
    cmp -s expected actual || fail "three ticks, the end and the map were expected"
}
check interval-exit interval_ticks

# 99 a second on each of two CPUs, for a second. Without KVM timers come late, and in bunches.
profile_ticks() {
    trace_well -e 'profile:hz:99 { @[cpu] = count(); } interval:s:1 { exit(); }'
    exactly 2 "$(rows out | grep -c '^@\[[01]\]: ')" "CPUs that were sampled"
    between 60 400 "$(rows out | total)" "samples"
}
check profile-hz profile_ticks

quiet_says_nothing_of_its_own() {
    trace_well -q -e 'BEGIN { printf("only this\n"); exit(); }'
    exactly "only this" "$(grep . out)" "stdout"
    lacks err '^Attach' "stderr with -q"
}
check quiet quiet_says_nothing_of_its_own

output_file() {
    trace_well -o into -e 'BEGIN { printf("into the file\n"); @x = 7; exit(); }'
    contains into '^into the file$' "the file"
    contains into '^@x: 7$' "the file"
    lacks out 'into the file|@x' "stdout"
}
check output-file output_file
