map map_0_both: type 5 key 8 value 8 entries 1 flags 0x1
map map_1_start: type 1 key 8 value 8 entries 1 flags 0x1
map map_2_: type 1 key 16 value 8 entries 262144 flags 0x1
map map_3_calls: type 5 key 8 value 8 entries 1 flags 0x1
map map_4_bytes: type 5 key 8 value 8 entries 1 flags 0x1
map map_5_up: type 1 key 8 value 8 entries 1 flags 0x1
map map_6_l: type 1 key 8 value 8 entries 1 flags 0x1
map pf_map_loss: type 6 key 4 value 8 entries 63 flags 0x0
map pf_map_globals: type 2 key 4 value 16 entries 1 flags 0x0
map pf_map_sites: type 2 key 4 value 16 entries 6 flags 0x0

raw_tracepoint/p0: p0
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

raw_tracepoint/p1: p1
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

raw_tracepoint/p2: p2
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

kprobe/p3: p3
; many.pf:3: kprobe:vfs_re* { @[func] = count(); }
   0: r2 = data[pf_data_process] ll
   2: r2 = *(u64 *)(r2 +0)
   3: if r2 == 0x0 goto +8
   4: r6 = r1
   5: r7 = r2
   6: call bpf_get_current_pid_tgid#14
   7: r0 >>= 32
   8: r1 = r6
   9: if r0 == r7 goto +2
  10: r0 = 0
  11: exit
  12: r6 = r1
  13: *(u64 *)(r10 -24) = 0
  14: *(u64 *)(r10 -16) = 0
  15: r1 = r6
  16: call bpf_get_attach_cookie#174
  17: *(u64 *)(r10 -8) = r0
  18: r1 = map[pf_map_sites] ll
  20: r2 = r10
  21: r2 += -8
  22: call bpf_map_lookup_elem#1
  23: if r0 == 0x0 goto +4
  24: r4 = *(u64 *)(r0 +0)
  25: *(u64 *)(r10 -24) = r4
  26: r4 = *(u64 *)(r0 +8)
  27: *(u64 *)(r10 -16) = r4
  28: r1 = map[map_2_] ll
  30: r2 = r10
  31: r2 += -24
  32: call bpf_map_lookup_elem#1
  33: if r0 == 0x0 goto +3
  34: r4 = 1
  35: lock *(u64 *)(r0 +0) += r4
  36: goto +6
  37: r1 = map[map_2_] ll
  39: r2 = r10
  40: r2 += -24
  41: r3 = 27
  42: call pf_count
  43: r0 = 0
  44: exit

kprobe/p4: p4
; many.pf:4: kprobe:vfs_read, kprobe:vfs_write { @calls = count(); }
   0: r2 = data[pf_data_process] ll
   2: r2 = *(u64 *)(r2 +0)
   3: if r2 == 0x0 goto +8
   4: r6 = r1
   5: r7 = r2
   6: call bpf_get_current_pid_tgid#14
   7: r0 >>= 32
   8: r1 = r6
   9: if r0 == r7 goto +2
  10: r0 = 0
  11: exit
  12: *(u64 *)(r10 -8) = 0
  13: r1 = map[map_3_calls] ll
  15: r2 = r10
  16: r2 += -8
  17: call bpf_map_lookup_elem#1
  18: if r0 == 0x0 goto +3
  19: r4 = 1
  20: lock *(u64 *)(r0 +0) += r4
  21: goto +6
  22: r1 = map[map_3_calls] ll
  24: r2 = r10
  25: r2 += -8
  26: r3 = 36
  27: call pf_count
  28: r0 = 0
  29: exit

kprobe/p5: p5
; many.pf:5: kretprobe:vfs_read /retval > 0/ { @bytes = sum(retval); }
   0: r2 = data[pf_data_process] ll
   2: r2 = *(u64 *)(r2 +0)
   3: if r2 == 0x0 goto +8
   4: r6 = r1
   5: r7 = r2
   6: call bpf_get_current_pid_tgid#14
   7: r0 >>= 32
   8: r1 = r6
   9: if r0 == r7 goto +2
  10: r0 = 0
  11: exit
  12: r6 = r1
  13: r1 = *(u64 *)(r6 +80)
  14: if r1 <= 0x0 goto +17
  15: r7 = *(u64 *)(r6 +80)
  16: *(u64 *)(r10 -8) = 0
  17: r1 = map[map_4_bytes] ll
  19: r2 = r10
  20: r2 += -8
  21: call bpf_map_lookup_elem#1
  22: if r0 == 0x0 goto +2
  23: lock *(u64 *)(r0 +0) += r7
  24: goto +7
  25: r3 = r7
  26: r1 = map[map_4_bytes] ll
  28: r2 = r10
  29: r2 += -8
  30: r4 = 45
  31: call pf_sum
  32: r0 = 0
  33: exit

perf_event/p6: p6
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
  22: r4 = 54
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
  35: r4 = 54
  36: call pf_set
  37: r0 = 0
  38: exit
