map map_0_both: type 5 key 8 value 8 entries 1 flags 0x1
map map_1_start: type 1 key 8 value 8 entries 1 flags 0x1
map map_2_: type 1 key 16 value 8 entries 262144 flags 0x1
map map_3_calls: type 5 key 8 value 8 entries 1 flags 0x1
map map_4_bytes: type 5 key 8 value 8 entries 1 flags 0x1
map map_5_up: type 1 key 8 value 8 entries 1 flags 0x1
map map_6_l: type 1 key 8 value 8 entries 1 flags 0x1
map pf_map_loss: type 6 key 4 value 8 entries 108 flags 0x0
map pf_map_globals: type 2 key 4 value 8 entries 1 flags 0x0

raw_tracepoint/p0: p0
; many.pf:1: BEGIN, END { @both = count(); }
   0: r6 = 0x0 ll
   2: if r6 == 0x0 goto +5
   3: r7 = r1
   4: call bpf_get_current_pid_tgid#14
   5: r1 = r7
   6: r0 >>= 32
   7: if r0 != r6 goto +2
   8: r2 = 0
   9: call body_p0
  10: w0 = 0
  11: exit

raw_tracepoint/p1: p1
; many.pf:1: BEGIN, END { @both = count(); }
   0: r6 = 0x0 ll
   2: if r6 == 0x0 goto +5
   3: r7 = r1
   4: call bpf_get_current_pid_tgid#14
   5: r1 = r7
   6: r0 >>= 32
   7: if r0 != r6 goto +2
   8: r2 = 0
   9: call body_p1
  10: w0 = 0
  11: exit

raw_tracepoint/p2: p2
; many.pf:2: begin { @start = nsecs; }
   0: r6 = 0x0 ll
   2: if r6 == 0x0 goto +5
   3: r7 = r1
   4: call bpf_get_current_pid_tgid#14
   5: r1 = r7
   6: r0 >>= 32
   7: if r0 != r6 goto +2
   8: r2 = 0
   9: call body_p2
  10: w0 = 0
  11: exit

kprobe/p3: p3
; many.pf:3: kprobe:vfs_re* { @[func] = count(); }
   0: *(u32 *)(r10 -16) = 1601398390
   1: *(u32 *)(r10 -12) = 1684104562
   2: *(u64 *)(r10 -8) = 0
   3: r1 = map[map_2_] ll
   5: r2 = r10
   6: r2 += -16
   7: call bpf_map_lookup_elem#1
   8: if r0 == 0x0 goto +3
   9: r4 = 1
  10: lock *(u64 *)(r0 +0) += r4
  11: goto +6
  12: r1 = map[map_2_] ll
  14: r2 = r10
  15: r2 += -16
  16: r3 = 27
  17: call pf_count
  18: r0 = 0
  19: exit

kprobe/p4: p4
; many.pf:3: kprobe:vfs_re* { @[func] = count(); }
   0: *(u32 *)(r10 -16) = 1601398390
   1: *(u32 *)(r10 -12) = 1684104562
   2: *(u64 *)(r10 -8) = 1802398060
   3: r1 = map[map_2_] ll
   5: r2 = r10
   6: r2 += -16
   7: call bpf_map_lookup_elem#1
   8: if r0 == 0x0 goto +3
   9: r4 = 1
  10: lock *(u64 *)(r0 +0) += r4
  11: goto +6
  12: r1 = map[map_2_] ll
  14: r2 = r10
  15: r2 += -16
  16: r3 = 36
  17: call pf_count
  18: r0 = 0
  19: exit

kprobe/p5: p5
; many.pf:3: kprobe:vfs_re* { @[func] = count(); }
   0: *(u32 *)(r10 -16) = 1601398390
   1: *(u32 *)(r10 -12) = 1684104562
   2: *(u64 *)(r10 -8) = 118
   3: r1 = map[map_2_] ll
   5: r2 = r10
   6: r2 += -16
   7: call bpf_map_lookup_elem#1
   8: if r0 == 0x0 goto +3
   9: r4 = 1
  10: lock *(u64 *)(r0 +0) += r4
  11: goto +6
  12: r1 = map[map_2_] ll
  14: r2 = r10
  15: r2 += -16
  16: r3 = 45
  17: call pf_count
  18: r0 = 0
  19: exit

kprobe/p6: p6
; many.pf:3: kprobe:vfs_re* { @[func] = count(); }
   0: *(u32 *)(r10 -16) = 1601398390
   1: *(u32 *)(r10 -12) = 1869440370
   2: *(u32 *)(r10 -8) = 1633641846
   3: *(u32 *)(r10 -4) = 27747
   4: r1 = map[map_2_] ll
   6: r2 = r10
   7: r2 += -16
   8: call bpf_map_lookup_elem#1
   9: if r0 == 0x0 goto +3
  10: r4 = 1
  11: lock *(u64 *)(r0 +0) += r4
  12: goto +6
  13: r1 = map[map_2_] ll
  15: r2 = r10
  16: r2 += -16
  17: r3 = 54
  18: call pf_count
  19: r0 = 0
  20: exit

kprobe/p7: p7
; many.pf:3: kprobe:vfs_re* { @[func] = count(); }
   0: *(u32 *)(r10 -16) = 1601398390
   1: *(u32 *)(r10 -12) = 1869440370
   2: *(u32 *)(r10 -8) = 1635280246
   3: *(u32 *)(r10 -4) = 7500916
   4: r1 = map[map_2_] ll
   6: r2 = r10
   7: r2 += -16
   8: call bpf_map_lookup_elem#1
   9: if r0 == 0x0 goto +3
  10: r4 = 1
  11: lock *(u64 *)(r0 +0) += r4
  12: goto +6
  13: r1 = map[map_2_] ll
  15: r2 = r10
  16: r2 += -16
  17: r3 = 63
  18: call pf_count
  19: r0 = 0
  20: exit

