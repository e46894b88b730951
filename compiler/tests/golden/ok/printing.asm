map map_0_: type 5 key 8 value 8 entries 1 flags 0x1
map map_1_sym: type 5 key 24 value 8 entries 262144 flags 0x1
map map_2_never: type 1 key 8 value 8 entries 1 flags 0x1
map pf_map_loss: type 6 key 4 value 8 entries 8 flags 0x0
map pf_map_stacks: type 1 key 8 value 40 entries 131072 flags 0x1
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
  62: r3 = 0
  63: call pf_count
; printing.pf:7: time("%H:%M\n");
  64: *(u64 *)(r10 -8) = 4
  65: r1 = r10
  66: r1 += -8
  67: r2 = 8
  68: r3 = 0
  69: call pf_emit
; printing.pf:8: @sym[ksym(kaddr("vfs_read")), usym(addr)] = count();
  70: *(u64 *)(r10 -48) = -2128609280
  71: r1 = *(u64 *)(r6 +176)
  72: *(u64 *)(r10 -40) = r1
  73: call bpf_get_current_pid_tgid#14
  74: r0 >>= 32
  75: *(u64 *)(r10 -32) = r0
  76: r1 = map[map_1_sym] ll
  78: r2 = r10
  79: r2 += -48
  80: r3 = 0
  81: call pf_count
; printing.pf:9: exit(2);
  82: *(u64 *)(r10 -16) = 2
  83: *(u64 *)(r10 -24) = 5
  84: r1 = r10
  85: r1 += -24
  86: r2 = 16
  87: r3 = 0
  88: call pf_emit
  89: r0 = 0
  90: exit

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
