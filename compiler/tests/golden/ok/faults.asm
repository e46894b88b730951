perf_event/p0: p0
; faults.pf:15: @[ustack, pid, comm] = count();
    r2 = process
    if r2 == 0x0 goto L1
    r6 = r1
    r7 = r2
    call bpf_get_current_pid_tgid#14
    r0 >>= 32
    r1 = r6
    if r0 == r7 goto L1
    r0 = 0
    exit
L1:
    r6 = r1
    r1 = r6
    r2 = 0x100000100 ll
    r3 = 16384
    r4 = 0
    call pf_stack_by_tables
    *(u64 *)(r10 -32) = r0
    call bpf_get_current_pid_tgid#14
    r0 >>= 32
    *(u64 *)(r10 -24) = r0
    *(u64 *)(r10 -16) = 0
    *(u64 *)(r10 -8) = 0
    r1 = r10
    r1 += -16
    r2 = 16
    call bpf_get_current_comm#16
    r1 = map[map_0_] ll
    r2 = r10
    r2 += -32
    call bpf_map_lookup_elem#1
    if r0 == 0x0 goto L2
    r4 = 1
    lock *(u64 *)(r0 +0) += r4
    goto L3
L2:
    r1 = map[map_0_] ll
    r2 = r10
    r2 += -32
    r3 = 0
    call pf_count
L3:
    r0 = 0
    exit
