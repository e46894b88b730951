# usdt: arguments, copies of a marker, and the semaphore that tells a process that somebody listens.

usdt_arguments() {
    trace_well -e 'usdt:markers:workload:plain { @plain[arg0, str(arg1)] = count(); @sum = sum(arg2); }
        usdt:markers:copied { @copied[arg0] = count(); }' -c "markers 50"
    exactly 50 "$(rows out | sed -n 's/^@plain\[-7, seven\]: //p')" "passes of the first marker"
    exactly 1225 "$(rows out | sed -n 's/^@sum: //p')" "the sum of the passes' numbers"
    exactly 50 "$(rows out | sed -n 's/^@copied\[2\]: //p')" "passes of a copy"
}
check usdt-arguments usdt_arguments

usdt_semaphore() {
    trace_well -e 'usdt:markers:asked { @ = count(); }' -c "markers 50"
    contains out 'heard=50' "what the process heard"
    trace_well -e 'usdt:markers:plain { @ = count(); }' -c "markers 50"
    contains out 'heard=0' "what the process heard of another marker"
}
check usdt-semaphore usdt_semaphore
