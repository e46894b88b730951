map map_0_: type 5 key 8 value 8 entries 1 flags 0x1
map map_1_sym: type 5 key 24 value 8 entries 262144 flags 0x1
map map_2_never: type 1 key 8 value 8 entries 1 flags 0x1
map pf_map_loss: type 6 key 4 value 8 entries 8 flags 0x0
map pf_map_stacks: type 1 key 8 value 40 entries 131072 flags 0x1
map pf_map_known: type 6 key 4 value 8 entries 512 flags 0x0
map pf_map_events: type 27 key 0 value 0 entries 4194304 flags 0x0
map pf_map_scratch: type 6 key 4 value 48 entries 4 flags 0x0

perf_event/p0: p0
; printing.pf:2: printf("%-16s %5d %08llx %c %p%%\n", comm, pid, nsecs, 65, curtask);
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
; printing.pf:2: printf("%-16s %5d %08llx %c %p%%\n", comm, pid, nsecs, 65, curtask);
   0: r6 = r1
   1: r9 = r2
   2: *(u64 *)(r10 -96) = 0
   3: *(u64 *)(r10 -88) = 0
   4: r1 = r10
   5: r1 += -96
   6: r2 = 16
   7: call bpf_get_current_comm#16
   8: call bpf_get_current_pid_tgid#14
   9: r0 >>= 32
  10: *(u64 *)(r10 -80) = r0
  11: call bpf_ktime_get_boot_ns#125
  12: *(u64 *)(r10 -72) = r0
  13: *(u64 *)(r10 -64) = 65
  14: call bpf_get_current_task#35
  15: *(u64 *)(r10 -56) = r0
  16: *(u64 *)(r10 -104) = 0
  17: r1 = r10
  18: r1 += -104
  19: r2 = 56
  20: r3 = 0
  21: call pf_emit
; printing.pf:3: printf("%s%s\n", ustack(3), kstack(perf, 2));
  22: r1 = r6
  23: r2 = r9
  24: r3 = 256
  25: r4 = 24
  26: r5 = 0
  27: call pf_stack
  28: *(u64 *)(r10 -40) = r0
  29: r1 = r6
  30: r2 = r9
  31: r3 = 0
  32: r4 = 16
  33: r5 = 0
  34: call pf_stack
  35: *(u64 *)(r10 -32) = r0
  36: *(u64 *)(r10 -48) = 1
  37: r1 = r10
  38: r1 += -48
  39: r2 = 24
  40: r3 = 0
  41: call pf_emit
; printing.pf:4: print(@, 5, 10);
  42: *(u64 *)(r10 -8) = 2
  43: r1 = r10
  44: r1 += -8
  45: r2 = 8
  46: r3 = 0
  47: call pf_emit
; printing.pf:5: print(pid);
  48: call bpf_get_current_pid_tgid#14
  49: r0 >>= 32
  50: *(u64 *)(r10 -16) = r0
  51: *(u64 *)(r10 -24) = 3
  52: r1 = r10
  53: r1 += -24
  54: r2 = 16
  55: r3 = 0
  56: call pf_emit
  57: *(u64 *)(r10 -8) = 0
; printing.pf:6: @ = count();
  58: r1 = map[map_0_] ll
  60: r2 = r10
  61: r2 += -8
  62: call bpf_map_lookup_elem#1
  63: if r0 == 0x0 goto +4
  64: r1 = *(u64 *)(r0 +0)
  65: r1 += 1
  66: *(u64 *)(r0 +0) = r1
  67: goto +6
  68: r1 = map[map_0_] ll
  70: r2 = r10
  71: r2 += -8
  72: r3 = 0
  73: call pf_count
; printing.pf:7: time("%H:%M\n");
  74: *(u64 *)(r10 -8) = 4
  75: r1 = r10
  76: r1 += -8
  77: r2 = 8
  78: r3 = 0
  79: call pf_emit
; printing.pf:8: @sym[ksym(kaddr("vfs_read")), usym(addr)] = count();
  80: *(u64 *)(r10 -48) = -2128609280
  81: r1 = *(u64 *)(r6 +176)
  82: *(u64 *)(r10 -40) = r1
  83: call bpf_get_current_pid_tgid#14
  84: r0 >>= 32
  85: *(u64 *)(r10 -32) = r0
  86: r1 = map[map_1_sym] ll
  88: r2 = r10
  89: r2 += -48
  90: call bpf_map_lookup_elem#1
  91: if r0 == 0x0 goto +4
  92: r1 = *(u64 *)(r0 +0)
  93: r1 += 1
  94: *(u64 *)(r0 +0) = r1
  95: goto +6
  96: r1 = map[map_1_sym] ll
  98: r2 = r10
  99: r2 += -48
 100: r3 = 0
 101: call pf_count
