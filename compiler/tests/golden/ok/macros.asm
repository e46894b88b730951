map map_0_m: type 1 key 8 value 8 entries 262144 flags 0x1
map map_1_c: type 1 key 8 value 8 entries 262144 flags 0x1
map pf_map_loss: type 6 key 4 value 8 entries 9 flags 0x0
map pf_map_events: type 27 key 0 value 0 entries 4194304 flags 0x0

raw_tracepoint/p0: p0
; macros.pf:12: $x = one() + one;
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

.text: body_p0
; macros.pf:12: $x = one() + one;
   0: *(u64 *)(r10 -8) = 2
; macros.pf:13: $y = four($x);
   1: r1 = *(u64 *)(r10 -8)
   2: r2 = *(u64 *)(r10 -8)
   3: r1 += r2
   4: r2 = *(u64 *)(r10 -8)
   5: r3 = *(u64 *)(r10 -8)
   6: r2 += r3
   7: r1 += r2
   8: *(u64 *)(r10 -16) = r1
; macros.pf:14: both($y, @m);
   9: r1 = *(u64 *)(r10 -16)
  10: r1 += 1
  11: *(u64 *)(r10 -16) = r1
  12: r1 = *(u64 *)(r10 -16)
  13: *(u64 *)(r10 -24) = r1
  14: call bpf_get_current_pid_tgid#14
  15: r0 >>= 32
  16: *(u64 *)(r10 -32) = r0
  17: r1 = map[map_0_m] ll
  19: r2 = r10
  20: r2 += -32
  21: r3 = r10
  22: r3 += -24
  23: r4 = 0
  24: call pf_set
; macros.pf:15: swap($x, $y);
  25: r1 = *(u64 *)(r10 -8)
  26: *(u64 *)(r10 -40) = r1
  27: r1 = *(u64 *)(r10 -16)
  28: *(u64 *)(r10 -8) = r1
  29: r1 = *(u64 *)(r10 -40)
  30: *(u64 *)(r10 -16) = r1
; macros.pf:16: say($x - $y);
  31: r1 = *(u64 *)(r10 -8)
  32: r2 = *(u64 *)(r10 -16)
  33: r1 -= r2
  34: *(u64 *)(r10 -48) = r1
  35: *(u64 *)(r10 -56) = 0
  36: r1 = r10
  37: r1 += -56
  38: r2 = 16
  39: r3 = 0
  40: call pf_emit
; macros.pf:17: say(len($x, 2) + len(@m));
  41: r1 = *(u64 *)(r10 -8)
  42: r7 = r1
  43: r7 <<= 1
  44: r1 = map[map_0_m] ll
  46: call pf_map_len
  47: r7 += r0
  48: *(u64 *)(r10 -48) = r7
  49: *(u64 *)(r10 -56) = 1
  50: r1 = r10
  51: r1 += -56
  52: r2 = 16
  53: r3 = 0
  54: call pf_emit
; macros.pf:18: @c[twice($x++)] = counted;
  55: r1 = *(u64 *)(r10 -8)
  56: r2 = r1
  57: r2 += 1
  58: *(u64 *)(r10 -8) = r2
  59: r2 = *(u64 *)(r10 -8)
  60: r3 = r2
  61: r3 += 1
  62: *(u64 *)(r10 -8) = r3
  63: r1 += r2
  64: *(u64 *)(r10 -24) = r1
  65: r1 = map[map_1_c] ll
  67: r2 = r10
  68: r2 += -24
  69: call bpf_map_lookup_elem#1
  70: if r0 == 0x0 goto +3
  71: r4 = 1
  72: lock *(u64 *)(r0 +0) += r4
  73: goto +6
  74: r1 = map[map_1_c] ll
  76: r2 = r10
  77: r2 += -24
  78: r3 = 0
  79: call pf_count
  80: r0 = 0
  81: exit
