# The shipped tools, against what workloads know of themselves.

# field NAME of the row of a map whose key ends so, from JSON: field NAME END FILE
field() { tr '}' '\n' <"$3" | grep -F "$2\": {" | sed -n "s/.*\"$1\": \([0-9]*\).*/\1/p" | sort -n | tail -n 1; }

# Faults by bytes: exactly of one thread; of several as well as the kernel's batches allow (before 6.2).
faults_have_bytes() {
    trace_well -f json -c "anon2mmap 4096" /scripts/faults.pf
    end=",$(value pid out),anon2mmap,minor"
    exactly 4096 "$(field count "$end" out)" "faults of the loop"
    between 16760000 16777216 "$(field total "$end" out)" "bytes of the loop"
    trace_well -f json -c "threads 4 3000" /scripts/faults.pf --
    for thread in 0 1 2 3; do
        bytes=$(field total ",$(value pid out),worker$thread,minor" out)
        between $((2800 * 4096)) $((3200 * 4096)) "$bytes" "bytes of worker$thread"
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

# Any family of probes; a file that is opened 300 times.
any_probe() {
    for probe in kprobe:do_sys_openat2 uprobe:/workloads/opens:openat tracepoint:syscalls:sys_enter_openat; do
        trace_well -f json -c "opens 300 /dev/null" /scripts/stackcount.pf $probe -- --user
        contains out '": 30[0-9][,}]' "stacks of $probe"
        trace_well -c "opens 3 /dev/null" /scripts/trace.pf $probe -- --user
        at_least 3 "$(grep -c '^[0-9]* *[0-9]* *opens ' out)" "lines of $probe"
        contains out 'main\+' "stacks of $probe"
    done
}
check tools-any-probe any_probe

# A line of smaps_rollup in KiB: rollup PID NAME
rollup() { sed -n "s/^$2: *\([0-9]*\) kB$/\1/p" "/proc/$1/smaps_rollup"; }

has_block() { [ "$(rollup "$pid" Rss)" -gt 49152 ]; }

# Within 1 % or 64 pages, whatever the kernel counts in batches.
rss_agrees() {
    mkfifo hold
    # It has the block in memory, and waits for who reads it.
    dd if=/dev/zero of=hold bs=48M count=1 2>dd.err &
    pid=$!
    exec 9<hold
    wait_for 30 has_block
    trace_well -f json -p "$pid" /scripts/rss.pf -- --count=1 --interval=100
    for kind in resident:Rss anon:Anonymous; do
        expected=$(rollup "$pid" "${kind#*:}")
        found=$(($(sed -n "s/.*\"${kind%:*}\": \([0-9]*\).*/\1/p" out) / 1024))
        between $((expected - expected / 100 - 256)) $((expected + expected / 100 + 256)) "$found" "KiB ${kind%:*}"
    done
    exec 9<&-
    kill -KILL "$pid"
}
check tools-rss rss_agrees

mappings() {
    trace_well -c "anon2mmap 4096" /scripts/mmaps.pf -- --least=16384
    contains out ' rw-  P-A--- +0 +16384 \[anon\]$' "the mapping"
    trace_well -c "grows malloc 4" /scripts/brkstack.pf
    contains out 'by_malloc' "the stack"
    trace_well -c "opens 500 /dev/null" /scripts/kmem.pf
    contains out ', opens\]: .*count = 50[0-9]' "the kernel's memory"
}
check tools-mappings mappings

huge_faults() {
    grep -q '\[never\]' /sys/kernel/mm/transparent_hugepage/enabled 2>/dev/null && skip "no huge pages"
    [ -e /sys/kernel/mm/transparent_hugepage/enabled ] || skip "no huge pages"
    trace_well -c "anon2mmap 4096 --huge" /scripts/hfaults.pf
    count=$(sed -n 's/^@\[anon2mmap, [0-9]*, transparent\]: //p' out)
    between 6 8 "$count" "huge pages"
}
check tools-huge-faults huge_faults

# A cgroup that may have 16 MiB; leaves $group.
limited() {
    mkdir -p /tmp/cgroup
    if mount -t cgroup -o memory memory /tmp/cgroup 2>/dev/null; then
        limit=memory.limit_in_bytes
    else
        mount -t cgroup2 cgroup2 /tmp/cgroup 2>/dev/null || skip "no cgroups"
        echo +memory >/tmp/cgroup/cgroup.subtree_control || skip "no cgroups of memory"
        limit=memory.max
    fi
    group=/tmp/cgroup/limited
    mkdir -p $group && echo $((16 << 20)) >$group/$limit || fail "no limit"
}
unlimited() { rmdir $group 2>/dev/null; umount /tmp/cgroup; }

kills() {
    limited
    start_trace /scripts/oomkill.pf
    sh -c "echo \$\$ >$group/cgroup.procs; exec anon2mmap 9000" >/dev/null 2>&1
    wait_for 30 grep -q loadavg out
    end_trace
    unlimited
    contains out 'OOM kill of PID [0-9]+ \("anon2mmap"\)' "the kill"
    between 14000 16500 "$(sed -n 's/.*anon \([0-9]*\) KiB.*/\1/p' out | head -n 1)" "KiB that it had"
}
check tools-kills kills

reclaims() {
    limited
    start_trace /scripts/drsnoop.pf
    sh -c "echo \$\$ >$group/cgroup.procs; exec dd if=/dev/zero of=$PWD/big bs=64k count=512" >/dev/null 2>&1
    sleep 1
    end_trace
    rm -f big
    unlimited
    contains out ' cgroup +[0-9]+\.[0-9]{3} +[0-9]+$' "a line"
}
check tools-reclaims reclaims
