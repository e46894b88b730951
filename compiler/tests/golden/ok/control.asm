perf_event/p0: p0
; control.pf:2: profile:hz:99 /pid > 1 && (comm == "bash" || uid != 0)/ {
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
    *(u64 *)(r10 -16) = 0
    call bpf_get_current_pid_tgid#14
    r0 >>= 32
    if r0 <= 0x1 goto L9
    *(u64 *)(r10 -40) = 0
    *(u64 *)(r10 -32) = 0
    r1 = r10
    r1 += -40
    r2 = 16
    call bpf_get_current_comm#16
    *(u64 *)(r10 -8) = 1752392034
    r1 = r10
    r1 += -40
    r2 = r10
    r2 += -8
    r3 = 8
    call pf_streq
    if r0 != 0x0 goto L2
    call bpf_get_current_uid_gid#15
    w0 = w0
    if r0 == 0x0 goto L9
L2:
; control.pf:3: if (cpu == 0) {
    call bpf_get_smp_processor_id#8
    if r0 != 0x0 goto L3
; control.pf:4: $x = "zero";
    *(u64 *)(r10 -16) = 1869768058
; control.pf:8: return;
    goto L4
L3:
; control.pf:5: } else if (cpu == 1) {
    call bpf_get_smp_processor_id#8
    if r0 != 0x1 goto L8
; control.pf:6: $x = "one";
    *(u64 *)(r10 -16) = 6647407
L4:
; control.pf:10: $y = tid % 2 == 0 ? 10 : 20;
    call bpf_get_current_pid_tgid#14
    w0 = w0
    r0 &= 1
    if r0 != 0x0 goto L5
    *(u64 *)(r10 -24) = 10
    goto L6
L5:
    *(u64 *)(r10 -24) = 20
L6:
; control.pf:11: @seen[$x, $y]++;
    r4 = *(u64 *)(r10 -16)
    *(u64 *)(r10 -40) = r4
    r1 = *(u64 *)(r10 -24)
    *(u64 *)(r10 -32) = r1
    r1 = map[map_0_seen] ll
    r2 = r10
    r2 += -40
    r3 = 1
    r4 = 0
    call pf_add
; control.pf:12: @total += $y;
    r3 = *(u64 *)(r10 -24)
    *(u64 *)(r10 -8) = 0
    r1 = map[map_1_total] ll
    r2 = r10
    r2 += -8
    r4 = 0
    call pf_add
; control.pf:13: @total -= 1;
    *(u64 *)(r10 -8) = 0
    r1 = map[map_1_total] ll
    r2 = r10
    r2 += -8
    r3 = -1
    r4 = 0
    call pf_add
; control.pf:14: if (!@seen["one", 10]) { exit(); }
    *(u64 *)(r10 -40) = 6647407
    *(u64 *)(r10 -32) = 10
    *(u64 *)(r10 -8) = 0
    r1 = map[map_0_seen] ll
    r2 = r10
    r2 += -40
    call bpf_map_lookup_elem#1
    if r0 == 0x0 goto L7
    r4 = *(u64 *)(r0 +0)
    *(u64 *)(r10 -8) = r4
L7:
    r1 = *(u64 *)(r10 -8)
    if r1 != 0x0 goto L9
    *(u64 *)(r10 -48) = 0
    *(u64 *)(r10 -56) = 0
    r1 = r10
    r1 += -56
    r2 = 16
    r3 = 0
    call pf_emit
    r0 = 0
    exit
L8:
; control.pf:8: return;
    r0 = 0
    exit
L9:
; control.pf:14: if (!@seen["one", 10]) { exit(); }
    r0 = 0
    exit
