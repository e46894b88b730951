map map_0_a: type 1 key 8 value 8 entries 1 flags 0x1
map map_1_b: type 1 key 8 value 8 entries 1 flags 0x1
map map_2_d: type 1 key 8 value 8 entries 1 flags 0x1
map map_3_e: type 1 key 8 value 8 entries 1 flags 0x1
map map_4_c: type 1 key 8 value 8 entries 1 flags 0x1
map pf_map_loss: type 6 key 4 value 8 entries 9 flags 0x0

raw_tracepoint/p0: p0
; scopes.pf:3: if (pid > 1) { $a = 1; } else { $a = 2; }
   0: *(u64 *)(r10 -8) = 0
   1: *(u64 *)(r10 -56) = 0
   2: *(u64 *)(r10 -64) = 0
   3: call bpf_get_current_pid_tgid#14
   4: r0 >>= 32
   5: if r0 s<= 0x1 goto +2
   6: *(u64 *)(r10 -8) = 1
   7: goto +1
   8: *(u64 *)(r10 -8) = 2
; scopes.pf:4: @a = $a;
   9: r1 = *(u64 *)(r10 -8)
  10: *(u64 *)(r10 -16) = r1
  11: *(u64 *)(r10 -24) = 0
  12: r1 = map[map_0_a] ll
  14: r2 = r10
  15: r2 += -24
  16: r3 = r10
  17: r3 += -16
  18: r4 = 0
  19: call pf_set
; scopes.pf:5: if (pid > 1) { $b = 1; } else { $b = "text"; @b = $b; }
  20: call bpf_get_current_pid_tgid#14
  21: r0 >>= 32
  22: if r0 s<= 0x1 goto +2
  23: *(u64 *)(r10 -32) = 1
  24: goto +12
  25: *(u64 *)(r10 -40) = 1954047348
  26: r4 = *(u64 *)(r10 -40)
  27: *(u64 *)(r10 -16) = r4
  28: *(u64 *)(r10 -24) = 0
  29: r1 = map[map_1_b] ll
  31: r2 = r10
  32: r2 += -24
  33: r3 = r10
  34: r3 += -16
  35: r4 = 0
  36: call pf_set
; scopes.pf:6: $c = 5;
  37: *(u64 *)(r10 -48) = 5
; scopes.pf:7: if (pid > 2) { $c = 6; $d = $c; }
  38: call bpf_get_current_pid_tgid#14
  39: r0 >>= 32
  40: if r0 s<= 0x2 goto +3
  41: *(u64 *)(r10 -48) = 6
  42: r1 = *(u64 *)(r10 -48)
  43: *(u64 *)(r10 -56) = r1
; scopes.pf:8: @d = $d;
  44: r1 = *(u64 *)(r10 -56)
  45: *(u64 *)(r10 -16) = r1
  46: *(u64 *)(r10 -24) = 0
  47: r1 = map[map_2_d] ll
  49: r2 = r10
  50: r2 += -24
  51: r3 = r10
  52: r3 += -16
  53: r4 = 0
  54: call pf_set
; scopes.pf:10: @e = $e;
  55: r1 = *(u64 *)(r10 -64)
  56: *(u64 *)(r10 -16) = r1
  57: *(u64 *)(r10 -24) = 0
  58: r1 = map[map_3_e] ll
  60: r2 = r10
  61: r2 += -24
  62: r3 = r10
  63: r3 += -16
  64: r4 = 0
  65: call pf_set
; scopes.pf:11: { $c++; }
  66: r1 = *(u64 *)(r10 -48)
  67: r1 += 1
  68: *(u64 *)(r10 -48) = r1
; scopes.pf:12: @c = $c;
  69: r1 = *(u64 *)(r10 -48)
  70: *(u64 *)(r10 -16) = r1
  71: *(u64 *)(r10 -24) = 0
  72: r1 = map[map_4_c] ll
  74: r2 = r10
  75: r2 += -24
  76: r3 = r10
  77: r3 += -16
  78: r4 = 0
  79: call pf_set
  80: r0 = 0
  81: exit
