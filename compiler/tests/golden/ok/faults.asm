map map_0_: type 1 key 32 value 8 entries 262144 flags 0x1
map pf_map_loss: type 6 key 4 value 8 entries 9 flags 0x0
map pf_map_stacks: type 1 key 8 value 1032 entries 131072 flags 0x1
map pf_map_traces: type 7 key 4 value 1016 entries 2048 flags 0x0
map pf_map_captures: type 6 key 4 value 1040 entries 4 flags 0x0
map pf_map_known: type 2 key 4 value 8 entries 512 flags 0x0

perf_event/p0: p0
; faults.pf:14: @[ustack, pid, comm] = count();
   0: r6 = r1
   1: r1 = r6
   2: r2 = 0x300000100 ll
   4: r3 = 1016
   5: r4 = 0
   6: call pf_stack
   7: *(u64 *)(r10 -32) = r0
   8: call bpf_get_current_pid_tgid#14
   9: r0 >>= 32
  10: *(u64 *)(r10 -24) = r0
  11: *(u64 *)(r10 -16) = 0
  12: *(u64 *)(r10 -8) = 0
  13: r1 = r10
  14: r1 += -16
  15: r2 = 16
  16: call bpf_get_current_comm#16
  17: r1 = map[map_0_] ll
  19: r2 = r10
  20: r2 += -32
  21: call bpf_map_lookup_elem#1
  22: if r0 == 0x0 goto +3
  23: r4 = 1
  24: lock *(u64 *)(r0 +0) += r4
  25: goto +6
  26: r1 = map[map_0_] ll
  28: r2 = r10
  29: r2 += -32
  30: r3 = 0
  31: call pf_count
  32: r0 = 0
  33: exit

.text: pf_stack
   0: r5 = r4
   1: r4 = r3
   2: r8 = r2
   3: r6 = r1
   4: r1 = 0x200000000 ll
   6: r2 &= r1
   7: r7 = 0
   8: if r2 == 0x0 goto +54
   9: r3 = r8
  10: r3 <<= 32
  11: r3 >>= 32
  12: r1 = r6
  13: r2 = map[pf_map_traces] ll
  15: *(u64 *)(r10 -16) = r5
  16: *(u64 *)(r10 -24) = r4
  17: call bpf_get_stackid#27
  18: r4 = *(u64 *)(r10 -24)
  19: r5 = *(u64 *)(r10 -16)
  20: r9 = r0
  21: if r9 s< 0x0 goto +41
  22: r1 = r8
  23: r1 &= 256
  24: if r1 == 0x0 goto +3
  25: call bpf_get_current_pid_tgid#14
  26: r7 = r0
  27: r7 >>= 32
  28: r9 += 1
  29: w1 = w7
  30: w1 ^= w9
  31: w1 &= 511
  32: *(u32 *)(r10 -4) = r1
  33: r7 <<= 32
  34: r9 <<= 32
  35: r9 >>= 32
  36: r7 |= r9
  37: r2 = r10
  38: r2 += -4
  39: r1 = map[pf_map_known] ll
  41: call bpf_map_lookup_elem#1
  42: r5 = *(u64 *)(r10 -16)
  43: r4 = *(u64 *)(r10 -24)
  44: if r0 == 0x0 goto +18
  45: r1 = *(u64 *)(r0 +0)
  46: r2 = 0xbfffffffffffffff ll
  48: r3 = r1
  49: r3 &= r2
  50: if r3 != r7 goto +12
  51: r2 = 0x100000000 ll
  53: r8 &= r2
  54: if r8 == 0x0 goto +14
  55: r2 = 0x4000000000000000 ll
  57: r1 &= r2
  58: if r1 == 0x0 goto +10
  59: r5 += 4
  60: r1 = r5
  61: call pf_loss
  62: goto +6
  63: r1 = r6
  64: r2 = r8
  65: r3 = r4
  66: r4 = r7
  67: call pf_stack_capture
  68: r7 = r0
  69: r0 = r7
  70: exit

