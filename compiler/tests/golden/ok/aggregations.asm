map map_0_count: type 5 key 8 value 8 entries 1 flags 0x1
map map_1_sum: type 1 key 8 value 8 entries 262144 flags 0x1
map map_2_min: type 5 key 16 value 16 entries 262144 flags 0x1
map map_3_max: type 5 key 16 value 16 entries 262144 flags 0x1
map map_4_avg: type 1 key 24 value 16 entries 262144 flags 0x1
map map_5_stats: type 5 key 8 value 16 entries 1 flags 0x1
map map_6_hist: type 5 key 8 value 520 entries 1 flags 0x1
map map_7_fine: type 5 key 8 value 3912 entries 1 flags 0x1
map map_8_linear: type 5 key 8 value 96 entries 262144 flags 0x1
map pf_map_loss: type 6 key 4 value 8 entries 9 flags 0x0
map pf_map_zeros: type 2 key 4 value 3912 entries 1 flags 0x0

perf_event/p0: p0
; aggregations.pf:1: software:cpu-clock:1000000 {
   0: *(u64 *)(r10 -8) = 0
; aggregations.pf:2: @count = count();
   1: r1 = map[map_0_count] ll
   3: r2 = r10
   4: r2 += -8
   5: call bpf_map_lookup_elem#1
   6: if r0 == 0x0 goto +3
   7: r4 = 1
   8: lock *(u64 *)(r0 +0) += r4
   9: goto +6
  10: r1 = map[map_0_count] ll
  12: r2 = r10
  13: r2 += -8
  14: r3 = 0
  15: call pf_count
; aggregations.pf:3: @sum[pid] = sum(cpu);
  16: call bpf_get_smp_processor_id#8
  17: r7 = r0
  18: call bpf_get_current_pid_tgid#14
  19: r0 >>= 32
  20: *(u64 *)(r10 -8) = r0
  21: r1 = map[map_1_sum] ll
  23: r2 = r10
  24: r2 += -8
  25: call bpf_map_lookup_elem#1
  26: if r0 == 0x0 goto +2
  27: lock *(u64 *)(r0 +0) += r7
  28: goto +7
  29: r3 = r7
  30: r1 = map[map_1_sum] ll
  32: r2 = r10
  33: r2 += -8
  34: r4 = 0
  35: call pf_sum
; aggregations.pf:4: @min[comm] = min(-1);
  36: *(u64 *)(r10 -32) = 0
  37: *(u64 *)(r10 -24) = 0
  38: r1 = r10
  39: r1 += -32
  40: r2 = 16
  41: call bpf_get_current_comm#16
  42: r1 = map[map_2_min] ll
  44: r2 = r10
  45: r2 += -32
  46: r3 = -1
  47: r4 = 2
  48: r5 = 0
  49: call pf_minmax
; aggregations.pf:5: @max[comm] = max(nsecs);
  50: call bpf_ktime_get_boot_ns#125
  51: r7 = r0
  52: *(u64 *)(r10 -32) = 0
  53: *(u64 *)(r10 -24) = 0
  54: r1 = r10
  55: r1 += -32
  56: r2 = 16
  57: call bpf_get_current_comm#16
  58: r3 = r7
  59: r1 = map[map_3_max] ll
  61: r2 = r10
  62: r2 += -32
  63: r4 = 1
  64: r5 = 0
  65: call pf_minmax
; aggregations.pf:6: @avg[pid, comm] = avg(cpu);
  66: call bpf_get_smp_processor_id#8
  67: r7 = r0
  68: call bpf_get_current_pid_tgid#14
  69: r0 >>= 32
  70: *(u64 *)(r10 -56) = r0
  71: *(u64 *)(r10 -48) = 0
  72: *(u64 *)(r10 -40) = 0
  73: r1 = r10
  74: r1 += -48
  75: r2 = 16
  76: call bpf_get_current_comm#16
  77: r3 = r7
  78: r1 = map[map_4_avg] ll
  80: r2 = r10
  81: r2 += -56
  82: r4 = 0
  83: call pf_avg
; aggregations.pf:7: @stats = stats(cpu);
  84: call bpf_get_smp_processor_id#8
  85: *(u64 *)(r10 -8) = 0
  86: r3 = r0
  87: r1 = map[map_5_stats] ll
  89: r2 = r10
  90: r2 += -8
  91: r4 = 0
  92: call pf_avg
; aggregations.pf:8: @hist = hist(nsecs);
  93: call bpf_ktime_get_boot_ns#125
  94: *(u64 *)(r10 -8) = 0
  95: r1 = r0
  96: r2 = 0
  97: call pf_log2
  98: r3 = r0
  99: r1 = map[map_6_hist] ll
 101: r2 = r10
 102: r2 += -8
 103: r4 = 65
 104: r5 = 0
 105: call pf_bucket
; aggregations.pf:9: @fine = hist(nsecs, 3);
 106: call bpf_ktime_get_boot_ns#125
 107: *(u64 *)(r10 -8) = 0
 108: r1 = r0
 109: r2 = 3
 110: call pf_log2
 111: r3 = r0
 112: r1 = map[map_7_fine] ll
 114: r2 = r10
 115: r2 += -8
 116: r4 = 489
 117: r5 = 0
 118: call pf_bucket
; aggregations.pf:10: @linear[cpu] = lhist(cpu, 0, 100, 10);
 119: call bpf_get_smp_processor_id#8
 120: r7 = r0
 121: call bpf_get_smp_processor_id#8
 122: *(u64 *)(r10 -8) = r0
 123: if r7 s>= 0x0 goto +2
 124: *(u64 *)(r10 -16) = 0
 125: goto +6
 126: if r7 s< 0x64 goto +2
 127: *(u64 *)(r10 -16) = 11
 128: goto +3
 129: r7 /= 10
 130: r7 += 1
 131: *(u64 *)(r10 -16) = r7
 132: r3 = *(u64 *)(r10 -16)
 133: r1 = map[map_8_linear] ll
 135: r2 = r10
 136: r2 += -8
 137: r4 = 12
 138: r5 = 0
 139: call pf_bucket
 140: r0 = 0
 141: exit

.text: pf_count
   0: r6 = r3
   1: r7 = r2
   2: r8 = r1
   3: call bpf_map_lookup_elem#1
   4: if r0 != 0x0 goto +20
   5: r1 = 0
   6: *(u64 *)(r10 -8) = r1
   7: r3 = r10
   8: r3 += -8
   9: r1 = r8
  10: r2 = r7
  11: r4 = 1
  12: call bpf_map_update_elem#2
  13: r9 = r0
  14: r1 = r8
  15: r2 = r7
  16: call bpf_map_lookup_elem#1
  17: if r0 != 0x0 goto +7
  18: w1 = 1
  19: if r9 != 0xfffffff9 goto +1
  20: w1 = 0
  21: r1 <<= 3
  22: r1 += r6
  23: call pf_loss
  24: goto +2
  25: r1 = 1
  26: lock *(u64 *)(r0 +0) += r1
  27: exit

.text: pf_sum
   0: r6 = r4
   1: r7 = r3
   2: r8 = r2
   3: r9 = r1
   4: call bpf_map_lookup_elem#1
   5: if r0 != 0x0 goto +21
   6: r1 = 0
   7: *(u64 *)(r10 -8) = r1
   8: r3 = r10
   9: r3 += -8
  10: r1 = r9
  11: r2 = r8
  12: r4 = 1
  13: call bpf_map_update_elem#2
  14: *(u64 *)(r10 -16) = r0
  15: r1 = r9
  16: r2 = r8
  17: call bpf_map_lookup_elem#1
  18: if r0 != 0x0 goto +8
  19: w1 = 1
  20: r2 = *(u64 *)(r10 -16)
  21: if r2 != 0xfffffff9 goto +1
  22: w1 = 0
  23: r1 <<= 3
  24: r1 += r6
  25: call pf_loss
  26: goto +1
  27: lock *(u64 *)(r0 +0) += r7
  28: exit

.text: pf_minmax
   0: *(u64 *)(r10 -24) = r5
   1: r7 = r4
   2: r6 = r3
   3: r9 = r2
   4: r8 = r1
   5: call bpf_map_lookup_elem#1
   6: if r0 != 0x0 goto +24
   7: r1 = *(u64 *)(r10 -24)
   8: r1 = 0
   9: *(u64 *)(r10 -8) = r1
  10: *(u64 *)(r10 -16) = r1
  11: r3 = r10
  12: r3 += -16
  13: r1 = r8
  14: r2 = r9
  15: r4 = 1
  16: call bpf_map_update_elem#2
  17: *(u64 *)(r10 -32) = r0
  18: r1 = r8
  19: r2 = r9
  20: call bpf_map_lookup_elem#1
  21: if r0 != 0x0 goto +9
  22: w1 = 1
  23: r2 = *(u64 *)(r10 -32)
  24: if r2 != 0xfffffff9 goto +1
  25: w1 = 0
  26: r1 <<= 3
  27: r2 = *(u64 *)(r10 -24)
  28: r1 += r2
  29: call pf_loss
  30: goto +18
  31: r1 = *(u64 *)(r0 +8)
  32: if r1 == 0x0 goto +13
  33: r1 = r7
  34: r1 <<= 62
  35: r2 = 0x8000000000000000 ll
  37: r1 &= r2
  38: r2 = *(u64 *)(r0 +0)
  39: r2 ^= r1
  40: r1 ^= r6
  41: r7 &= 1
  42: if r7 == 0x0 goto +2
  43: if r1 > r2 goto +2
  44: goto +4
  45: if r1 >= r2 goto +3
  46: r1 = 1
  47: *(u64 *)(r0 +8) = r1
  48: *(u64 *)(r0 +0) = r6
  49: exit

.text: pf_avg
   0: r6 = r4
   1: r7 = r3
   2: r8 = r2
   3: r9 = r1
   4: call bpf_map_lookup_elem#1
   5: if r0 != 0x0 goto +22
   6: r1 = 0
   7: *(u64 *)(r10 -8) = r1
   8: *(u64 *)(r10 -16) = r1
   9: r3 = r10
  10: r3 += -16
  11: r1 = r9
  12: r2 = r8
  13: r4 = 1
  14: call bpf_map_update_elem#2
  15: *(u64 *)(r10 -24) = r0
  16: r1 = r9
  17: r2 = r8
  18: call bpf_map_lookup_elem#1
  19: if r0 != 0x0 goto +8
  20: w1 = 1
  21: r2 = *(u64 *)(r10 -24)
  22: if r2 != 0xfffffff9 goto +1
  23: w1 = 0
  24: r1 <<= 3
  25: r1 += r6
  26: call pf_loss
  27: goto +3
  28: r1 = 1
  29: lock *(u64 *)(r0 +0) += r1
  30: lock *(u64 *)(r0 +8) += r7
  31: exit

.text: pf_log2
   0: r0 = 0
   1: if r1 s< 0x0 goto +57
   2: r3 = 1
   3: r3 <<= r2
   4: if r3 <= r1 goto +1
   5: goto +51
   6: r5 = r1
   7: r5 >>= 1
   8: r4 = r1
   9: r4 |= r5
  10: r5 = r4
  11: r5 >>= 2
  12: r4 |= r5
  13: r5 = r4
  14: r5 >>= 4
  15: r4 |= r5
  16: r5 = r4
  17: r5 >>= 8
  18: r4 |= r5
  19: r5 = r4
  20: r5 >>= 16
  21: r4 |= r5
  22: r5 = r4
  23: r5 >>= 32
  24: r4 |= r5
  25: r4 ^= -1
  26: r5 = 0x5555555555555555 ll
  28: r0 = r4
  29: r0 >>= 1
  30: r0 &= r5
  31: r4 -= r0
  32: r0 = 0x3333333333333333 ll
  34: r5 = r4
  35: r5 &= r0
  36: r4 >>= 2
  37: r4 &= r0
  38: r5 += r4
  39: r4 = r5
  40: r4 >>= 4
  41: r5 += r4
  42: r4 = 0xf0f0f0f0f0f0f0f ll
  44: r5 &= r4
  45: r4 = 0x101010101010101 ll
  47: r5 *= r4
  48: r5 >>= 56
  49: r5 ^= 63
  50: r5 -= r2
  51: r1 >>= r5
  52: r5 += 1
  53: r5 <<= r2
  54: r3 += -1
  55: r1 &= r3
  56: r1 += r5
  57: r1 += 1
  58: r0 = r1
  59: exit

.text: pf_bucket
   0: *(u64 *)(r10 -16) = r5
   1: r8 = r4
   2: r7 = r3
   3: r9 = r2
   4: r6 = r1
   5: call bpf_map_lookup_elem#1
   6: if r0 != 0x0 goto +20
   7: r1 = *(u64 *)(r10 -16)
   8: w1 = 0
   9: *(u32 *)(r10 -4) = r1
  10: r2 = r10
  11: r2 += -4
  12: r1 = map[pf_map_zeros] ll
  14: call bpf_map_lookup_elem#1
  15: if r0 != 0x0 goto +1
  16: goto +18
  17: r1 = r6
  18: r2 = r9
  19: r3 = r0
  20: r4 = 1
  21: call bpf_map_update_elem#2
  22: *(u64 *)(r10 -24) = r0
  23: r1 = r6
  24: r2 = r9
  25: call bpf_map_lookup_elem#1
  26: if r0 == 0x0 goto +9
  27: if r7 < r8 goto +2
  28: r8 += -1
  29: r7 = r8
  30: r7 <<= 3
  31: r0 += r7
  32: r1 = *(u64 *)(r0 +0)
  33: r1 += 1
  34: *(u64 *)(r0 +0) = r1
  35: exit
  36: w1 = 1
  37: r2 = *(u64 *)(r10 -24)
  38: if r2 != 0xfffffff9 goto +1
  39: w1 = 0
  40: r1 <<= 3
  41: r2 = *(u64 *)(r10 -16)
  42: r1 += r2
  43: call pf_loss
  44: goto -10

.text: pf_loss
   0: *(u32 *)(r10 -4) = r1
   1: r2 = r10
   2: r2 += -4
   3: r1 = map[pf_map_loss] ll
   5: call bpf_map_lookup_elem#1
   6: if r0 == 0x0 goto +3
   7: r1 = *(u64 *)(r0 +0)
   8: r1 += 1
   9: *(u64 *)(r0 +0) = r1
  10: exit
