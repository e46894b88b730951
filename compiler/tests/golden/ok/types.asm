map map_0_pid: type 1 key 8 value 8 entries 1 flags 0x1
map map_1_name: type 1 key 8 value 16 entries 1 flags 0x1
map map_2_parent: type 1 key 8 value 8 entries 1 flags 0x1
map map_3_inode: type 1 key 8 value 8 entries 1 flags 0x1
map map_4_first: type 1 key 8 value 16 entries 1 flags 0x1
map map_5_third: type 1 key 8 value 8 entries 1 flags 0x1
map map_6_word: type 1 key 8 value 8 entries 1 flags 0x1
map map_7_next: type 1 key 8 value 8 entries 1 flags 0x1
map map_8_state: type 1 key 8 value 8 entries 1 flags 0x1
map map_9_bit: type 1 key 8 value 8 entries 1 flags 0x1
map map_10_seventh: type 1 key 8 value 8 entries 1 flags 0x1
map pf_map_loss: type 6 key 4 value 8 entries 9 flags 0x0

kprobe/p0: p0
; types.pf:2: $task = (struct task_struct *)arg0;
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
  13: r1 = *(u64 *)(r6 +112)
  14: *(u64 *)(r10 -8) = r1
; types.pf:3: @pid = $task->pid;
  15: r1 = *(u64 *)(r10 -8)
  16: r3 = r1
  17: r3 += 1264
  18: r1 = r10
  19: r1 += -24
  20: r2 = 4
  21: r4 = 0
  22: call pf_read
  23: r1 = *(u32 *)(r10 -24)
  24: r1 <<= 32
  25: r1 s>>= 32
  26: *(u64 *)(r10 -16) = r1
  27: *(u64 *)(r10 -32) = 0
  28: r1 = map[map_0_pid] ll
  30: r2 = r10
  31: r2 += -32
  32: r3 = r10
  33: r3 += -16
  34: r4 = 0
  35: call pf_set
; types.pf:4: @name = $task->comm;
  36: r1 = *(u64 *)(r10 -8)
  37: r3 = r1
  38: r3 += 1752
  39: *(u64 *)(r10 -64) = 0
  40: *(u64 *)(r10 -56) = 0
  41: r1 = r10
  42: r1 += -64
  43: r2 = 16
  44: r4 = 0
  45: call pf_read_str
  46: *(u64 *)(r10 -16) = 0
  47: r1 = map[map_1_name] ll
  49: r2 = r10
  50: r2 += -16
  51: r3 = r10
  52: r3 += -64
  53: r4 = 0
  54: call pf_set
; types.pf:5: @parent = $task->real_parent->mm->pgd->pgd;
  55: r1 = *(u64 *)(r10 -8)
  56: r3 = r1
  57: r3 += 1280
  58: r1 = r10
  59: r1 += -24
  60: r2 = 8
  61: r4 = 0
  62: call pf_read
  63: r1 = *(u64 *)(r10 -24)
  64: r3 = r1
  65: r3 += 1136
  66: r1 = r10
  67: r1 += -24
  68: r2 = 8
  69: r4 = 0
  70: call pf_read
  71: r1 = *(u64 *)(r10 -24)
  72: r3 = r1
  73: r3 += 120
  74: r1 = r10
  75: r1 += -24
  76: r2 = 8
  77: r4 = 0
  78: call pf_read
  79: r3 = *(u64 *)(r10 -24)
  80: r1 = r10
  81: r1 += -24
  82: r2 = 8
  83: r4 = 0
  84: call pf_read
  85: r1 = *(u64 *)(r10 -24)
  86: *(u64 *)(r10 -32) = r1
  87: *(u64 *)(r10 -16) = 0
  88: r1 = map[map_2_parent] ll
  90: r2 = r10
  91: r2 += -16
  92: r3 = r10
  93: r3 += -32
  94: r4 = 0
  95: call pf_set
; types.pf:6: $file = (struct file *)arg1;
  96: r1 = *(u64 *)(r6 +104)
  97: *(u64 *)(r10 -40) = r1
; types.pf:7: @inode = $file->f_inode->i_ino;
  98: r1 = *(u64 *)(r10 -40)
  99: r3 = r1
 100: r3 += 32
 101: r1 = r10
 102: r1 += -24
 103: r2 = 8
 104: r4 = 0
 105: call pf_read
 106: r1 = *(u64 *)(r10 -24)
 107: r3 = r1
 108: r3 += 64
 109: r1 = r10
 110: r1 += -24
 111: r2 = 8
 112: r4 = 0
 113: call pf_read
 114: r1 = *(u64 *)(r10 -24)
 115: *(u64 *)(r10 -32) = r1
 116: *(u64 *)(r10 -16) = 0
 117: r1 = map[map_3_inode] ll
 119: r2 = r10
 120: r2 += -16
 121: r3 = r10
 122: r3 += -32
 123: r4 = 0
 124: call pf_set
