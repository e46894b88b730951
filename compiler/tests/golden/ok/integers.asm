map map_0_: type 1 key 8 value 8 entries 1 flags 0x1
map map_1_x: type 1 key 8 value 8 entries 1 flags 0x1
map map_2_y: type 1 key 8 value 8 entries 1 flags 0x1
map map_3_z: type 1 key 8 value 8 entries 1 flags 0x1
map pf_map_loss: type 6 key 4 value 8 entries 9 flags 0x0

raw_tracepoint/p0: p0
; integers.pf:2: $u = (uint8)300;
   0: *(u64 *)(r10 -8) = 44
; integers.pf:3: $s = (int8)200;
   1: *(u64 *)(r10 -16) = -56
; integers.pf:4: $q = $s / 3;
   2: r1 = *(u64 *)(r10 -16)
   3: r2 = 3
   4: call pf_sdiv
   5: *(u64 *)(r10 -24) = r0
; integers.pf:5: $r = pid % 7;
   6: call bpf_get_current_pid_tgid#14
   7: r1 = r0
   8: r1 >>= 32
   9: r2 = 7
  10: call pf_smod
  11: *(u64 *)(r10 -32) = r0
; integers.pf:6: $d = nsecs / 1000;
  12: call bpf_ktime_get_boot_ns#125
  13: r0 /= 1000
  14: *(u64 *)(r10 -40) = r0
; integers.pf:7: $k = (1 << 40) >> 3;
  15: r4 = 0x2000000000 ll
  17: *(u64 *)(r10 -48) = r4
; integers.pf:8: $m = -$s >> 1;
  18: r1 = *(u64 *)(r10 -16)
  19: r1 = -r1
  20: r1 s>>= 1
  21: *(u64 *)(r10 -56) = r1
; integers.pf:9: $n = ~pid ^ 0xff;
  22: call bpf_get_current_pid_tgid#14
  23: r0 >>= 32
  24: r0 ^= -1
  25: r0 ^= 255
  26: *(u64 *)(r10 -64) = r0
; integers.pf:10: $c = $s < nsecs;
  27: r7 = *(u64 *)(r10 -16)
  28: call bpf_ktime_get_boot_ns#125
  29: if r7 < r0 goto +2
  30: r1 = 0
  31: goto +1
  32: r1 = 1
  33: *(u64 *)(r10 -72) = r1
; integers.pf:11: @ = ($u + $q) * ($r - $d) | $k & $m;
  34: r1 = *(u64 *)(r10 -8)
  35: r2 = *(u64 *)(r10 -24)
  36: r1 += r2
  37: r2 = *(u64 *)(r10 -32)
  38: r3 = *(u64 *)(r10 -40)
  39: r2 -= r3
  40: r1 *= r2
  41: r2 = *(u64 *)(r10 -48)
  42: r3 = *(u64 *)(r10 -56)
  43: r2 &= r3
  44: r1 |= r2
  45: *(u64 *)(r10 -80) = r1
  46: *(u64 *)(r10 -88) = 0
  47: r1 = map[map_0_] ll
  49: r2 = r10
  50: r2 += -88
  51: r3 = r10
  52: r3 += -80
  53: r4 = 0
  54: call pf_set
; integers.pf:12: @x = $n;
  55: r1 = *(u64 *)(r10 -64)
  56: *(u64 *)(r10 -80) = r1
  57: *(u64 *)(r10 -88) = 0
  58: r1 = map[map_1_x] ll
  60: r2 = r10
  61: r2 += -88
  62: r3 = r10
  63: r3 += -80
  64: r4 = 0
  65: call pf_set
; integers.pf:13: @y = $c;
  66: r1 = *(u64 *)(r10 -72)
  67: *(u64 *)(r10 -80) = r1
  68: *(u64 *)(r10 -88) = 0
  69: r1 = map[map_2_y] ll
  71: r2 = r10
  72: r2 += -88
  73: r3 = r10
  74: r3 += -80
  75: r4 = 0
  76: call pf_set
; integers.pf:14: @z = $u == 44 && $s != -56;
  77: r1 = *(u64 *)(r10 -8)
  78: if r1 != 0x2c goto +4
  79: r1 = *(u64 *)(r10 -16)
  80: if r1 == 0xffffffc8 goto +2
  81: *(u64 *)(r10 -88) = 1
  82: goto +1
  83: *(u64 *)(r10 -88) = 0
  84: r1 = *(u64 *)(r10 -88)
  85: *(u64 *)(r10 -80) = r1
  86: *(u64 *)(r10 -96) = 0
  87: r1 = map[map_3_z] ll
  89: r2 = r10
  90: r2 += -96
  91: r3 = r10
  92: r3 += -80
  93: r4 = 0
  94: call pf_set
  95: r0 = 0
  96: exit
