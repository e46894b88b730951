# More different stacks than the table holds: those that nothing holds any more are given up, and none is lost.

processes() { # NUMBER: so many short ones, each of which has stacks of its own
    echo "sh -c 'i=0; while [ \$i -lt $1 ]; do /bin/busybox true; i=\$((i + 1)); done'"
}

# The same in rounds of twenty, between which the tracer prints, however slow the machine is: what happens between two prints
# is bounded then, as by the time between them it is not. The first line after a round may be of what was before it. Who waits
# starts no process, which would have stacks of its own.
cat >/tmp/paced <<'END'
mkfifo quiet
exec 3<>quiet 4<out
i=0
while [ $i -lt "$1" ]; do
    j=0
    while [ $j -lt 20 ]; do /bin/busybox true; j=$((j + 1)); done
    while read -r line <&4; do :; done
    for line in first second; do
        until read -r line <&4; do read -r -t 0.2 line <&3; done
    done
    i=$((i + 20))
done
END
paced() { # NUMBER
    echo "sh /tmp/paced $1"
}

rolling() {
    trace_well --strict -e 'config = { max_stacks = 3000 }
        software:page-faults:1 { @[ustack, pid, comm] = count(); @n++; if (@n % 1000 == 1) { @kept[ustack, pid, comm] = count(); } }
        interval:ms:500 { clear(@); print(@n); }
        END { clear(@); }' -c "$(paced 300)"
    [ "$(sed -n 's/^@n: //p' out | tail -n 1)" -gt 6000 ] || fail "too few stacks to prove anything"
    # What the kernel does for a new program has no user stack.
    awk '/^@kept\[$/ { rows++; getline; if (/^,/) blank++ } END { exit !(rows > 5 && blank * 4 < rows) }' out ||
        fail "stacks that are held have lost their frames"
}
check stacks-are-given-up rolling

# The same where programs can be preempted, with stacks in values and measured ones.
overwritten() {
    trace_well -e 'config = { max_stacks = 3000 }
        rt:sys_enter { @last[pid] = (1, ustack); @deepest = max(len(ustack)); @n++; }
        interval:ms:500 { clear(@last); print(@n); } END { clear(@last); }' -c "$(paced 300)"
    [ "$(sed -n 's/^@n: //p' out | tail -n 1)" -gt 3000 ] || fail "too few stacks to prove anything"
    [ "$(sed -n 's/^@deepest: //p' out)" -gt 0 ] || fail "no stack has a length"
    # Where the program is preempted by itself, the kernel leaves that run out, which is reported and is no matter of stacks.
    ! grep 'lost' err | grep -v 'was already running' || fail "something is lost: $(cat err)"
}
check stacks-are-overwritten overwritten

# Programs that only ever count stacks, and those that leave some behind, with other work around the capture.
dry_runs() {
    trace_well --dry-run -e 'software:page-faults:1 { $s = comm; @[ustack, kstack(3), $s] = hist(nsecs, 3); @x[$s] = max(cpu);
        if ($s == "sh") { @y[ustack(126), kstack, $s] = hist(pid, 3); } }'
    trace_well --dry-run -e 'software:page-faults:1 { $s = comm; @[ustack, kstack(3), $s] = hist(nsecs, 3); @x[$s] = max(cpu);
        if ($s == "sh") { @v[ustack(126), $s] = (kstack, str(curtask)); printf("%s %s", ustack, str(curtask)); } clear(@);
        if (len(ustack) > 5 && len(kstack) < 9) { print((ustack, 1)); delete(@v[ustack(126), $s]); } }
        rt:sys_enter { @[ustack, kstack(3), comm] = hist(nsecs, 3); if (len(ustack) > 3) { @t[tid] = ustack; } }'
}
check dry-run-renewal dry_runs

# What is full is said, with what makes it larger; on old kernels the reason is in the lower half of a register alone.
full() {
    trace -e 'config = { max_stacks = 20; max_map_keys = 10 }
        software:page-faults:1 { @[pid, addr] = count(); @a[addr] = 1; printf("%s", kstack); printf("%s", ustack); }' -c "$(processes 3)"
    [ "$status" = 0 ] || fail "pfscript ended with status $status"
    grep -q 'a map was full (10 keys; raise it with config max_map_keys' err || fail "no word of the full map: $(cat err)"
    grep -q 'the table of stacks was full (20 different stacks; raise it with config max_stacks)' err || fail "no word of the table"
    ! grep -q 'could not allocate' err || fail "a full map is taken for a lack of memory: $(cat err)"
}
check what-is-full-is-said full
