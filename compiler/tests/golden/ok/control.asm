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

.text: pf_streq
   0: r0 = 1
   1: w4 = 0
   2: if w4 != 0x0 goto +14
   3: if r3 < 0x8 goto +13
   4: r3 >>= 3
   5: r4 = 0
   6: goto +6
   7: r0 = 1
   8: if r4 > 0x7e goto +8
   9: r1 += 8
  10: r2 += 8
  11: r4 += 1
  12: if r4 >= r3 goto +4
  13: r5 = *(u64 *)(r2 +0)
  14: r6 = *(u64 *)(r1 +0)
  15: r0 = 0
  16: if r6 == r5 goto -10
  17: exit

.text: pf_smod
   0: r0 = 0
   1: if r2 == 0x0 goto +10
   2: r3 = r2
   3: r3 s>>= 63
   4: r2 ^= r3
   5: r2 -= r3
   6: r3 = r1
   7: r3 s>>= 63
   8: r0 = r1
   9: r0 ^= r3
  10: r0 -= r3
  11: r0 %= r2
  12: r1 s>>= 63
  13: r0 ^= r1
  14: r0 -= r1
  15: exit

.text: pf_add
   0: r6 = r4
   1: r7 = r3
   2: r8 = r2
   3: r9 = r1
   4: call bpf_map_lookup_elem#1
   5: if r0 != 0x0 goto +22
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
  18: if r0 != 0x0 goto +9
  19: w1 = 1
  20: r2 = *(u64 *)(r10 -16)
  21: if r2 != 0xfffffff9 goto +1
  22: w1 = 0
  23: r1 <<= 3
  24: r1 += r6
  25: call pf_loss
  26: r1 = 0
  27: goto +2
  28: r1 = *(u64 *)(r0 +0)
  29: lock *(u64 *)(r0 +0) += r7
  30: r0 = r1
  31: exit

.text: pf_emit
   0: r6 = r3
   1: r3 = r2
   2: r2 = r1
   3: r1 = map[pf_map_events] ll
   5: r4 = 0
   6: call bpf_ringbuf_output#130
   7: if r0 == 0x0 goto +3
   8: r6 += 1
   9: r1 = r6
  10: call pf_loss
  11: exit

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
