map map_0_: type 5 key 32 value 8 entries 262144 flags 0x1
map pf_map_loss: type 6 key 4 value 8 entries 8 flags 0x0
map pf_map_stacks: type 1 key 8 value 1032 entries 131072 flags 0x1
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
   4: r3 = 0x100000100 ll
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
  23: r3 = 0
  24: call pf_count
  25: r0 = 0
  26: exit

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
   0: *(u64 *)(r10 -24) = r5
   1: r7 = r4
   2: r6 = r3
   3: r8 = r2
   4: *(u64 *)(r10 -16) = r8
   5: r8 += 16
   6: r4 = r6
   7: r4 <<= 32
   8: r4 >>= 32
   9: r2 = r8
  10: w3 = w7
  11: call bpf_get_stack#67
  12: r9 = r0
  13: if r9 s> 0x7 goto +7
  14: r0 = 0
  15: if r9 s> 0xffffffff goto +102
  16: r1 = *(u64 *)(r10 -24)
  17: r1 += 3
  18: call pf_loss
  19: r0 = 0
  20: goto +97
  21: r1 = 0x100000000 ll
  23: r2 = r6
  24: r2 &= r1
  25: if r2 == 0x0 goto +4
  26: if r9 != r7 goto +3
  27: r1 = *(u64 *)(r10 -24)
  28: r1 += 4
  29: call pf_loss
  30: r9 >>= 3
  31: w0 = 0
  32: r6 &= 256
  33: if r6 == 0x0 goto +2
  34: call bpf_get_current_pid_tgid#14
  35: r0 >>= 32
  36: r7 = *(u64 *)(r10 -16)
  37: *(u32 *)(r7 +4) = r9
  38: *(u32 *)(r7 +0) = r0
  39: r0 <<= 32
  40: r0 |= r9
  41: r3 = 0xbb67ae8584caa73b ll
  43: r2 = -2
  44: r4 = r7
  45: r4 += 24
  46: r5 = 0x9e3779b97f4a7c15 ll
  48: r1 = 0xbb67ae8584caa73b ll
  50: r6 = r2
  51: r6 += 3
  52: if r6 >= r9 goto +28
  53: r6 = *(u64 *)(r4 +0)
  54: r6 ^= r1
  55: r6 *= r3
  56: r1 = r6
  57: r1 >>= 32
  58: r1 ^= r6
  59: r6 = *(u64 *)(r4 -8)
  60: r6 ^= r0
  61: r6 *= r5
  62: r0 = r6
  63: r0 >>= 32
  64: r0 ^= r6
  65: r4 += 16
  66: r2 += 2
  67: if r2 < 0x7c goto -18
  68: r2 += 2
  69: if r2 >= r9 goto +14
  70: r2 <<= 3
  71: r8 += r2
  72: r2 = *(u64 *)(r8 +0)
  73: r2 ^= r0
  74: r3 = 0x9e3779b97f4a7c15 ll
  76: r2 *= r3
  77: r0 = r2
  78: r0 >>= 32
  79: r0 ^= r2
  80: goto +3
  81: r2 += 2
  82: if r2 >= r9 goto +1
  83: goto -14
  84: r2 = 0x9e3779b97f4a7c15 ll
  86: r1 *= r2
  87: r0 ^= r1
  88: r1 = 0xbb67ae8584caa73b ll
  90: r0 *= r1
  91: r1 = r0
  92: r1 >>= 32
  93: r1 ^= r0
  94: if r1 > 0x1 goto +1
  95: r1 = 1
  96: *(u64 *)(r10 -8) = r1
  97: r2 = r10
  98: r2 += -8
  99: r1 = map[pf_map_stacks] ll
 101: call bpf_map_lookup_elem#1
 102: if r0 != 0x0 goto +14
 103: call bpf_ktime_get_ns#5
 104: *(u64 *)(r7 +8) = r0
 105: r2 = r10
 106: r2 += -8
 107: r1 = map[pf_map_stacks] ll
 109: r3 = r7
 110: r4 = 1
 111: call bpf_map_update_elem#2
 112: if r0 == 0xffffffef goto +4
 113: if r0 == 0x0 goto +3
 114: r1 = *(u64 *)(r10 -24)
 115: r1 += 2
 116: call pf_loss
 117: r0 = *(u64 *)(r10 -8)
 118: exit

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
