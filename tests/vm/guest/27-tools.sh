# The shipped tools, against what workloads know of themselves.

# field NAME of the row of a map whose key ends so, from JSON: field NAME END FILE
field() { tr '}' '\n' <"$3" | grep -F "$2\": {" | sed -n "s/.*\"$1\": \([0-9]*\).*/\1/p" | sort -n | tail -n 1; }

# Faults by bytes: exactly, one thread or several.
faults_have_bytes() {
    trace_well -f json -c "anon2mmap 4096" /scripts/faults.pf
    end=",$(value pid out),anon2mmap,minor"
    exactly 4096 "$(field count "$end" out)" "faults of the loop"
    between 16760000 16777216 "$(field total "$end" out)" "bytes of the loop"
    trace_well -f json -c "threads 4 3000" /scripts/faults.pf --
    for thread in 0 1 2 3; do
        bytes=$(field total ",$(value pid out),worker$thread,minor" out)
        between $((2900 * 4096)) $((3100 * 4096)) "$bytes" "bytes of worker$thread"
    done
}
check tools-faults faults_have_bytes

faults_have_huge_pages_whole() {
    grep -q '\[never\]' /sys/kernel/mm/transparent_hugepage/enabled 2>/dev/null && skip "no huge pages"
    [ -e /sys/kernel/mm/transparent_hugepage/enabled ] || skip "no huge pages"
    trace_well -f json -c "anon2mmap 4096 --huge" /scripts/faults.pf
    between 16760000 17825792 "$(field total ",$(value pid out),anon2mmap,minor" out)" "bytes of the loop"
}
check tools-faults-huge faults_have_huge_pages_whole

# A number before words: before WORDS FILE
before() { sed -n "s/^ *\([0-9.]*\) *$1.*/\1/p" "$2" | head -n 1; }

faultstat_counts() {
    trace_well -c "anon2mmap 4096" /scripts/faultstat.pf
    total=$(value total out)
    between $((total - 40)) $((total + 40)) "$(before 'minor faults' out)" "minor faults"
    between 16 20 "$(before 'MiB peak' out | cut -d. -f1)" "MiB at most"
    contains out '^ *[0-9]+\.[0-9]{9} s system$' "the system's time"
}
check tools-faultstat faultstat_counts

stackcount_counts() {
    trace_well -f json -c "anon2mmap 500" /scripts/stackcount.pf software:page-faults:1 -- --user
    contains out '": 500[,}]' "the loop's faults"
    trace_well -c "true" /scripts/trace.pf tracepoint:syscalls:sys_enter_execve -- --user --kernel --args
}
check tools-stackcount stackcount_counts
