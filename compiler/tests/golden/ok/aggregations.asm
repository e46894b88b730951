map map_0_count: type 5 key 8 value 8 entries 1 flags 0x1
map map_1_sum: type 5 key 8 value 8 entries 262144 flags 0x1
map map_2_min: type 5 key 16 value 16 entries 262144 flags 0x1
map map_3_max: type 5 key 16 value 16 entries 262144 flags 0x1
map map_4_avg: type 5 key 24 value 16 entries 262144 flags 0x1
map map_5_stats: type 5 key 8 value 16 entries 1 flags 0x1
map map_6_hist: type 5 key 8 value 520 entries 1 flags 0x1
map map_7_fine: type 5 key 8 value 3912 entries 1 flags 0x1
map map_8_linear: type 5 key 8 value 96 entries 262144 flags 0x1
map pf_map_loss: type 6 key 4 value 8 entries 8 flags 0x0
map pf_map_zeros: type 2 key 4 value 3912 entries 1 flags 0x0

perf_event/p0: p0
; aggregations.pf:1: software:cpu-clock:1000000 {
   0: *(u64 *)(r10 -8) = 0
; aggregations.pf:2: @count = count();
   1: r1 = map[map_0_count] ll
   3: r2 = r10
   4: r2 += -8
   5: call bpf_map_lookup_elem#1
   6: if r0 == 0x0 goto +4
   7: r1 = *(u64 *)(r0 +0)
   8: r1 += 1
   9: *(u64 *)(r0 +0) = r1
  10: goto +6
  11: r1 = map[map_0_count] ll
  13: r2 = r10
  14: r2 += -8
  15: r3 = 0
  16: call pf_count
; aggregations.pf:3: @sum[pid] = sum(cpu);
  17: call bpf_get_smp_processor_id#8
  18: r7 = r0
  19: call bpf_get_current_pid_tgid#14
  20: r0 >>= 32
  21: *(u64 *)(r10 -8) = r0
  22: r1 = map[map_1_sum] ll
  24: r2 = r10
  25: r2 += -8
  26: call bpf_map_lookup_elem#1
  27: if r0 == 0x0 goto +4
  28: r1 = *(u64 *)(r0 +0)
  29: r1 += r7
  30: *(u64 *)(r0 +0) = r1
  31: goto +7
  32: r3 = r7
  33: r1 = map[map_1_sum] ll
  35: r2 = r10
  36: r2 += -8
  37: r4 = 0
  38: call pf_sum
; aggregations.pf:4: @min[comm] = min(-1);
  39: *(u64 *)(r10 -32) = 0
  40: *(u64 *)(r10 -24) = 0
  41: r1 = r10
  42: r1 += -32
  43: r2 = 16
  44: call bpf_get_current_comm#16
  45: r1 = map[map_2_min] ll
  47: r2 = r10
  48: r2 += -32
  49: r3 = -1
  50: r4 = 2
  51: r5 = 0
  52: call pf_minmax
; aggregations.pf:5: @max[comm] = max(nsecs);
  53: call bpf_ktime_get_boot_ns#125
  54: r7 = r0
  55: *(u64 *)(r10 -32) = 0
  56: *(u64 *)(r10 -24) = 0
  57: r1 = r10
  58: r1 += -32
  59: r2 = 16
  60: call bpf_get_current_comm#16
  61: r3 = r7
  62: r1 = map[map_3_max] ll
  64: r2 = r10
  65: r2 += -32
  66: r4 = 1
  67: r5 = 0
  68: call pf_minmax
; aggregations.pf:6: @avg[pid, comm] = avg(cpu);
  69: call bpf_get_smp_processor_id#8
  70: r7 = r0
  71: call bpf_get_current_pid_tgid#14
  72: r0 >>= 32
  73: *(u64 *)(r10 -56) = r0
  74: *(u64 *)(r10 -48) = 0
  75: *(u64 *)(r10 -40) = 0
  76: r1 = r10
  77: r1 += -48
  78: r2 = 16
  79: call bpf_get_current_comm#16
  80: r3 = r7
  81: r1 = map[map_4_avg] ll
  83: r2 = r10
  84: r2 += -56
  85: r4 = 0
  86: call pf_avg
; aggregations.pf:7: @stats = stats(cpu);
  87: call bpf_get_smp_processor_id#8
  88: *(u64 *)(r10 -8) = 0
  89: r3 = r0
  90: r1 = map[map_5_stats] ll
  92: r2 = r10
  93: r2 += -8
  94: r4 = 0
  95: call pf_avg
; aggregations.pf:8: @hist = hist(nsecs);
  96: call bpf_ktime_get_boot_ns#125
  97: *(u64 *)(r10 -8) = 0
  98: r1 = r0
  99: r2 = 0
 100: call pf_log2
 101: r3 = r0
 102: r1 = map[map_6_hist] ll
 104: r2 = r10
 105: r2 += -8
 106: r4 = 65
 107: r5 = 0
 108: call pf_bucket
; aggregations.pf:9: @fine = hist(nsecs, 3);
 109: call bpf_ktime_get_boot_ns#125
 110: *(u64 *)(r10 -8) = 0
 111: r1 = r0
 112: r2 = 3
 113: call pf_log2
 114: r3 = r0
 115: r1 = map[map_7_fine] ll
 117: r2 = r10
 118: r2 += -8
 119: r4 = 489
 120: r5 = 0
 121: call pf_bucket
; aggregations.pf:10: @linear[cpu] = lhist(cpu, 0, 100, 10);
 122: call bpf_get_smp_processor_id#8
 123: r7 = r0
 124: call bpf_get_smp_processor_id#8
 125: *(u64 *)(r10 -8) = r0
 126: if r7 s>= 0x0 goto +2
 127: *(u64 *)(r10 -16) = 0
 128: goto +6
 129: if r7 s< 0x64 goto +2
 130: *(u64 *)(r10 -16) = 11
 131: goto +3
 132: r7 /= 10
 133: r7 += 1
 134: *(u64 *)(r10 -16) = r7
 135: r3 = *(u64 *)(r10 -16)
 136: r1 = map[map_8_linear] ll
 138: r2 = r10
 139: r2 += -8
 140: r4 = 12
 141: r5 = 0
 142: call pf_bucket
 143: r0 = 0
 144: exit

.text: pf_count
   0: r6 = r3
   1: r7 = r2
   2: r8 = r1
   3: call bpf_map_lookup_elem#1
   4: if r0 != 0x0 goto +15
   5: r1 = 0
   6: *(u64 *)(r10 -8) = r1
   7: r3 = r10
   8: r3 += -8
   9: r1 = r8
  10: r2 = r7
  11: r4 = 1
  12: call bpf_map_update_elem#2
  13: r1 = r8
  14: r2 = r7
  15: call bpf_map_lookup_elem#1
  16: if r0 != 0x0 goto +3
  17: r1 = r6
  18: call pf_loss
  19: goto +3
  20: r1 = *(u64 *)(r0 +0)
  21: r1 += 1
  22: *(u64 *)(r0 +0) = r1
  23: exit

.text: pf_sum
   0: r7 = r4
   1: r6 = r3
   2: r8 = r2
   3: r9 = r1
   4: call bpf_map_lookup_elem#1
   5: if r0 != 0x0 goto +15
   6: r1 = 0
   7: *(u64 *)(r10 -8) = r1
   8: r3 = r10
   9: r3 += -8
  10: r1 = r9
  11: r2 = r8
  12: r4 = 1
  13: call bpf_map_update_elem#2
  14: r1 = r9
  15: r2 = r8
  16: call bpf_map_lookup_elem#1
  17: if r0 != 0x0 goto +3
  18: r1 = r7
  19: call pf_loss
  20: goto +3
  21: r1 = *(u64 *)(r0 +0)
  22: r1 += r6
  23: *(u64 *)(r0 +0) = r1
  24: exit

.text: pf_minmax
   0: *(u64 *)(r10 -24) = r5
   1: r7 = r4
   2: r6 = r3
   3: r9 = r2
   4: r8 = r1
   5: call bpf_map_lookup_elem#1
   6: if r0 != 0x0 goto +17
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
  17: r1 = r8
  18: r2 = r9
  19: call bpf_map_lookup_elem#1
  20: if r0 != 0x0 goto +3
  21: r1 = *(u64 *)(r10 -24)
  22: call pf_loss
  23: goto +18
  24: r1 = *(u64 *)(r0 +8)
  25: if r1 == 0x0 goto +13
  26: r1 = r7
  27: r1 <<= 62
  28: r2 = 0x8000000000000000 ll
  30: r1 &= r2
  31: r2 = *(u64 *)(r0 +0)
  32: r2 ^= r1
  33: r1 ^= r6
  34: r7 &= 1
  35: if r7 == 0x0 goto +2
  36: if r1 > r2 goto +2
  37: goto +4
  38: if r1 >= r2 goto +3
  39: r1 = 1
  40: *(u64 *)(r0 +8) = r1
  41: *(u64 *)(r0 +0) = r6
  42: exit

.text: pf_avg
   0: r7 = r4
   1: r6 = r3
   2: r8 = r2
   3: r9 = r1
   4: call bpf_map_lookup_elem#1
   5: if r0 != 0x0 goto +16
   6: r1 = 0
   7: *(u64 *)(r10 -8) = r1
   8: *(u64 *)(r10 -16) = r1
   9: r3 = r10
  10: r3 += -16
  11: r1 = r9
  12: r2 = r8
  13: r4 = 1
  14: call bpf_map_update_elem#2
  15: r1 = r9
  16: r2 = r8
  17: call bpf_map_lookup_elem#1
  18: if r0 != 0x0 goto +3
  19: r1 = r7
  20: call pf_loss
  21: goto +6
  22: r1 = *(u64 *)(r0 +0)
  23: r1 += 1
  24: *(u64 *)(r0 +0) = r1
  25: r1 = *(u64 *)(r0 +8)
  26: r1 += r6
  27: *(u64 *)(r0 +8) = r1
  28: exit

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
   1: r7 = r4
   2: r6 = r3
   3: r9 = r2
   4: r8 = r1
   5: call bpf_map_lookup_elem#1
   6: if r0 != 0x0 goto +19
   7: r1 = *(u64 *)(r10 -16)
   8: w1 = 0
   9: *(u32 *)(r10 -4) = r1
  10: r2 = r10
  11: r2 += -4
  12: r1 = map[pf_map_zeros] ll
  14: call bpf_map_lookup_elem#1
  15: if r0 != 0x0 goto +1
  16: goto +17
  17: r1 = r8
  18: r2 = r9
  19: r3 = r0
  20: r4 = 1
  21: call bpf_map_update_elem#2
  22: r1 = r8
  23: r2 = r9
  24: call bpf_map_lookup_elem#1
  25: if r0 == 0x0 goto +9
  26: if r6 < r7 goto +2
  27: r7 += -1
  28: r6 = r7
  29: r6 <<= 3
  30: r0 += r6
  31: r1 = *(u64 *)(r0 +0)
  32: r1 += 1
  33: *(u64 *)(r0 +0) = r1
  34: exit
  35: r1 = *(u64 *)(r10 -16)
  36: call pf_loss
  37: goto -4

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