; types.pf:8: @first = $task->comm;
 125: r1 = *(u64 *)(r10 -8)
 126: r3 = r1
 127: r3 += 1752
 128: *(u64 *)(r10 -64) = 0
 129: *(u64 *)(r10 -56) = 0
 130: r1 = r10
 131: r1 += -64
 132: r2 = 16
 133: r4 = 0
 134: call pf_read_str
 135: *(u64 *)(r10 -16) = 0
 136: r1 = map[map_4_first] ll
 138: r2 = r10
 139: r2 += -16
 140: r3 = r10
 141: r3 += -64
 142: r4 = 0
 143: call pf_set
; types.pf:9: $p = (uint32 *)arg2;
 144: r1 = *(u64 *)(r6 +96)
 145: *(u64 *)(r10 -48) = r1
; types.pf:10: @third = $p[2];
 146: r1 = *(u64 *)(r10 -48)
 147: r3 = r1
 148: r3 += 8
 149: r1 = r10
 150: r1 += -24
 151: r2 = 4
 152: r4 = 0
 153: call pf_read
 154: r1 = *(u32 *)(r10 -24)
 155: *(u64 *)(r10 -32) = r1
 156: *(u64 *)(r10 -16) = 0
 157: r1 = map[map_5_third] ll
 159: r2 = r10
 160: r2 += -16
 161: r3 = r10
 162: r3 += -32
 163: r4 = 0
 164: call pf_set
; types.pf:11: @word = *(uint64 *)arg3;
 165: r3 = *(u64 *)(r6 +88)
 166: r1 = r10
 167: r1 += -24
 168: r2 = 8
 169: r4 = 0
 170: call pf_read
 171: r1 = *(u64 *)(r10 -24)
 172: *(u64 *)(r10 -32) = r1
 173: *(u64 *)(r10 -16) = 0
 174: r1 = map[map_6_word] ll
 176: r2 = r10
 177: r2 += -16
 178: r3 = r10
 179: r3 += -32
 180: r4 = 0
 181: call pf_set
; types.pf:12: @next = *($p + 1);
 182: r1 = *(u64 *)(r10 -48)
 183: r3 = r1
 184: r3 += 4
 185: r1 = r10
 186: r1 += -24
 187: r2 = 4
 188: r4 = 0
 189: call pf_read
 190: r1 = *(u32 *)(r10 -24)
 191: *(u64 *)(r10 -32) = r1
 192: *(u64 *)(r10 -16) = 0
 193: r1 = map[map_7_next] ll
 195: r2 = r10
 196: r2 += -16
 197: r3 = r10
 198: r3 += -32
 199: r4 = 0
 200: call pf_set
; types.pf:13: @state = curtask->__state;
 201: call bpf_get_current_task#35
 202: r3 = r0
 203: r3 += 24
 204: r1 = r10
 205: r1 += -24
 206: r2 = 4
 207: r4 = 0
 208: call pf_read
 209: r1 = *(u32 *)(r10 -24)
 210: *(u64 *)(r10 -32) = r1
 211: *(u64 *)(r10 -16) = 0
 212: r1 = map[map_8_state] ll
 214: r2 = r10
 215: r2 += -16
 216: r3 = r10
 217: r3 += -32
 218: r4 = 0
 219: call pf_set
; types.pf:14: @bit = $task->sched_reset_on_fork;
 220: r1 = *(u64 *)(r10 -8)
 221: r3 = r1
 222: r3 += 1188
 223: r1 = r10
 224: r1 += -24
 225: r2 = 1
 226: r4 = 0
 227: call pf_read
 228: r1 = *(u8 *)(r10 -24)
 229: r1 <<= 63
 230: r1 >>= 63
 231: *(u64 *)(r10 -32) = r1
 232: *(u64 *)(r10 -16) = 0
 233: r1 = map[map_9_bit] ll
 235: r2 = r10
 236: r2 += -16
 237: r3 = r10
 238: r3 += -32
 239: r4 = 0
 240: call pf_set
; types.pf:15: @seventh = arg6;
 241: r1 = *(u64 *)(r6 +152)
 242: r3 = r1
 243: r3 += 8
 244: r1 = r10
 245: r1 += -24
 246: r2 = 8
 247: r4 = 0
 248: call pf_read
 249: r1 = *(u64 *)(r10 -24)
 250: *(u64 *)(r10 -32) = r1
 251: *(u64 *)(r10 -16) = 0
 252: r1 = map[map_10_seventh] ll
 254: r2 = r10
 255: r2 += -16
 256: r3 = r10
 257: r3 += -32
 258: r4 = 0
 259: call pf_set
 260: r0 = 0
 261: exit
