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
   0: r6 = r1
   1: r1 = *(u64 *)(r6 +112)
   2: *(u64 *)(r10 -8) = r1
; types.pf:3: @pid = $task->pid;
   3: r1 = *(u64 *)(r10 -8)
   4: r3 = r1
   5: r3 += 1264
   6: r1 = r10
   7: r1 += -24
   8: r2 = 4
   9: r4 = 0
  10: call pf_read
  11: r1 = *(u32 *)(r10 -24)
  12: r1 <<= 32
  13: r1 s>>= 32
  14: *(u64 *)(r10 -16) = r1
  15: *(u64 *)(r10 -32) = 0
  16: r1 = map[map_0_pid] ll
  18: r2 = r10
  19: r2 += -32
  20: r3 = r10
  21: r3 += -16
  22: r4 = 0
  23: call pf_set
; types.pf:4: @name = $task->comm;
  24: r1 = *(u64 *)(r10 -8)
  25: r3 = r1
  26: r3 += 1752
  27: *(u64 *)(r10 -64) = 0
  28: *(u64 *)(r10 -56) = 0
  29: r1 = r10
  30: r1 += -64
  31: r2 = 16
  32: r4 = 0
  33: call pf_read_str
  34: *(u64 *)(r10 -16) = 0
  35: r1 = map[map_1_name] ll
  37: r2 = r10
  38: r2 += -16
  39: r3 = r10
  40: r3 += -64
  41: r4 = 0
  42: call pf_set
; types.pf:5: @parent = $task->real_parent->mm->pgd->pgd;
  43: r1 = *(u64 *)(r10 -8)
  44: r3 = r1
  45: r3 += 1280
  46: r1 = r10
  47: r1 += -24
  48: r2 = 8
  49: r4 = 0
  50: call pf_read
  51: r1 = *(u64 *)(r10 -24)
  52: r3 = r1
  53: r3 += 1136
  54: r1 = r10
  55: r1 += -24
  56: r2 = 8
  57: r4 = 0
  58: call pf_read
  59: r1 = *(u64 *)(r10 -24)
  60: r3 = r1
  61: r3 += 120
  62: r1 = r10
  63: r1 += -24
  64: r2 = 8
  65: r4 = 0
  66: call pf_read
  67: r3 = *(u64 *)(r10 -24)
  68: r1 = r10
  69: r1 += -24
  70: r2 = 8
  71: r4 = 0
  72: call pf_read
  73: r1 = *(u64 *)(r10 -24)
  74: *(u64 *)(r10 -32) = r1
  75: *(u64 *)(r10 -16) = 0
  76: r1 = map[map_2_parent] ll
  78: r2 = r10
  79: r2 += -16
  80: r3 = r10
  81: r3 += -32
  82: r4 = 0
  83: call pf_set
; types.pf:6: $file = (struct file *)arg1;
  84: r1 = *(u64 *)(r6 +104)
  85: *(u64 *)(r10 -40) = r1
; types.pf:7: @inode = $file->f_inode->i_ino;
  86: r1 = *(u64 *)(r10 -40)
  87: r3 = r1
  88: r3 += 32
  89: r1 = r10
  90: r1 += -24
  91: r2 = 8
  92: r4 = 0
  93: call pf_read
  94: r1 = *(u64 *)(r10 -24)
  95: r3 = r1
  96: r3 += 64
  97: r1 = r10
  98: r1 += -24
  99: r2 = 8
 100: r4 = 0
 101: call pf_read
 102: r1 = *(u64 *)(r10 -24)
 103: *(u64 *)(r10 -32) = r1
 104: *(u64 *)(r10 -16) = 0
 105: r1 = map[map_3_inode] ll
 107: r2 = r10
 108: r2 += -16
 109: r3 = r10
 110: r3 += -32
 111: r4 = 0
 112: call pf_set
; types.pf:8: @first = $task->comm;
 113: r1 = *(u64 *)(r10 -8)
 114: r3 = r1
 115: r3 += 1752
 116: *(u64 *)(r10 -64) = 0
 117: *(u64 *)(r10 -56) = 0
 118: r1 = r10
 119: r1 += -64
 120: r2 = 16
 121: r4 = 0
 122: call pf_read_str
 123: *(u64 *)(r10 -16) = 0
 124: r1 = map[map_4_first] ll
 126: r2 = r10
 127: r2 += -16
 128: r3 = r10
 129: r3 += -64
 130: r4 = 0
 131: call pf_set
