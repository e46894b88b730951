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
; aggregations.pf:2: @count = count();
  13: r1 = map[map_0_count] ll
  15: r2 = r10
  16: r2 += -8
  17: call bpf_map_lookup_elem#1
  18: if r0 == 0x0 goto +3
  19: r4 = 1
  20: lock *(u64 *)(r0 +0) += r4
  21: goto +6
  22: r1 = map[map_0_count] ll
  24: r2 = r10
  25: r2 += -8
  26: r3 = 0
  27: call pf_count
; aggregations.pf:3: @sum[pid] = sum(cpu);
  28: call bpf_get_smp_processor_id#8
  29: r7 = r0
  30: call bpf_get_current_pid_tgid#14
  31: r0 >>= 32
  32: *(u64 *)(r10 -8) = r0
  33: r1 = map[map_1_sum] ll
  35: r2 = r10
  36: r2 += -8
  37: call bpf_map_lookup_elem#1
  38: if r0 == 0x0 goto +2
  39: lock *(u64 *)(r0 +0) += r7
  40: goto +7
  41: r3 = r7
  42: r1 = map[map_1_sum] ll
  44: r2 = r10
  45: r2 += -8
  46: r4 = 0
  47: call pf_sum
; aggregations.pf:4: @min[comm] = min(-1);
  48: *(u64 *)(r10 -32) = 0
  49: *(u64 *)(r10 -24) = 0
  50: r1 = r10
  51: r1 += -32
  52: r2 = 16
  53: call bpf_get_current_comm#16
  54: r1 = map[map_2_min] ll
  56: r2 = r10
  57: r2 += -32
  58: r3 = -1
  59: r4 = 2
  60: r5 = 0
  61: call pf_minmax
; aggregations.pf:5: @max[comm] = max(nsecs);
  62: call bpf_ktime_get_boot_ns#125
  63: r7 = r0
  64: *(u64 *)(r10 -32) = 0
  65: *(u64 *)(r10 -24) = 0
  66: r1 = r10
  67: r1 += -32
  68: r2 = 16
  69: call bpf_get_current_comm#16
  70: r3 = r7
  71: r1 = map[map_3_max] ll
  73: r2 = r10
  74: r2 += -32
  75: r4 = 1
  76: r5 = 0
  77: call pf_minmax
; aggregations.pf:6: @avg[pid, comm] = avg(cpu);
  78: call bpf_get_smp_processor_id#8
  79: r7 = r0
  80: call bpf_get_current_pid_tgid#14
  81: r0 >>= 32
  82: *(u64 *)(r10 -56) = r0
  83: *(u64 *)(r10 -48) = 0
  84: *(u64 *)(r10 -40) = 0
  85: r1 = r10
  86: r1 += -48
  87: r2 = 16
  88: call bpf_get_current_comm#16
  89: r3 = r7
  90: r1 = map[map_4_avg] ll
  92: r2 = r10
  93: r2 += -56
  94: r4 = 0
  95: call pf_avg
; aggregations.pf:7: @stats = stats(cpu);
  96: call bpf_get_smp_processor_id#8
  97: *(u64 *)(r10 -8) = 0
  98: r3 = r0
  99: r1 = map[map_5_stats] ll
 101: r2 = r10
 102: r2 += -8
 103: r4 = 0
 104: call pf_avg
; aggregations.pf:8: @hist = hist(nsecs);
 105: call bpf_ktime_get_boot_ns#125
 106: *(u64 *)(r10 -8) = 0
 107: r1 = r0
 108: r2 = 0
 109: call pf_log2
 110: r3 = r0
 111: r1 = map[map_6_hist] ll
 113: r2 = r10
 114: r2 += -8
 115: r4 = 65
 116: r5 = 0
 117: call pf_bucket
; aggregations.pf:9: @fine = hist(nsecs, 3);
 118: call bpf_ktime_get_boot_ns#125
 119: *(u64 *)(r10 -8) = 0
 120: r1 = r0
 121: r2 = 3
 122: call pf_log2
 123: r3 = r0
 124: r1 = map[map_7_fine] ll
 126: r2 = r10
 127: r2 += -8
 128: r4 = 489
 129: r5 = 0
 130: call pf_bucket
; aggregations.pf:10: @linear[cpu] = lhist(cpu, 0, 100, 10);
 131: call bpf_get_smp_processor_id#8
 132: r7 = r0
 133: call bpf_get_smp_processor_id#8
 134: *(u64 *)(r10 -8) = r0
 135: if r7 s>= 0x0 goto +2
 136: *(u64 *)(r10 -16) = 0
 137: goto +6
 138: if r7 s< 0x64 goto +2
 139: *(u64 *)(r10 -16) = 11
 140: goto +3
 141: r7 /= 10
 142: r7 += 1
 143: *(u64 *)(r10 -16) = r7
 144: r3 = *(u64 *)(r10 -16)
 145: r1 = map[map_8_linear] ll
 147: r2 = r10
 148: r2 += -8
 149: r4 = 12
 150: r5 = 0
 151: call pf_bucket
 152: r0 = 0
 153: exit
