raw_tracepoint/p0: p0
; integers.pf:3: $u = (uint8)300;
    *(u64 *)(r10 -8) = 44
; integers.pf:4: $s = (int8)200;
    *(u64 *)(r10 -16) = -56
; integers.pf:5: $q = $s / 3;
    r1 = *(u64 *)(r10 -16)
    r2 = 3
    call pf_sdiv
    *(u64 *)(r10 -24) = r0
; integers.pf:6: $r = pid % 7;
    call bpf_get_current_pid_tgid#14
    r0 >>= 32
    r0 %= 7
    *(u64 *)(r10 -32) = r0
; integers.pf:7: $d = nsecs / 1000;
    call bpf_ktime_get_boot_ns#125
    r0 /= 1000
    *(u64 *)(r10 -40) = r0
; integers.pf:8: $k = (1 << 40) >> 3;
    r4 = 0x2000000000 ll
    *(u64 *)(r10 -48) = r4
; integers.pf:9: $m = -$s >> 1;
    r1 = *(u64 *)(r10 -16)
    r1 = -r1
    r1 s>>= 1
    *(u64 *)(r10 -56) = r1
; integers.pf:10: $n = ~pid ^ 0xff;
    call bpf_get_current_pid_tgid#14
    r0 >>= 32
    r0 ^= -1
    w0 = w0
    r0 ^= 255
    *(u64 *)(r10 -64) = r0
; integers.pf:11: $c = $s < nsecs;
    r7 = *(u64 *)(r10 -16)
    call bpf_ktime_get_boot_ns#125
    if r7 s< r0 goto L1
    r1 = 0
    goto L2
L1:
    r1 = 1
L2:
    *(u64 *)(r10 -72) = r1
; integers.pf:12: @ = ($u + $q) * ($r - $d) | $k & $m;
    r1 = *(u64 *)(r10 -8)
    r2 = *(u64 *)(r10 -24)
    r1 += r2
    r2 = *(u64 *)(r10 -32)
    r3 = *(u64 *)(r10 -40)
    r2 -= r3
    r1 *= r2
    r2 = *(u64 *)(r10 -48)
    r3 = *(u64 *)(r10 -56)
    r2 &= r3
    r1 |= r2
    *(u64 *)(r10 -80) = r1
    *(u64 *)(r10 -88) = 0
    r1 = map[map_0_] ll
    r2 = r10
    r2 += -88
    r3 = r10
    r3 += -80
    r4 = 0
    call pf_set
; integers.pf:13: @x = $n;
    r1 = *(u64 *)(r10 -64)
    *(u64 *)(r10 -80) = r1
    *(u64 *)(r10 -88) = 0
    r1 = map[map_1_x] ll
    r2 = r10
    r2 += -88
    r3 = r10
    r3 += -80
    r4 = 0
    call pf_set
; integers.pf:14: @y = $c;
    r1 = *(u64 *)(r10 -72)
    *(u64 *)(r10 -80) = r1
    *(u64 *)(r10 -88) = 0
    r1 = map[map_2_y] ll
    r2 = r10
    r2 += -88
    r3 = r10
    r3 += -80
    r4 = 0
    call pf_set
; integers.pf:15: @z = $u == 44 && $s != -56;
    r1 = *(u64 *)(r10 -8)
    if r1 != 0x2c goto L3
    r1 = *(u64 *)(r10 -16)
    if r1 == 0xffffffc8 goto L3
    *(u64 *)(r10 -88) = 1
    goto L4
L3:
    *(u64 *)(r10 -88) = 0
L4:
    r1 = *(u64 *)(r10 -88)
    *(u64 *)(r10 -80) = r1
    *(u64 *)(r10 -96) = 0
    r1 = map[map_3_z] ll
    r2 = r10
    r2 += -96
    r3 = r10
    r3 += -80
    r4 = 0
    call pf_set
    r0 = 0
    exit