; types.pf:9: $p = (uint32 *)arg2;
 132: r1 = *(u64 *)(r6 +96)
 133: *(u64 *)(r10 -48) = r1
; types.pf:10: @third = $p[2];
 134: r1 = *(u64 *)(r10 -48)
 135: r3 = r1
 136: r3 += 8
 137: r1 = r10
 138: r1 += -24
 139: r2 = 4
 140: r4 = 0
 141: call pf_read
 142: r1 = *(u32 *)(r10 -24)
 143: *(u64 *)(r10 -32) = r1
 144: *(u64 *)(r10 -16) = 0
 145: r1 = map[map_5_third] ll
 147: r2 = r10
 148: r2 += -16
 149: r3 = r10
 150: r3 += -32
 151: r4 = 0
 152: call pf_set
; types.pf:11: @word = *(uint64 *)arg3;
 153: r3 = *(u64 *)(r6 +88)
 154: r1 = r10
 155: r1 += -24
 156: r2 = 8
 157: r4 = 0
 158: call pf_read
 159: r1 = *(u64 *)(r10 -24)
 160: *(u64 *)(r10 -32) = r1
 161: *(u64 *)(r10 -16) = 0
 162: r1 = map[map_6_word] ll
 164: r2 = r10
 165: r2 += -16
 166: r3 = r10
 167: r3 += -32
 168: r4 = 0
 169: call pf_set
; types.pf:12: @next = *($p + 1);
 170: r1 = *(u64 *)(r10 -48)
 171: r3 = r1
 172: r3 += 4
 173: r1 = r10
 174: r1 += -24
 175: r2 = 4
 176: r4 = 0
 177: call pf_read
 178: r1 = *(u32 *)(r10 -24)
 179: *(u64 *)(r10 -32) = r1
 180: *(u64 *)(r10 -16) = 0
 181: r1 = map[map_7_next] ll
 183: r2 = r10
 184: r2 += -16
 185: r3 = r10
 186: r3 += -32
 187: r4 = 0
 188: call pf_set
; types.pf:13: @state = curtask->__state;
 189: call bpf_get_current_task#35
 190: r3 = r0
 191: r3 += 24
 192: r1 = r10
 193: r1 += -24
 194: r2 = 4
 195: r4 = 0
 196: call pf_read
 197: r1 = *(u32 *)(r10 -24)
 198: *(u64 *)(r10 -32) = r1
 199: *(u64 *)(r10 -16) = 0
 200: r1 = map[map_8_state] ll
 202: r2 = r10
 203: r2 += -16
 204: r3 = r10
 205: r3 += -32
 206: r4 = 0
 207: call pf_set
; types.pf:14: @bit = $task->sched_reset_on_fork;
 208: r1 = *(u64 *)(r10 -8)
 209: r3 = r1
 210: r3 += 1188
 211: r1 = r10
 212: r1 += -24
 213: r2 = 1
 214: r4 = 0
 215: call pf_read
 216: r1 = *(u8 *)(r10 -24)
 217: r1 <<= 63
 218: r1 >>= 63
 219: *(u64 *)(r10 -32) = r1
 220: *(u64 *)(r10 -16) = 0
 221: r1 = map[map_9_bit] ll
 223: r2 = r10
 224: r2 += -16
 225: r3 = r10
 226: r3 += -32
 227: r4 = 0
 228: call pf_set
; types.pf:15: @seventh = arg6;
 229: r1 = *(u64 *)(r6 +152)
 230: r3 = r1
 231: r3 += 8
 232: r1 = r10
 233: r1 += -24
 234: r2 = 8
 235: r4 = 0
 236: call pf_read
 237: r1 = *(u64 *)(r10 -24)
 238: *(u64 *)(r10 -32) = r1
 239: *(u64 *)(r10 -16) = 0
 240: r1 = map[map_10_seventh] ll
 242: r2 = r10
 243: r2 += -16
 244: r3 = r10
 245: r3 += -32
 246: r4 = 0
 247: call pf_set
 248: r0 = 0
 249: exit
