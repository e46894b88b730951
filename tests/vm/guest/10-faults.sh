# Page faults by user stack, against what the workloads know about their own.

program='software:page-faults:1 { @[ustack, pid, comm] = count(); }'

# From main() to the end of its loop the workload knows its faults exactly, so not one of them may be missing: total - start.
# More are allowed: those between exec and main(), which are in total, and those after the report, when the line is printed
# and the process exits (32 at most: code and data pages of the C library's output and exit).
# Nothing else is: before exec the name was not yet anon2mmap.
sum_equals_the_workloads_own_count() {
    trace_well -e "$program" -c "anon2mmap 2000"
    pid=$(value pid out) start=$(value start out) total=$(value total out)
    at_least 2000 "$((total - start))" "faults that the workload saw itself"
    rows out | grep ", $pid, anon2mmap\]: " | total >sum
    between "$((total - start))" "$((total + 32))" "$(cat sum)" "sum of the rows of pid $pid"
}
check faults-sum sum_equals_the_workloads_own_count

# One store instruction touches every page, so that one stack has them all.
stack_of_the_loop_has_all_its_faults() {
    trace_well -e "$program" -c "anon2mmap 2000"
    pid=$(value pid out)
    rows out | grep -E "@\[;main\+[0-9]+;.*, $pid, anon2mmap\]: " >loop || fail "no stack begins in main+"
    exactly 2000 "$(counts <loop | sort -n | tail -n 1)" "faults of the loop's stack"
    grep -Eq ';main\+[0-9]+;__libc_start' loop || fail "the loop's stack does not go on to main's caller"
}
check faults-stack stack_of_the_loop_has_all_its_faults

rows_ascend() {
    trace_well -e "$program" -c "anon2mmap 500"
    ascending out
}
check faults-sorted rows_ascend

huge_pages_are_one_fault_each() {
    trace_well -e "$program" -c "anon2mmap 4096 --huge"
    pid=$(value pid out)
    rows out | grep -E "@\[;main\+[0-9]+;.*, $pid, anon2mmap\]: " | counts | sort -n | tail -n 1 >largest
    exactly "$(value minflt out)" "$(cat largest)" "faults of the loop's stack"
}
check faults-huge huge_pages_are_one_fault_each

faults_script() {
    trace_well -c "anon2mmap 1000" /guest/scripts/faults.bt
    rows out | grep -E '@\[;main\+[0-9]+;.*, anon2mmap\]: ' | counts | sort -n | tail -n 1 >largest
    exactly 1000 "$(cat largest)" "faults of the loop's stack"
}
check faults-script faults_script

faults_script_by_pid() {
    trace_well -c "anon2mmap 1000" /guest/scripts/faults-by-pid.bt
    rows out | grep -E "@\[;main\+[0-9]+;.*, $(value pid out), anon2mmap\]: " | counts | sort -n | tail -n 1 >largest
    exactly 1000 "$(cat largest)" "faults of the loop's stack"
}
check faults-script-by-pid faults_script_by_pid

# Every child has ended by the time the stacks are named.
children_keep_their_names() {
    trace_well -e "$program" -c "nproc_faults 4 300"
    pids=$(value pids out | tr , ' ')
    exactly 4 "$(echo "$pids" | wc -w)" "children"
    for pid in $pids; do
        rows out | grep -E "@\[;child\+[0-9]+;main\+.*, $pid, nproc_faults\]: " | counts | sort -n | tail -n 1 >largest
        exactly 300 "$(cat largest)" "faults of the loop's stack in child $pid"
    done
}
check faults-children children_keep_their_names

threads_share_a_pid() {
    trace_well -e "$program" -c "threads 3 300"
    pid=$(value pid out)
    for thread in 0 1 2; do
        rows out | grep -E "@\[;worker\+[0-9]+;.*, $pid, worker$thread\]: " | counts | sort -n | tail -n 1 >largest
        exactly 300 "$(cat largest)" "faults of the loop's stack in thread $thread"
    done
}
check faults-threads threads_share_a_pid

deep_stacks_are_whole() {
    trace_well -e "$program" -c "deepstack 60 200"
    rows out | grep -E ", $(value pid out), deepstack\]: 200$" >deep || fail "no stack has the 200 faults"
    exactly 60 "$(grep -o ';descend+' deep | grep -c .)" "frames of descend"
    grep -q ';main+' deep || fail "the stack does not reach main"
}
check faults-deep-stack deep_stacks_are_whole