; printing.pf:9: exit(2);
 102: *(u64 *)(r10 -16) = 2
 103: *(u64 *)(r10 -24) = 5
 104: r1 = r10
 105: r1 += -24
 106: r2 = 16
 107: r3 = 0
 108: call pf_emit
 109: r0 = 0
 110: exit

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

.text: pf_stack
   0: *(u64 *)(r10 -32) = r5
   1: r7 = r4
   2: r6 = r3
   3: r8 = r2
   4: *(u64 *)(r10 -24) = r8
   5: r8 += 16
   6: r4 = r6
   7: r4 <<= 32
   8: r4 >>= 32
   9: r2 = r8
  10: w3 = w7
  11: call bpf_get_stack#67
  12: r9 = r0
  13: if r9 s> 0x7 goto +6
  14: r8 = 0
  15: if r9 s> 0xffffffff goto +120
  16: r1 = *(u64 *)(r10 -32)
  17: r1 += 3
  18: call pf_loss
  19: goto +116
  20: r1 = 0x100000000 ll
  22: r2 = r6
  23: r2 &= r1
  24: if r2 == 0x0 goto +4
  25: if r9 != r7 goto +3
  26: r1 = *(u64 *)(r10 -32)
  27: r1 += 4
  28: call pf_loss
  29: r9 >>= 3
  30: w0 = 0
  31: r6 &= 256
  32: if r6 == 0x0 goto +2
  33: call bpf_get_current_pid_tgid#14
  34: r0 >>= 32
  35: r7 = *(u64 *)(r10 -24)
  36: *(u32 *)(r7 +4) = r9
  37: *(u32 *)(r7 +0) = r0
  38: r0 <<= 32
  39: r0 |= r9
  40: r3 = 0xbb67ae8584caa73b ll
  42: r2 = -2
  43: r4 = r7
  44: r4 += 24
  45: r5 = 0x9e3779b97f4a7c15 ll
  47: r1 = 0xbb67ae8584caa73b ll
  49: r6 = r2
  50: r6 += 3
  51: if r6 >= r9 goto +28
  52: r6 = *(u64 *)(r4 +0)
  53: r6 ^= r1
  54: r6 *= r3
  55: r1 = r6
  56: r1 >>= 32
  57: r1 ^= r6
  58: r6 = *(u64 *)(r4 -8)
  59: r6 ^= r0
  60: r6 *= r5
  61: r0 = r6
  62: r0 >>= 32
  63: r0 ^= r6
  64: r4 += 16
  65: r2 += 2
  66: if r2 < 0x7c goto -18
  67: r2 += 2
  68: if r2 >= r9 goto +14
  69: r2 <<= 3
  70: r8 += r2
  71: r2 = *(u64 *)(r8 +0)
  72: r2 ^= r0
  73: r3 = 0x9e3779b97f4a7c15 ll
  75: r2 *= r3
  76: r0 = r2
  77: r0 >>= 32
  78: r0 ^= r2
  79: goto +3
  80: r2 += 2
  81: if r2 >= r9 goto +1
  82: goto -14
  83: r2 = 0x9e3779b97f4a7c15 ll
  85: r1 *= r2
  86: r0 ^= r1
  87: r1 = 0xbb67ae8584caa73b ll
  89: r0 *= r1
  90: r8 = r0
  91: r8 >>= 32
  92: r8 ^= r0
  93: if r8 > 0x1 goto +1
  94: r8 = 1
  95: w1 = w8
  96: w1 &= 511
  97: *(u32 *)(r10 -12) = r1
  98: *(u64 *)(r10 -8) = r8
  99: r2 = r10
 100: r2 += -12
 101: r1 = map[pf_map_known] ll
 103: call bpf_map_lookup_elem#1
 104: r9 = r0
 105: if r9 == 0x0 goto +2
 106: r1 = *(u64 *)(r9 +0)
 107: if r1 == r8 goto +28
 108: r2 = r10
 109: r2 += -8
 110: r1 = map[pf_map_stacks] ll
 112: call bpf_map_lookup_elem#1
 113: if r0 != 0x0 goto +19
 114: call bpf_ktime_get_ns#5
 115: *(u64 *)(r7 +8) = r0
 116: r2 = r10
 117: r2 += -8
 118: r1 = map[pf_map_stacks] ll
 120: r3 = r7
 121: r4 = 1
 122: call bpf_map_update_elem#2
 123: if r0 == 0xffffffef goto +7
 124: if r0 == 0x0 goto +6
 125: r1 = *(u64 *)(r10 -32)
 126: r1 += 2
 127: r6 = r0
 128: call pf_loss
 129: r0 = r6
 130: r8 = *(u64 *)(r10 -8)
 131: if r0 == 0x0 goto +1
 132: if r0 != 0xffffffef goto +3
 133: r8 = *(u64 *)(r10 -8)
 134: if r9 == 0x0 goto +1
 135: *(u64 *)(r9 +0) = r8
 136: r0 = r8
 137: exit

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