.text: pf_count
   0: r6 = r3
   1: r7 = r2
   2: r8 = r1
   3: call bpf_map_lookup_elem#1
   4: if r0 != 0x0 goto +20
   5: r1 = 0
   6: *(u64 *)(r10 -8) = r1
   7: r3 = r10
   8: r3 += -8
   9: r1 = r8
  10: r2 = r7
  11: r4 = 1
  12: call bpf_map_update_elem#2
  13: r9 = r0
  14: r1 = r8
  15: r2 = r7
  16: call bpf_map_lookup_elem#1
  17: if r0 != 0x0 goto +7
  18: w1 = 1
  19: if r9 != 0xfffffff9 goto +1
  20: w1 = 0
  21: r1 <<= 3
  22: r1 += r6
  23: call pf_loss
  24: goto +2
  25: r1 = 1
  26: lock *(u64 *)(r0 +0) += r1
  27: exit

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

.text: pf_stack_capture
   0: r9 = r5
   1: *(u64 *)(r10 -24) = r3
   2: r6 = r2
   3: r8 = r1
   4: *(u64 *)(r10 -16) = r4
   5: w1 = 0
   6: *(u32 *)(r10 -4) = r1
   7: r2 = r10
   8: r2 += -4
   9: r1 = map[pf_map_captures] ll
  11: call bpf_map_lookup_elem#1
  12: r7 = r0
  13: if r7 == 0x0 goto +35
  14: r1 = *(u64 *)(r7 +0)
  15: if r1 == 0x0 goto +38
  16: w1 = 1
  17: *(u32 *)(r10 -4) = r1
  18: r2 = r10
  19: r2 += -4
  20: r1 = map[pf_map_captures] ll
  22: call bpf_map_lookup_elem#1
  23: r7 = r0
  24: if r7 == 0x0 goto +24
  25: r1 = *(u64 *)(r7 +0)
  26: if r1 == 0x0 goto +27
  27: w1 = 2
  28: *(u32 *)(r10 -4) = r1
  29: r2 = r10
  30: r2 += -4
  31: r1 = map[pf_map_captures] ll
  33: call bpf_map_lookup_elem#1
  34: r7 = r0
  35: if r7 == 0x0 goto +13
  36: r1 = *(u64 *)(r7 +0)
  37: if r1 == 0x0 goto +16
  38: w1 = 3
  39: *(u32 *)(r10 -4) = r1
  40: r2 = r10
  41: r2 += -4
  42: r1 = map[pf_map_captures] ll
  44: call bpf_map_lookup_elem#1
  45: r7 = r0
  46: if r7 == 0x0 goto +2
  47: r1 = *(u64 *)(r7 +0)
  48: if r1 == 0x0 goto +5
  49: r9 += 7
  50: r1 = r9
  51: call pf_loss
  52: r0 = 0
  53: goto +162
  54: *(u64 *)(r10 -32) = r9
  55: r1 = 1
  56: *(u64 *)(r7 +0) = r1
  57: r4 = r6
  58: r4 <<= 32
  59: r4 >>= 32
  60: r9 = r7
  61: r9 += 24
  62: r1 = r8
  63: r2 = r9
  64: r3 = *(u64 *)(r10 -24)
  65: call bpf_get_stack#67
  66: r8 = r0
  67: if r8 s> 0x7 goto +7
  68: if r8 s> 0xffffffff goto +3
  69: r1 = *(u64 *)(r10 -32)
  70: r1 += 3
  71: call pf_loss
  72: r0 = 0
  73: *(u64 *)(r7 +0) = r0
  74: goto +141
  75: w0 = 0
  76: r1 = r6
  77: r1 &= 256
  78: if r1 == 0x0 goto +2
  79: call bpf_get_current_pid_tgid#14
  80: r0 >>= 32
  81: *(u32 *)(r7 +8) = r0
  82: r1 = r8
  83: r1 >>= 3
  84: *(u32 *)(r7 +12) = r1
  85: r1 = 0x100000000 ll
  87: r6 &= r1
  88: if r6 == 0x0 goto +5
  89: r1 = *(u64 *)(r10 -24)
  90: if r8 != r1 goto +3
  91: r1 = *(u64 *)(r10 -32)
  92: r1 += 4
  93: call pf_loss
  94: r6 = *(u64 *)(r10 -16)
  95: if r6 == 0x0 goto +22
  96: r1 = r6
  97: r1 >>= 32
  98: w1 ^= w6
  99: w1 &= 511
 100: *(u32 *)(r10 -4) = r1
 101: r2 = r10
 102: r2 += -4
 103: r1 = map[pf_map_known] ll
 105: call bpf_map_lookup_elem#1
 106: w9 = 1
 107: r1 = 0
 108: if r0 == 0x0 goto +75
 109: r1 = *(u64 *)(r10 -24)
 110: if r8 != r1 goto +3
 111: r1 = 0x4000000000000000 ll
 113: r6 |= r1
 114: *(u64 *)(r0 +0) = r6
 115: w9 = 0
 116: r1 = r0
 117: goto +66
 118: r5 = 0xbb67ae8584caa73b ll
 120: r3 = -2
 121: r0 = r7
 122: r0 += 32
 123: r4 = *(u32 *)(r7 +12)
 124: r1 = *(u32 *)(r7 +8)
 125: r1 <<= 32
 126: r1 |= r4
 127: r6 = 0x9e3779b97f4a7c15 ll
 129: r2 = 0xbb67ae8584caa73b ll
 131: r8 = r3
 132: r8 += 3
 133: if r8 >= r4 goto +28
 134: r8 = *(u64 *)(r0 +0)
 135: r8 ^= r2
 136: r8 *= r5
 137: r2 = r8
 138: r2 >>= 32
 139: r2 ^= r8
 140: r8 = *(u64 *)(r0 -8)
 141: r8 ^= r1
 142: r8 *= r6
 143: r1 = r8
 144: r1 >>= 32
 145: r1 ^= r8
 146: r0 += 16
 147: r3 += 2
 148: if r3 < 0x7c goto -18
 149: r3 += 2
 150: if r3 >= r4 goto +14
 151: r3 <<= 3
 152: r9 += r3
 153: r3 = *(u64 *)(r9 +0)
 154: r3 ^= r1
 155: r1 = 0x9e3779b97f4a7c15 ll
 157: r3 *= r1
 158: r1 = r3
 159: r1 >>= 32
 160: r1 ^= r3
 161: goto +3
 162: r3 += 2
 163: if r3 >= r4 goto +1
 164: goto -14
 165: r3 = 0x9e3779b97f4a7c15 ll
 167: r2 *= r3
 168: r1 ^= r2
 169: r2 = 0xbb67ae8584caa73b ll
 171: r1 *= r2
 172: r2 = 0x3fffffffffffffff ll
 174: r3 = r1
 175: r3 &= r2
 176: r1 >>= 32
 177: r1 ^= r3
 178: r2 = 0x8000000000000000 ll
 180: r1 |= r2
 181: *(u64 *)(r10 -16) = r1
 182: w9 = 1
 183: r1 = 0
 184: r8 = r1
 185: r2 = r10
 186: r2 += -16
 187: r1 = map[pf_map_stacks] ll
 189: call bpf_map_lookup_elem#1
 190: if r0 != 0x0 goto +22
 191: r6 = r7
 192: r6 += 8
 193: call bpf_ktime_get_ns#5
 194: *(u64 *)(r7 +16) = r0
 195: r2 = r10
 196: r2 += -16
 197: r1 = map[pf_map_stacks] ll
 199: r3 = r6
 200: r4 = 1
 201: call bpf_map_update_elem#2
 202: if r0 == 0xffffffef goto +10
 203: if r0 == 0x0 goto +9
 204: r1 = 2
 205: if r0 == 0xfffffff9 goto +1
 206: r1 = 8
 207: r2 = *(u64 *)(r10 -32)
 208: r1 += r2
 209: call pf_loss
 210: if w9 != 0x0 goto +2
 211: r1 = 0
 212: *(u64 *)(r8 +0) = r1
 213: r1 = 0
 214: *(u64 *)(r7 +0) = r1
 215: r0 = *(u64 *)(r10 -16)
 216: exit
