map map_0_seen: type 1 key 16 value 8 entries 262144 flags 0x1
map map_1_total: type 1 key 8 value 8 entries 1 flags 0x1
map pf_map_loss: type 6 key 4 value 8 entries 9 flags 0x0
map pf_map_events: type 27 key 0 value 0 entries 65536 flags 0x0

perf_event/p0: p0
; control.pf:1: profile:hz:99 /pid > 1 && (comm == "bash" || uid != 0)/ {
   0: *(u64 *)(r10 -16) = 0
   1: call bpf_get_current_pid_tgid#14
   2: r0 >>= 32
   3: if r0 s<= 0x1 goto +83
   4: *(u64 *)(r10 -40) = 0
   5: *(u64 *)(r10 -32) = 0
   6: r1 = r10
   7: r1 += -40
   8: r2 = 16
   9: call bpf_get_current_comm#16
  10: *(u64 *)(r10 -8) = 1752392034
  11: r1 = r10
  12: r1 += -40
  13: r2 = r10
  14: r2 += -8
  15: r3 = 8
  16: call pf_streq
  17: if r0 != 0x0 goto +3
  18: call bpf_get_current_uid_gid#15
  19: w0 = w0
  20: if r0 == 0x0 goto +66
; control.pf:2: if (cpu == 0) {
  21: call bpf_get_smp_processor_id#8
  22: if r0 != 0x0 goto +2
; control.pf:3: $x = "zero";
  23: *(u64 *)(r10 -16) = 1869768058
; control.pf:7: return;
  24: goto +3
; control.pf:4: } else if (cpu == 1) {
  25: call bpf_get_smp_processor_id#8
  26: if r0 != 0x1 goto +58
; control.pf:5: $x = "one";
  27: *(u64 *)(r10 -16) = 6647407
; control.pf:9: $y = tid % 2 == 0 ? 10 : 20;
  28: call bpf_get_current_pid_tgid#14
  29: w1 = w0
  30: r2 = 2
  31: call pf_smod
  32: if r0 != 0x0 goto +2
  33: *(u64 *)(r10 -24) = 10
  34: goto +1
  35: *(u64 *)(r10 -24) = 20
; control.pf:10: @seen[$x, $y]++;
  36: r4 = *(u64 *)(r10 -16)
  37: *(u64 *)(r10 -40) = r4
  38: r1 = *(u64 *)(r10 -24)
  39: *(u64 *)(r10 -32) = r1
  40: r1 = map[map_0_seen] ll
  42: r2 = r10
  43: r2 += -40
  44: r3 = 1
  45: r4 = 0
  46: call pf_add
; control.pf:11: @total += $y;
  47: r3 = *(u64 *)(r10 -24)
  48: *(u64 *)(r10 -8) = 0
  49: r1 = map[map_1_total] ll
  51: r2 = r10
  52: r2 += -8
  53: r4 = 0
  54: call pf_add
; control.pf:12: @total -= 1;
  55: *(u64 *)(r10 -8) = 0
  56: r1 = map[map_1_total] ll
  58: r2 = r10
  59: r2 += -8
  60: r3 = -1
  61: r4 = 0
  62: call pf_add
; control.pf:13: if (!@seen["one", 10]) { exit(); }
  63: *(u64 *)(r10 -40) = 6647407
  64: *(u64 *)(r10 -32) = 10
  65: *(u64 *)(r10 -8) = 0
  66: r1 = map[map_0_seen] ll
  68: r2 = r10
  69: r2 += -40
  70: call bpf_map_lookup_elem#1
  71: if r0 == 0x0 goto +2
  72: r4 = *(u64 *)(r0 +0)
  73: *(u64 *)(r10 -8) = r4
  74: r1 = *(u64 *)(r10 -8)
  75: if r1 != 0x0 goto +11
  76: *(u64 *)(r10 -48) = 0
  77: *(u64 *)(r10 -56) = 0
  78: r1 = r10
  79: r1 += -56
  80: r2 = 16
  81: r3 = 0
  82: call pf_emit
  83: r0 = 0
  84: exit
; control.pf:7: return;
  85: r0 = 0
  86: exit
; control.pf:13: if (!@seen["one", 10]) { exit(); }
  87: r0 = 0
  88: exit
