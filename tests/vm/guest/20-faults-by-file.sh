# Two scripts as people publish them: handle_mm_fault's VMA, and the name of the file that it maps.
#
# handle_mm_fault also runs for faults that the kernel takes on the process's behalf (exec copying arguments), and again for a
# fault that has to be retried, so a row may have a few more than the pages touched: 200 for a whole process, 5 for one file.

# Files that are no file's memory have no name, so they are the row with the empty key.
by_file() {
    trace_well -c "anon2mmap 1000" /guest/scripts/ffaults-by-file.bt
    at_least 1000 "$(rows out | sed -n 's/^@\[\]: //p')" "faults without a file"
    at_least 1 "$(rows out | sed -n 's/^@\[anon2mmap\]: //p')" "faults in the workload's own binary"
    ascending out
}
check ffaults-by-file by_file

by_file_touched() {
    trace_well -c "filetouch $PWD/touched-by-file 300" /guest/scripts/ffaults-by-file.bt
    between 300 305 "$(rows out | sed -n 's/^@\[touched-by-file\]: //p')" "faults in the touched file"
}
check ffaults-by-file-touched by_file_touched

by_file_touched_shared() {
    trace_well -c "filetouch $PWD/touched-shared 300 --shared" /guest/scripts/ffaults-by-file.bt
    between 300 305 "$(rows out | sed -n 's/^@\[touched-shared\]: //p')" "faults in the touched file"
}
check ffaults-by-file-shared by_file_touched_shared

# The kernel maps up to fault_around_bytes of the page cache at a time, unless told to map one page.
by_file_touched_reading() {
    around=/sys/kernel/debug/fault_around_bytes
    [ -w $around ] || skip "the kernel has no $around"
    before=$(cat $around)
    echo 4096 >$around
    trace -c "filetouch $PWD/touched-reading 300 --read" /guest/scripts/ffaults-by-file.bt
    echo "$before" >$around
    exactly 0 "$status" "status"
    between 300 305 "$(rows out | sed -n 's/^@\[touched-reading\]: //p')" "faults in the touched file"
}
check ffaults-by-file-reading by_file_touched_reading

by_process() {
    trace_well -c "anon2mmap 1000" /guest/scripts/ffaults-by-process.bt
    pid=$(value pid out)
    between 1000 1199 "$(rows out | sed -n "s/^@\[anon2mmap, $pid, anonymous\]: //p")" "anonymous faults of pid $pid"
    at_least 1 "$(rows out | sed -n "s/^@\[anon2mmap, $pid, anon2mmap\]: //p")" "faults in the workload's own binary"
    ascending out
    header=$(printf '%-16s %-8s %-40s %s' COMM PID FILE FAULTS)
    grep -qxF "$header" out || fail "END printed no header line"
    [ "$(grep -n -m 1 '^@' out | cut -d: -f1)" -gt "$(grep -nxF "$header" out | cut -d: -f1)" ] ||
        fail "the header of END comes after the rows"
}
check ffaults-by-process by_process

by_process_touched() {
    trace_well -c "filetouch $PWD/touched-by-process 300" /guest/scripts/ffaults-by-process.bt
    between 300 305 "$(rows out | sed -n "s/^@\[filetouch, $(value pid out), touched-by-process\]: //p")" \
        "faults in the touched file"
}
check ffaults-by-process-touched by_process_touched

by_process_huge() {
    trace_well -c "anon2mmap 4096 --huge" /guest/scripts/ffaults-by-process.bt
    pid=$(value pid out) loop=$(value minflt out)
    between "$loop" "$((loop + 199))" "$(rows out | sed -n "s/^@\[anon2mmap, $pid, anonymous\]: //p")" \
        "anonymous faults of pid $pid"
}
check ffaults-by-process-huge by_process_huge