kprobe/p8: p8
; many.pf:3: kprobe:vfs_re* { @[func] = count(); }
   0: *(u32 *)(r10 -16) = 1601398390
   1: *(u32 *)(r10 -12) = 1634624882
   2: *(u64 *)(r10 -8) = 25965
   3: r1 = map[map_2_] ll
   5: r2 = r10
   6: r2 += -16
   7: call bpf_map_lookup_elem#1
   8: if r0 == 0x0 goto +3
   9: r4 = 1
  10: lock *(u64 *)(r0 +0) += r4
  11: goto +6
  12: r1 = map[map_2_] ll
  14: r2 = r10
  15: r2 += -16
  16: r3 = 72
  17: call pf_count
  18: r0 = 0
  19: exit

kprobe/p9: p9
; many.pf:4: kprobe:vfs_read, kprobe:vfs_write { @calls = count(); }
   0: *(u64 *)(r10 -8) = 0
   1: r1 = map[map_3_calls] ll
   3: r2 = r10
   4: r2 += -8
   5: call bpf_map_lookup_elem#1
   6: if r0 == 0x0 goto +3
   7: r4 = 1
   8: lock *(u64 *)(r0 +0) += r4
   9: goto +6
  10: r1 = map[map_3_calls] ll
  12: r2 = r10
  13: r2 += -8
  14: r3 = 81
  15: call pf_count
  16: r0 = 0
  17: exit

kprobe/p10: p10
; many.pf:5: kretprobe:vfs_read /retval > 0/ { @bytes = sum(retval); }
   0: r6 = r1
   1: r1 = *(u64 *)(r6 +80)
   2: if r1 <= 0x0 goto +17
   3: r7 = *(u64 *)(r6 +80)
   4: *(u64 *)(r10 -8) = 0
   5: r1 = map[map_4_bytes] ll
   7: r2 = r10
   8: r2 += -8
   9: call bpf_map_lookup_elem#1
  10: if r0 == 0x0 goto +2
  11: lock *(u64 *)(r0 +0) += r7
  12: goto +7
  13: r3 = r7
  14: r1 = map[map_4_bytes] ll
  16: r2 = r10
  17: r2 += -8
  18: r4 = 90
  19: call pf_sum
  20: r0 = 0
  21: exit

perf_event/p11: p11
; many.pf:6: interval:s:1 { @up = elapsed; @l = len(@); }
   0: call bpf_ktime_get_boot_ns#125
   1: r7 = r0
   2: *(u64 *)(r10 -24) = 0
   3: *(u64 *)(r10 -16) = 0
   4: r1 = map[pf_map_globals] ll
   6: r2 = r10
   7: r2 += -24
   8: call bpf_map_lookup_elem#1
   9: if r0 == 0x0 goto +2
  10: r1 = *(u64 *)(r0 +0)
  11: *(u64 *)(r10 -16) = r1
  12: r1 = *(u64 *)(r10 -16)
  13: r7 -= r1
  14: *(u64 *)(r10 -8) = r7
  15: *(u64 *)(r10 -32) = 0
  16: r1 = map[map_5_up] ll
  18: r2 = r10
  19: r2 += -32
  20: r3 = r10
  21: r3 += -8
  22: r4 = 99
  23: call pf_set
  24: r1 = map[map_2_] ll
  26: call pf_map_len
  27: *(u64 *)(r10 -8) = r0
  28: *(u64 *)(r10 -32) = 0
  29: r1 = map[map_6_l] ll
  31: r2 = r10
  32: r2 += -32
  33: r3 = r10
  34: r3 += -8
  35: r4 = 99
  36: call pf_set
  37: r0 = 0
  38: exit

.text: body_p0
; many.pf:1: BEGIN, END { @both = count(); }
   0: *(u64 *)(r10 -8) = 0
   1: r1 = map[map_0_both] ll
   3: r2 = r10
   4: r2 += -8
   5: call bpf_map_lookup_elem#1
   6: if r0 == 0x0 goto +3
   7: r4 = 1
   8: lock *(u64 *)(r0 +0) += r4
   9: goto +6
  10: r1 = map[map_0_both] ll
  12: r2 = r10
  13: r2 += -8
  14: r3 = 0
  15: call pf_count
  16: r0 = 0
  17: exit

.text: body_p1
; many.pf:1: BEGIN, END { @both = count(); }
   0: *(u64 *)(r10 -8) = 0
   1: r1 = map[map_0_both] ll
   3: r2 = r10
   4: r2 += -8
   5: call bpf_map_lookup_elem#1
   6: if r0 == 0x0 goto +3
   7: r4 = 1
   8: lock *(u64 *)(r0 +0) += r4
   9: goto +6
  10: r1 = map[map_0_both] ll
  12: r2 = r10
  13: r2 += -8
  14: r3 = 9
  15: call pf_count
  16: r0 = 0
  17: exit

.text: body_p2
; many.pf:2: begin { @start = nsecs; }
   0: call bpf_ktime_get_boot_ns#125
   1: *(u64 *)(r10 -8) = r0
   2: *(u64 *)(r10 -16) = 0
   3: r1 = map[map_1_start] ll
   5: r2 = r10
   6: r2 += -16
   7: r3 = r10
   8: r3 += -8
   9: r4 = 18
  10: call pf_set
  11: r0 = 0
  12: exit
