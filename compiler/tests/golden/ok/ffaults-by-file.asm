map map_0_: type 1 key 256 value 8 entries 262144 flags 0x1
map pf_map_loss: type 6 key 4 value 8 entries 9 flags 0x0

kprobe/p0: p0
; ffaults-by-file.pf:7: $vma = (struct vm_area_struct *)arg0;
   0: r6 = r1
   1: r1 = *(u64 *)(r6 +112)
   2: *(u64 *)(r10 -8) = r1
; ffaults-by-file.pf:8: $file = $vma->vm_file->f_path.dentry->d_name.name;
   3: r1 = *(u64 *)(r10 -8)
   4: r3 = r1
   5: r3 += 88
   6: r1 = r10
   7: r1 += -24
   8: r2 = 8
   9: r4 = 0
  10: call pf_read
  11: r1 = *(u64 *)(r10 -24)
  12: r3 = r1
  13: r3 += 72
  14: r1 = r10
  15: r1 += -24
  16: r2 = 8
  17: r4 = 0
  18: call pf_read
  19: r1 = *(u64 *)(r10 -24)
  20: r3 = r1
  21: r3 += 40
  22: r1 = r10
  23: r1 += -24
  24: r2 = 8
  25: r4 = 0
  26: call pf_read
  27: r1 = *(u64 *)(r10 -24)
  28: *(u64 *)(r10 -16) = r1
; ffaults-by-file.pf:9: @[str($file)] = count();
  29: r3 = *(u64 *)(r10 -16)
  30: *(u64 *)(r10 -280) = 0
  31: *(u64 *)(r10 -272) = 0
  32: *(u64 *)(r10 -264) = 0
  33: *(u64 *)(r10 -256) = 0
  34: *(u64 *)(r10 -248) = 0
  35: *(u64 *)(r10 -240) = 0
  36: *(u64 *)(r10 -232) = 0
  37: *(u64 *)(r10 -224) = 0
  38: *(u64 *)(r10 -216) = 0
  39: *(u64 *)(r10 -208) = 0
  40: *(u64 *)(r10 -200) = 0
  41: *(u64 *)(r10 -192) = 0
  42: *(u64 *)(r10 -184) = 0
  43: *(u64 *)(r10 -176) = 0
  44: *(u64 *)(r10 -168) = 0
  45: *(u64 *)(r10 -160) = 0
  46: *(u64 *)(r10 -152) = 0
  47: *(u64 *)(r10 -144) = 0
  48: *(u64 *)(r10 -136) = 0
  49: *(u64 *)(r10 -128) = 0
  50: *(u64 *)(r10 -120) = 0
  51: *(u64 *)(r10 -112) = 0
  52: *(u64 *)(r10 -104) = 0
  53: *(u64 *)(r10 -96) = 0
  54: *(u64 *)(r10 -88) = 0
  55: *(u64 *)(r10 -80) = 0
  56: *(u64 *)(r10 -72) = 0
  57: *(u64 *)(r10 -64) = 0
  58: *(u64 *)(r10 -56) = 0
  59: *(u64 *)(r10 -48) = 0
  60: *(u64 *)(r10 -40) = 0
  61: *(u64 *)(r10 -32) = 0
  62: r1 = r10
  63: r1 += -280
  64: r2 = 256
  65: r4 = 0
  66: call pf_read_str
  67: r1 = map[map_0_] ll
  69: r2 = r10
  70: r2 += -280
  71: call bpf_map_lookup_elem#1
  72: if r0 == 0x0 goto +3
  73: r4 = 1
  74: lock *(u64 *)(r0 +0) += r4
  75: goto +6
  76: r1 = map[map_0_] ll
  78: r2 = r10
  79: r2 += -280
  80: r3 = 0
  81: call pf_count
  82: r0 = 0
  83: exit

.text: pf_read
   0: r6 = r4
   1: if r3 s> 0xffffffff goto +2
   2: call bpf_probe_read_kernel#113
   3: goto +1
   4: call bpf_probe_read_user#112
   5: r1 = 1
   6: if r0 == 0x0 goto +4
   7: r6 += 6
   8: r1 = r6
   9: call pf_loss
  10: r1 = 0
  11: r0 = r1
  12: exit

.text: pf_read_str
   0: r6 = r4
   1: r8 = r3
   2: r7 = r2
   3: w2 = 0
   4: *(u8 *)(r10 -1) = r2
   5: if r8 s> 0xffffffff goto +18
   6: w2 = w7
   7: r3 = r8
   8: call bpf_probe_read_kernel_str#115
   9: if r0 s> 0xffffffff goto +1
  10: goto +17
  11: r1 = 1
  12: if r0 == 0x0 goto +19
  13: r1 = r0
  14: if r0 != r7 goto +17
  15: r3 = r8
  16: r3 += r7
  17: r3 += -1
  18: if r8 s> 0xffffffff goto +15
  19: r1 = r10
  20: r1 += -1
  21: w2 = 1
  22: call bpf_probe_read_kernel#113
  23: goto +14
  24: w2 = w7
  25: r3 = r8
  26: call bpf_probe_read_user_str#114
  27: if r0 s> 0xffffffff goto -17
  28: r6 += 6
  29: r1 = r6
  30: call pf_loss
  31: r1 = 0
  32: r0 = r1
  33: exit
  34: r1 = r10
  35: r1 += -1
  36: w2 = 1
  37: call bpf_probe_read_user#112
  38: r2 = *(u8 *)(r10 -1)
  39: r1 = r7
  40: if w2 == 0x0 goto -9
  41: r6 += 5
  42: r1 = r6
  43: call pf_loss
  44: r1 = r7
  45: goto -14

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
