# Every shipped script loads and attaches on this kernel, or says what the kernel lacks.

# What scripts cannot do without.
words() {
    case $1 in
    faultstat.pf) echo '-c true' ;;
    stackcount.pf | trace.pf) echo tracepoint:syscalls:sys_enter_openat ;;
    esac
}

dry_run() {
    # shellcheck disable=SC2046 # several words
    trace_well --dry-run "/scripts/$script" $(words "$script")
}

found=
for path in /scripts/*.pf /scripts/*.bt; do
    [ -f "$path" ] || continue
    script=$(basename "$path") found=1
    check "dry-run-$script" dry_run
done
[ -n "$found" ] || echo "skip dry-run: there is nothing in scripts/"

# The templates in their other shapes: stacks of a chosen depth, every kind of map, long strings in scratch memory.
shapes() {
    trace_well --dry-run -e 'software:page-faults:1 {
        @[ustack(1), kstack(3), ustack(126)] = count(); @i = ustack(build_id, 5); @s[pid] = sum(1); @a[comm] = avg(cpu); @m[cpu] = max(-1);
        @h[pid] = hist(nsecs, 3); @l = lhist(cpu, 0, 100, 5); @t[pid] = (1, comm, str(curtask)); @x[pid]++;
        if (@t[pid].1 == comm) { printf("%s %d %d\n", @t[pid].2, len(ustack), strlen(comm)); }
    }'
}
check dry-run-shapes shapes

# What fails is said with its place.
failures() {
    trace_well -k -e 'BEGIN { @[1] = 1; $p = (uint64 *)(nsecs * 0); printf("%d %d\n", @[2], *$p); exit(); }'
    grep -q 'helper: map_lookup_elem, retcode: 0' err && grep -q 'helper: probe_read_user, retcode: -14' err ||
        fail "a place is not said: $(head -n 8 err | tr '\n' ' ')"
}
check failures failures

# Time series: of each CPU and shared ones, few and many intervals, and the clock; and they really are kept.
time_series() {
    trace_well --dry-run -e 'software:page-faults:1 { @a = tseries(cpu, 100ms, 20); @b[pid] = tseries(-1, 1s, 10, "sum");
        @c = tseries(cpu, 1s, 5, "avg"); @d[comm] = tseries(cpu, 1m, 1000, "max"); @e = tseries(cpu, 1s, 3, "min"); }'
    trace_well --dry-run -e 'software:page-faults:1 { @a = tseries(cpu, 1ms, 50000); @b[pid] = tseries(1, 1s, 5000, "sum"); }'
    trace_well -f json -e 'BEGIN { @a = tseries(5, 1m, 3, "max"); @b[1] = tseries(-6, 1m, 3, "min"); @c = tseries(7, 1s, 9); exit(); }'
    for value in 5 -6 7; do
        grep -q "\"value\":$value}" out || fail "a value is not there: $(head -n 5 out | tr '\n' ' ')"
    done
}
check dry-run-time-series time_series

# What the tracer runs by itself: its own stacks, ids of the initial namespace, signals to it, and benchmarks by the kernel's count.
own_probes() {
    start_trace -e 'BEGIN { @k[kstack, pid(init) == pid] = count(); @u[ustack(raw, 2)] = 1; } END { print((kstack(3), tid(init))); }
        self:signal:SIGUSR1 { printf("signal=%d\n", pid == pid(curr_ns)); exit(); } profile:hz:99 { @pc = reg("pc"); }'
    end_trace USR1
    [ "$status" = 0 ] && [ "$(value signal out)" = 1 ] || fail "the signal ran no probe: $(head -n 3 out err | tr '\n' ' ')"
    trace_well --mode bench -e 'bench:first { @ = count(); }'
    grep -q '^first  *[1-9]' out || fail "no benchmark was run: $(head -n 4 out err | tr '\n' ' ')"
}
check own-probes own_probes

# A variable that each CPU has for itself: the run queue knows which CPU it belongs to.
per_cpu_variables() {
    grep -q ' runqueues' /proc/kallsyms || skip "this kernel hides its variables"
    trace_well -e 'BEGIN { $other = (struct rq *)percpu_kaddr("runqueues", ncpus - 1); $own = (struct rq *)percpu_kaddr("runqueues");
        printf("last=%d own=%d\n", $other->cpu == ncpus - 1, $own->cpu == cpu); }'
    grep -qx 'last=1 own=1' out || fail "it found another variable: $(head -n 2 out)"
}
check per-cpu-variables per_cpu_variables

# The number of elements, of several maps and compared: a call of the helper for each map, and nothing that the verifier
# could follow for ever.
lengths() {
    kernel_from 5.13 || skip "needs 5.13"
    trace_well --dry-run -e 'BEGIN { @a[1] = 1; @c[comm] = count(); @h[1] = hist(3);
        if (len(@a) > 5 || len(@c) == len(@h)) { printf("%d %d\n", len(@a) * 3, len(@h)); }
        $x = len(@a); if ($x > 3 && $x < 7) { @a[$x] = 1; } }'
}
check dry-run-lengths lengths

# Loops within each other, with variables of all of them, strings that only scratch memory has room for, and ways out.
loops() {
    kernel_from 5.17 || skip "needs 5.17"
    trace_well --dry-run -e 'software:page-faults:1 { $n = 0; $s = comm; @a[pid, comm] = 1; @p[1] = (1, comm);
        for ($kv : @a) { for ($i : 0..$kv.1) { $j = $i; while ($j < 9) { $j++; $n += $j; $s = str(curtask);
            if ($n > 100) { return; } @b[$j, $s] = sum($n); printf("%s %d %d\n", $s, $kv.0.0, addr); } } }
        for ($kv : @p) { for ($kw : @a) { if ($kv.1.1 == $kw.0.1) { break; } } clear(@a); } @n = $n; @s = $s; }'
}
check dry-run-loops loops

loops_over_maps() {
    kernel_from 5.13 || skip "needs 5.13"
    trace_well --dry-run -e 'BEGIN { @a[1, "x"] = 1; @b["y"] = count(); $n = 0; $s = "";
        for ($x : @a) { for ($y : @b) { $n += $x.1 * $y.1; $s = $y.0; delete(@b, $s); } } printf("%d %s\n", $n, $s); }'
}
check dry-run-loops-over-maps loops_over_maps

# Values of blocks, unrolled blocks, addresses of variables and elements, declared maps: on every kernel.
blocks() {
    trace_well --dry-run -e 'let @l = lruhash(10); let @c = percpulruhash(10); let @h = hash(5);
        macro larger(a, b) { let $a = a; let $b = b; if ($a > $b) { $a } else { $b } }
        software:page-faults:1 { $x = larger(pid, 3); $t = (1, comm); unroll(3) { $x += $x; } @l[$x] = *(&$t);
            $p = &$x; $q = &@h["a"]; @h["a"] = *$p + *$q; @c[comm] = hist($p >> 3); @n = has_key(@l, $x);
            @s = { let $s = str(curtask); $s }; printf("%d %s\n", *$p, @s); }'
}
check dry-run-blocks blocks

# What acts on processes, and the kernel's own trace, behind other work.
acting() {
    trace_well --unsafe --dry-run -e 'tracepoint:syscalls:sys_enter_openat { $s = str(args.filename); @a[comm, $s] = count();
        $number = pid % 2 + 10; signal($number); signal_thread("SIGUSR2"); if (write_user(args.filename, $s, 16)) { @ok++; }
        debugf("%s: %d %x\n", $s, $number, args.flags); @m[1] = (1, $s); let $v; if (find(@m, 1, $v)) { print($v); } }'
}
check dry-run-acting acting

# What aggregations have come to, read by programs behind other work; min and max only where there is an atomic exchange.
gathered() {
    trace_well --dry-run -e 'software:page-faults:1 { @c = count(); @s[comm] = sum(pid); @a[ustack, comm] = avg(-1); @t[pid] = (1, comm);
        if (@c > 5 && @s[comm] < 9) { $x = @a[ustack, comm] + @c; printf("%d %s %d\n", $x, @t[pid].1, (int64)@c); }
        @d = avg(@c); if (@d == @a[ustack, "x"]) { @e[(int64)@c, comm] = sum((int64)@s["y"]); } }'
}
check dry-run-gathered gathered
# Many divisions by what may be zero, compared, in one program.
divisions() {
    trace_well --dry-run -e 'software:page-faults:1 { $n = pid; $d = tid & 7; @t[pid] = (1, comm, str(curtask));
        unroll(12) { if ($n / $d > 5) { $n = $n % ($d - 3); } $d = $d % @d; @d++; } @q[comm] = $n / @d; @d /= $n; @m = avg($n % $d); }'
}
check dry-run-divisions divisions
gathered_extremes() {
    kernel_from 5.12 || skip "needs 5.12"
    trace_well --dry-run -e 'software:page-faults:1 { @l = min(-pid); @g[comm] = max(pid);
        if (@l < @g[comm]) { $s = str(curtask); printf("%d %s\n", @l - @g[$s], comm); } }'
}
check dry-run-gathered-extremes gathered_extremes
# Strings in strings behind other work, whose paths must not multiply what the verifier walks.
parts_of_strings() {
    trace_well --dry-run -e 'config = { max_strlen = 64 } tracepoint:syscalls:sys_enter_execve {
        $f = str(args.filename); $a = str(args.argv[0]); $x = 0;
        if ($f == "/bin/sh") { $x = 1; } if (pid == 5) { $x += cpu; } @n[comm, $x] = count(); @u[ustack] = sum($x);
        if (strcontains($f, "bin")) { $x = pid; } if (strcontains($f, $a)) { $x += 2; } @s[strncmp($f, $a, 100)] = $x;
        if (strcontains($a, $f) || strncmp($a, "/usr/bin/", 9) == 0) { $x = cpu; }
        if (strcontains($f, "/usr/lib/x86_64-linux-gnu/ld-linux-x86-64.so")) { printf("%s %d\n", $f, strlen($a)); }
        @h[strcontains(comm, "k")] = hist($x); }'
}
check dry-run-parts-of-strings parts_of_strings

# Strings of kilobytes, and of a few bytes, as they are cut.
long_strings() {
    for bytes in 5 100 2000; do
        PFSCRIPT_MAX_STRLEN=$bytes trace_well --dry-run -e 'tracepoint:syscalls:sys_enter_execve {
            $p = str(args.filename); printf("%s|%d\n", $p, strlen($p)); print((1, $p));
            if (strncmp($p, "/no", 3) == 0 && strcontains($p, "abc")) { @ = $p; } }'
    done
    trace_well -e 'config = { max_strlen = 5 } begin { $name = curtask.nsproxy.cgroup_ns.ns.ops.name; print(str($name)); @[str($name, 4)] = 1; exit(); }'
    grep -q '^cgrou\.\.$' out || fail "a string is not cut"
    grep -q '^@\[cgr\]: 1$' out || fail "a string is not what the script says"
    PFSCRIPT_MAX_STRLEN=2000 trace -e 'begin { $s = "ab"; @[str($s), str(curtask.nsproxy.cgroup_ns.ns.ops.name)] = 1; exit(); }'
    [ "$status" = 0 ] || grep -q 'this kernel has no hash keys of more than 512 bytes' err || fail "long keys are refused: $(cat err)"
}
check dry-run-long-strings long_strings

# Numbers that are printed as what they stand for, and addresses of networks.
names() {
    trace_well --dry-run -e 'software:page-faults:1 { $f = (uint64)10; @a[ntop(pid), ntop($f, pton("::1"))] = macaddr(curtask);
        @t[strftime("%H", nsecs(monotonic))] = (username, strerror(pid), cgroup_path(cgroup), bswap(pid));
        @b[buf(comm, 16), buf(addr, $f)] = count(); printf("%r %d %d %d %d\n", buf(curtask, 8), jiffies, numaid, ncpus, usermode); }'
}
check dry-run-names names

joined() {
    trace_well --dry-run -e 'config = { max_strlen = 64 } tracepoint:syscalls:sys_enter_execve /pid > 5/ { @[comm] = count(); join(args.argv, ","); }'
}
check dry-run-joined joined

# Stacks of any depth: how the routine that walks them is verified depends on their number of frames.
depths() {
    for depth in 1 2 3 4 5 6 7 8 9 12 16 17 32 33 64 65 100 126 127; do
        trace_well --dry-run -e "tracepoint:sched:sched_switch { @[kstack($depth)] = count(); }"
    done
}
check dry-run-depths depths

# All arguments of a probe at once, and processes by their ids.
whole_arguments() {
    trace_well --dry-run -e 'tracepoint:sched:sched_switch, tracepoint:sched:sched_wakeup { print((1, args)); }'
    trace_well --dry-run -e 'tracepoint:sched:sched_switch { @[args] = count(); @last = args; }'
    trace_well --dry-run -e 'rawtracepoint:sched_switch { $all = args; @[args] = count(); }'
    trace_well -e 'BEGIN { printf("%s %d\n", comm(1), comm(pid(init)) == comm); print(comm(2147483647)); exit(); }'
    grep -q "^$(cat /proc/1/comm) 1\$" out && grep -q '^N/A$' out || fail "a name is wrong: $(head -n 4 out err | tr '\n' ' ')"
}
check whole-arguments whole_arguments
