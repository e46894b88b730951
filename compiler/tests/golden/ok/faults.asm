map map_0_: type 5 key 32 value 8 entries 262144 flags 0x1
map pf_map_loss: type 6 key 4 value 8 entries 8 flags 0x0
map pf_map_stacks: type 1 key 8 value 1032 entries 131072 flags 0x1
map pf_map_traces: type 7 key 4 value 1016 entries 2048 flags 0x0
map pf_map_known: type 6 key 4 value 8 entries 512 flags 0x0
map pf_map_scratch: type 6 key 4 value 1040 entries 4 flags 0x0

perf_event/p0: p0
; faults.pf:14: @[ustack, pid, comm] = count();
   0: r6 = r1
   1: r7 = 0x0 ll
   3: if r7 == 0x0 goto +3
   4: call bpf_get_current_pid_tgid#14
   5: r0 >>= 32
   6: if r0 != r7 goto +54
   7: w1 = 0
   8: *(u32 *)(r10 -4) = r1
   9: r2 = r10
  10: r2 += -4
  11: r1 = map[pf_map_scratch] ll
  13: call bpf_map_lookup_elem#1
  14: if r0 == 0x0 goto +32
  15: r1 = *(u64 *)(r0 +0)
  16: if r1 == 0x0 goto +35
  17: w1 = 1
  18: *(u32 *)(r10 -4) = r1
  19: r2 = r10
  20: r2 += -4
  21: r1 = map[pf_map_scratch] ll
  23: call bpf_map_lookup_elem#1
  24: if r0 == 0x0 goto +22
  25: r1 = *(u64 *)(r0 +0)
  26: if r1 == 0x0 goto +25
  27: w1 = 2
  28: *(u32 *)(r10 -4) = r1
  29: r2 = r10
  30: r2 += -4
  31: r1 = map[pf_map_scratch] ll
  33: call bpf_map_lookup_elem#1
  34: if r0 == 0x0 goto +12
  35: r1 = *(u64 *)(r0 +0)
  36: if r1 == 0x0 goto +15
  37: w1 = 3
  38: *(u32 *)(r10 -4) = r1
  39: r2 = r10
  40: r2 += -4
  41: r1 = map[pf_map_scratch] ll
  43: call bpf_map_lookup_elem#1
  44: if r0 == 0x0 goto +2
  45: r1 = *(u64 *)(r0 +0)
  46: if r1 == 0x0 goto +5
  47: r1 = 0x0 ll
  49: r1 += 7
  50: call pf_loss
  51: goto +9
  52: r1 = 1
  53: *(u64 *)(r0 +0) = r1
  54: r2 = r0
  55: r2 += 8
  56: r1 = r6
  57: r6 = r0
  58: call body_p0
  59: r1 = 0
  60: *(u64 *)(r6 +0) = r1
  61: w0 = 0
  62: exit

.text: body_p0
; faults.pf:14: @[ustack, pid, comm] = count();
   0: r6 = r1
   1: r9 = r2
   2: r1 = r6
   3: r2 = r9
   4: r3 = 0x300000100 ll
   6: r4 = 1016
   7: r5 = 0
   8: call pf_stack
   9: *(u64 *)(r10 -32) = r0
  10: call bpf_get_current_pid_tgid#14
  11: r0 >>= 32
  12: *(u64 *)(r10 -24) = r0
  13: *(u64 *)(r10 -16) = 0
  14: *(u64 *)(r10 -8) = 0
  15: r1 = r10
  16: r1 += -16
  17: r2 = 16
  18: call bpf_get_current_comm#16
  19: r1 = map[map_0_] ll
  21: r2 = r10
  22: r2 += -32
  23: call bpf_map_lookup_elem#1
  24: if r0 == 0x0 goto +4
  25: r1 = *(u64 *)(r0 +0)
  26: r1 += 1
  27: *(u64 *)(r0 +0) = r1
  28: goto +6
  29: r1 = map[map_0_] ll
  31: r2 = r10
  32: r2 += -32
  33: r3 = 0
  34: call pf_count
  35: r0 = 0
  36: exit

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

