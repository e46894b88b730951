//! Records the running kernel for the compiler's tests:
//! `cargo run -p pfscript-runtime --example record_facts -- compiler/tests/facts/6.18-x86_64 [BTF-FILE]`
//!
//! With a BTF file of another kernel, only that kernel's types are recorded.

use pfscript_compiler::btf::Btf;
use pfscript_compiler::facts::{FactError, Facts};
use pfscript_compiler::recorded::trim;
use pfscript_probes::FEATURES;
use pfscript_runtime::facts::{LiveFacts, Presence};
use std::error::Error;
use std::fmt::Write as _;
use std::path::Path;

/// Types and functions that tests use, by name.
const TYPES: &[&str] = &[
    "task_struct",
    "mm_struct",
    "uprobe_task",
    "return_instance",
    "vm_area_struct",
    "rb_node",
    "maple_node",
    "maple_range_64",
    "maple_arange_64",
    "maple_type",
    "file",
    "path",
    "dentry",
    "qstr",
    "inode",
    "super_block",
    "cred",
    "sk_buff",
    "sock",
    "sock_common",
    "request_sock",
    "inet_sock",
    "request",
    "bio",
    "page",
    "nsproxy",
    "pid",
    "upid",
    "pid_namespace",
    "ns_common",
    "linux_binprm",
    "pt_regs",
    "list_head",
    "hlist_node",
    "kuid_t",
    "iovec",
    "timespec64",
    "rq",
    "cfs_rq",
    "fdtable",
    "files_struct",
    "fs_struct",
    "signal_struct",
    "pid_t",
    "dev_t",
    "size_t",
    "umode_t",
    "u8",
    "u16",
    "u32",
    "u64",
    "s8",
    "s16",
    "s32",
    "s64",
    "__u8",
    "__u16",
    "__u32",
    "__u64",
    "uint8_t",
    "uint16_t",
    "uint32_t",
    "uint64_t",
    "int8_t",
    "int16_t",
    "int32_t",
    "int64_t",
    "long int",
    "long long int",
    "long long unsigned int",
    "short int",
    "signed char",
    "pid_type",
    "zone_type",
    "vm_fault_reason",
    "handle_mm_fault",
    "do_user_addr_fault",
    "vfs_read",
    "vfs_write",
    "vfs_open",
    "do_sys_openat2",
    "do_unlinkat",
    "tcp_connect",
    "tcp_sendmsg",
    "ip_output",
    "schedule",
    "wake_up_new_task",
    "do_exit",
    "blk_mq_start_request",
    // A tracepoint's type says that programs can be attached to it, its function has the names of the arguments.
    "btf_trace_sys_enter",
    "__traceiter_sys_enter",
    "btf_trace_sys_exit",
    "__traceiter_sys_exit",
    "btf_trace_sched_switch",
    "__traceiter_sched_switch",
    "btf_trace_sched_process_exec",
    "__traceiter_sched_process_exec",
];

/// Tracepoints whose formats tests use.
const TRACEPOINTS: &[&str] = &[
    "exceptions:page_fault_user",
    "exceptions:page_fault_kernel",
    "sched:sched_switch",
    "sched:sched_process_exec",
    "sched:sched_process_exit",
    "sched:sched_process_fork",
    "sched:sched_wakeup",
    "syscalls:sys_enter_openat",
    "syscalls:sys_exit_openat",
    "syscalls:sys_enter_open",
    "syscalls:sys_exit_open",
    "syscalls:sys_enter_read",
    "syscalls:sys_exit_read",
    "syscalls:sys_enter_write",
    "syscalls:sys_enter_execve",
    "syscalls:sys_enter_kill",
    "syscalls:sys_enter_mmap",
    "raw_syscalls:sys_enter",
    "raw_syscalls:sys_exit",
    "block:block_rq_issue",
    "block:block_rq_complete",
    "kmem:mm_page_alloc",
    "net:net_dev_xmit",
    "net:netif_receive_skb",
    "tcp:tcp_retransmit_skb",
    "sock:inet_sock_set_state",
    "dma:dma_map_sg",
    "irq:softirq_entry",
    "irq:irq_handler_entry",
    "timer:hrtimer_start",
    "signal:signal_generate",
    "vmscan:mm_vmscan_direct_reclaim_begin",
    "writeback:writeback_dirty_folio",
    "oom:mark_victim",
    "page_pool:page_pool_release",
];

/// Functions whose names begin so are recorded.
const FUNCTIONS: &[&str] = &[
    "vfs_",
    "do_sys_open",
    "do_unlink",
    "handle_mm_fault",
    "do_user_addr_fault",
    "exc_page_fault",
    "tcp_",
    "ip_output",
    "ip_rcv",
    "schedule",
    "wake_up_",
    "do_exit",
    "blk_mq_",
    "__x64_sys_open",
];

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let directory = arguments
        .next()
        .ok_or("usage: record_facts DIRECTORY [BTF-FILE]")?;
    let directory = Path::new(&directory);
    std::fs::create_dir_all(directory)?;
    if let Some(file) = arguments.next() {
        let btf = Btf::new(std::fs::read(file)?)?;
        std::fs::write(directory.join("types.btf"), trim(&btf, TYPES))?;
        return Ok(());
    }
    let facts = LiveFacts::new();
    let btf = facts.btf().ok_or("this kernel has no BTF")?;
    std::fs::write(directory.join("types.btf"), trim(btf, TYPES))?;
    let text = tracepoints(&facts).map_err(|error| format!("{error:?}"))?;
    std::fs::write(directory.join("tracepoints.txt"), text)?;
    std::fs::write(directory.join("functions.txt"), functions(&facts, btf))?;
    std::fs::write(directory.join("features.txt"), features(&facts))?;
    Ok(())
}

/// The format files, each below a line `tracepoint:CATEGORY:NAME`.
fn tracepoints(facts: &LiveFacts) -> Result<String, FactError> {
    let events = facts.tracefs()?.join("events");
    let mut text = String::new();
    for name in TRACEPOINTS {
        let path = events.join(name.replace(':', "/")).join("format");
        // What this kernel does not have is not recorded.
        if let Ok(format) = std::fs::read_to_string(path) {
            let fields = format.split("\nprint fmt:").next().unwrap_or(&format);
            let _ = writeln!(text, "tracepoint:{name}\n{}\n", fields.trim_end());
        }
    }
    Ok(text)
}

/// Functions that kprobes could attach to; without kprobes, those that have types.
fn functions(facts: &LiveFacts, btf: &Btf) -> String {
    let mut names: Vec<&str> = match facts.functions() {
        Ok(functions) => functions.iter().map(String::as_str).collect(),
        Err(_) => btf.names(pfscript_compiler::btf::Kind::Func).collect(),
    };
    names.retain(|name| FUNCTIONS.iter().any(|start| name.starts_with(start)));
    names.sort_unstable();
    names.dedup();
    names.join("\n") + "\n"
}

fn features(facts: &LiveFacts) -> String {
    FEATURES
        .iter()
        .filter(|row| facts.presence(row.feature) == Presence::Present)
        .map(|row| format!("{}\n", row.name))
        .collect()
}
