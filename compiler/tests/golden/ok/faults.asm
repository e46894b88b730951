map map_0_: type 1 key 32 value 8 entries 262144 flags 0x1
map pf_map_loss: type 6 key 4 value 8 entries 9 flags 0x0
map pf_map_stacks: type 1 key 8 value 1032 entries 131072 flags 0x1
map pf_map_captures: type 6 key 4 value 1048 entries 4 flags 0x0
map pf_map_known: type 2 key 4 value 8 entries 512 flags 0x0

perf_event/p0: p0
; faults.pf:14: @[ustack, pid, comm] = count();
   0: r2 = data[pf_data_process] ll
   2: r2 = *(u64 *)(r2 +0)
   3: if r2 == 0x0 goto +8
   4: r6 = r1
   5: r7 = r2
   6: call bpf_get_current_pid_tgid#14
   7: r0 >>= 32
   8: r1 = r6
   9: if r0 == r7 goto +2
  10: r0 = 0
  11: exit
  12: r6 = r1
  13: r1 = r6
  14: r2 = 0x100000100 ll
  16: r3 = 1016
  17: r4 = 0
  18: call pf_stack
  19: *(u64 *)(r10 -32) = r0
  20: call bpf_get_current_pid_tgid#14
  21: r0 >>= 32
  22: *(u64 *)(r10 -24) = r0
  23: *(u64 *)(r10 -16) = 0
  24: *(u64 *)(r10 -8) = 0
  25: r1 = r10
  26: r1 += -16
  27: r2 = 16
  28: call bpf_get_current_comm#16
  29: r1 = map[map_0_] ll
  31: r2 = r10
  32: r2 += -32
  33: call bpf_map_lookup_elem#1
  34: if r0 == 0x0 goto +3
  35: r4 = 1
  36: lock *(u64 *)(r0 +0) += r4
  37: goto +6
  38: r1 = map[map_0_] ll
  40: r2 = r10
  41: r2 += -32
  42: r3 = 0
  43: call pf_count
  44: r0 = 0
  45: exit