.text: pf_stack
   0: r9 = r5
   1: *(u64 *)(r10 -24) = r4
   2: r8 = r3
   3: *(u64 *)(r10 -32) = r2
   4: r7 = r1
   5: r2 = 0
   6: r1 = r8
   7: r1 &= 256
   8: r6 = 0
   9: if r1 == 0x0 goto +4
  10: call bpf_get_current_pid_tgid#14
  11: r2 = 0
  12: r6 = r0
  13: r6 >>= 32
  14: r1 = 0
  15: *(u64 *)(r10 -40) = r1
  16: *(u64 *)(r10 -8) = r2
  17: r1 = 0x200000000 ll
  19: r2 = r8
  20: r2 &= r1
  21: *(u64 *)(r10 -48) = r8
  22: r8 <<= 32
  23: r8 >>= 32
  24: if r2 == 0x0 goto +52
  25: r1 = r7
  26: r2 = map[pf_map_traces] ll
  28: r3 = r8
  29: call bpf_get_stackid#27
  30: if r0 s< 0x0 goto +46
  31: w1 = w0
  32: w1 ^= w6
  33: w1 &= 511
  34: *(u32 *)(r10 -12) = r1
  35: r1 = r6
  36: r1 <<= 32
  37: w0 += 1
  38: r0 |= r1
  39: *(u64 *)(r10 -8) = r0
  40: r2 = r10
  41: r2 += -12
  42: r1 = map[pf_map_known] ll
  44: call bpf_map_lookup_elem#1
  45: r3 = r0
  46: if r3 == 0x0 goto +20
  47: r1 = *(u64 *)(r3 +0)
  48: r2 = 0xbfffffffffffffff ll
  50: r0 = r1
  51: r0 &= r2
  52: r2 = *(u64 *)(r10 -8)
  53: if r0 != r2 goto +13
  54: r2 = 0x100000000 ll
  56: r3 = *(u64 *)(r10 -48)
  57: r3 &= r2
  58: if r3 == 0x0 goto +148
  59: r2 = 0x4000000000000000 ll
  61: r1 &= r2
  62: if r1 == 0x0 goto +144
  63: r9 += 4
  64: r1 = r9
  65: call pf_loss
  66: goto +139
  67: *(u64 *)(r10 -40) = r3
  68: r2 = r10
  69: r2 += -8
  70: r1 = map[pf_map_stacks] ll
  72: call bpf_map_lookup_elem#1
  73: if r0 == 0x0 goto +3
  74: r7 = *(u32 *)(r0 +4)
  75: r8 = *(u64 *)(r10 -48)
  76: goto +110
  77: *(u64 *)(r10 -56) = r9
  78: r9 = *(u64 *)(r10 -32)
  79: r2 = r9
  80: r2 += 16
  81: r1 = r7
  82: *(u64 *)(r10 -64) = r2
  83: r3 = *(u64 *)(r10 -24)
  84: r4 = r8
  85: call bpf_get_stack#67
  86: r7 = r0
  87: if r7 s> 0x7 goto +7
  88: r0 = 0
  89: if r7 s> 0xffffffff goto +117
  90: r1 = *(u64 *)(r10 -56)
  91: r1 += 3
  92: call pf_loss
  93: r0 = 0
  94: goto +112
  95: *(u32 *)(r9 +0) = r6
  96: r7 >>= 3
  97: *(u32 *)(r9 +4) = r7
  98: r1 = *(u64 *)(r10 -8)
  99: r8 = *(u64 *)(r10 -48)
 100: if r1 != 0x0 goto +63
 101: r6 <<= 32
 102: r1 = r7
 103: r1 |= r6
 104: r4 = 0xbb67ae8584caa73b ll
 106: r3 = -2
 107: r9 += 24
 108: r0 = 0x9e3779b97f4a7c15 ll
 110: r2 = 0xbb67ae8584caa73b ll
 112: r6 = r3
 113: r6 += 3
 114: if r6 >= r7 goto +29
 115: r6 = *(u64 *)(r9 +0)
 116: r6 ^= r2
 117: r6 *= r4
 118: r2 = r6
 119: r2 >>= 32
 120: r2 ^= r6
 121: r6 = *(u64 *)(r9 -8)
 122: r6 ^= r1
 123: r6 *= r0
 124: r1 = r6
 125: r1 >>= 32
 126: r1 ^= r6
 127: r9 += 16
 128: r3 += 2
 129: if r3 < 0x7c goto -18
 130: r3 += 2
 131: if r3 >= r7 goto +15
 132: r3 <<= 3
 133: r4 = *(u64 *)(r10 -64)
 134: r4 += r3
 135: r3 = *(u64 *)(r4 +0)
 136: r3 ^= r1
 137: r1 = 0x9e3779b97f4a7c15 ll
 139: r3 *= r1
 140: r1 = r3
 141: r1 >>= 32
 142: r1 ^= r3
 143: goto +3
 144: r3 += 2
 145: if r3 >= r7 goto +1
 146: goto -15
 147: r3 = 0x9e3779b97f4a7c15 ll
 149: r2 *= r3
 150: r1 ^= r2
 151: r2 = 0xbb67ae8584caa73b ll
 153: r1 *= r2
 154: r2 = 0x3fffffffffffffff ll
 156: r3 = r1
 157: r3 &= r2
 158: r1 >>= 32
 159: r1 ^= r3
 160: r2 = 0x8000000000000000 ll
 162: r1 |= r2
 163: *(u64 *)(r10 -8) = r1
 164: r2 = r10
 165: r2 += -8
 166: r1 = map[pf_map_stacks] ll
 168: call bpf_map_lookup_elem#1
 169: r9 = *(u64 *)(r10 -56)
 170: if r0 != 0x0 goto +16
 171: call bpf_ktime_get_ns#5
 172: r3 = *(u64 *)(r10 -32)
 173: *(u64 *)(r3 +8) = r0
 174: r2 = r10
 175: r2 += -8
 176: r1 = map[pf_map_stacks] ll
 178: r4 = 1
 179: call bpf_map_update_elem#2
 180: if r0 == 0xffffffef goto +6
 181: if r0 == 0x0 goto +5
 182: r1 = r9
 183: r1 += 2
 184: call pf_loss
 185: r1 = 0
 186: *(u64 *)(r10 -40) = r1
 187: r1 = 0x100000000 ll
 189: r8 &= r1
 190: r7 <<= 3
 191: if r8 == 0x0 goto +5
 192: r1 = *(u64 *)(r10 -24)
 193: if r7 != r1 goto +3
 194: r9 += 4
 195: r1 = r9
 196: call pf_loss
 197: r3 = *(u64 *)(r10 -40)
 198: if r3 == 0x0 goto +7
 199: r1 = *(u64 *)(r10 -8)
 200: r2 = *(u64 *)(r10 -24)
 201: if r7 != r2 goto +3
 202: r2 = 0x4000000000000000 ll
 204: r1 |= r2
 205: *(u64 *)(r3 +0) = r1
 206: r0 = *(u64 *)(r10 -8)
 207: exit

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
