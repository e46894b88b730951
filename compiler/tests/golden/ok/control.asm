map map_0_seen: type 1 key 16 value 8 entries 262144 flags 0x1
map map_1_total: type 1 key 8 value 8 entries 1 flags 0x1
map pf_map_loss: type 6 key 4 value 8 entries 9 flags 0x0
map pf_map_events: type 27 key 0 value 0 entries 65536 flags 0x0

perf_event/p0: p0
; control.pf:1: profile:hz:99 /pid > 1 && (comm == "bash" || uid != 0)/ {
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
  12: *(u64 *)(r10 -16) = 0
  13: call bpf_get_current_pid_tgid#14
  14: r0 >>= 32
  15: if r0 s<= 0x1 goto +83
  16: *(u64 *)(r10 -40) = 0
  17: *(u64 *)(r10 -32) = 0
  18: r1 = r10
  19: r1 += -40
  20: r2 = 16
  21: call bpf_get_current_comm#16
  22: *(u64 *)(r10 -8) = 1752392034
  23: r1 = r10
  24: r1 += -40
  25: r2 = r10
  26: r2 += -8
  27: r3 = 8
  28: call pf_streq
  29: if r0 != 0x0 goto +3
  30: call bpf_get_current_uid_gid#15
  31: w0 = w0
  32: if r0 == 0x0 goto +66
; control.pf:2: if (cpu == 0) {
  33: call bpf_get_smp_processor_id#8
  34: if r0 != 0x0 goto +2
; control.pf:3: $x = "zero";
  35: *(u64 *)(r10 -16) = 1869768058
; control.pf:7: return;
  36: goto +3
; control.pf:4: } else if (cpu == 1) {
  37: call bpf_get_smp_processor_id#8
  38: if r0 != 0x1 goto +58
; control.pf:5: $x = "one";
  39: *(u64 *)(r10 -16) = 6647407
; control.pf:9: $y = tid % 2 == 0 ? 10 : 20;
  40: call bpf_get_current_pid_tgid#14
  41: w1 = w0
  42: r2 = 2
  43: call pf_smod
  44: if r0 != 0x0 goto +2
  45: *(u64 *)(r10 -24) = 10
  46: goto +1
  47: *(u64 *)(r10 -24) = 20
; control.pf:10: @seen[$x, $y]++;
  48: r4 = *(u64 *)(r10 -16)
  49: *(u64 *)(r10 -40) = r4
  50: r1 = *(u64 *)(r10 -24)
  51: *(u64 *)(r10 -32) = r1
  52: r1 = map[map_0_seen] ll
  54: r2 = r10
  55: r2 += -40
  56: r3 = 1
  57: r4 = 0
  58: call pf_add
; control.pf:11: @total += $y;
  59: r3 = *(u64 *)(r10 -24)
  60: *(u64 *)(r10 -8) = 0
  61: r1 = map[map_1_total] ll
  63: r2 = r10
  64: r2 += -8
  65: r4 = 0
  66: call pf_add
; control.pf:12: @total -= 1;
  67: *(u64 *)(r10 -8) = 0
  68: r1 = map[map_1_total] ll
  70: r2 = r10
  71: r2 += -8
  72: r3 = -1
  73: r4 = 0
  74: call pf_add
; control.pf:13: if (!@seen["one", 10]) { exit(); }
  75: *(u64 *)(r10 -40) = 6647407
  76: *(u64 *)(r10 -32) = 10
  77: *(u64 *)(r10 -8) = 0
  78: r1 = map[map_0_seen] ll
  80: r2 = r10
  81: r2 += -40
  82: call bpf_map_lookup_elem#1
  83: if r0 == 0x0 goto +2
  84: r4 = *(u64 *)(r0 +0)
  85: *(u64 *)(r10 -8) = r4
  86: r1 = *(u64 *)(r10 -8)
  87: if r1 != 0x0 goto +11
  88: *(u64 *)(r10 -48) = 0
  89: *(u64 *)(r10 -56) = 0
  90: r1 = r10
  91: r1 += -56
  92: r2 = 16
  93: r3 = 0
  94: call pf_emit
  95: r0 = 0
  96: exit
; control.pf:7: return;
  97: r0 = 0
  98: exit
; control.pf:13: if (!@seen["one", 10]) { exit(); }
  99: r0 = 0
 100: exit
