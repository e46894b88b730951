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
; aggregations.pf:2: @count = count();
   0: *(u64 *)(r10 -8) = 0
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
