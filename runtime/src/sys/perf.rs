//! perf_event_open(2), its ioctls and its memory-mapped buffers.
//!
//! In come attributes, out go descriptors and bytes of records. What the records say is parsed in `processes::records`.

use aya_obj::generated::{
    PERF_EVENT_IOC_DISABLE, PERF_EVENT_IOC_ENABLE, PERF_EVENT_IOC_SET_BPF, perf_event_attr,
    perf_event_mmap_page,
};
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::ptr::NonNull;
use std::sync::atomic::{AtomicU64, Ordering};

/// An all-zero attribute block with its size filled in.
pub fn attributes() -> perf_event_attr {
    // SAFETY: a struct of integers and unions of integers, for which all zeroes is a value.
    let mut attr: perf_event_attr = unsafe { std::mem::zeroed() };
    attr.size = size_of::<perf_event_attr>() as u32;
    attr
}

/// Opens an event, close-on-exec. `pid` −1 is every process, `cpu` −1 every CPU.
///
/// # Errors
/// The kernel's.
pub fn open(attr: &perf_event_attr, pid: i32, cpu: i32) -> io::Result<OwnedFd> {
    const NO_GROUP: i32 = -1;
    const PERF_FLAG_FD_CLOEXEC: libc::c_ulong = 8;
    // SAFETY: the kernel reads `attr` within the size that it holds; strings that it points to are held by the caller,
    // which this module's users do for the length of the call.
    let fd = unsafe {
        libc::syscall(
            libc::SYS_perf_event_open,
            std::ptr::from_ref(attr),
            pid,
            cpu,
            NO_GROUP,
            PERF_FLAG_FD_CLOEXEC,
        )
    };
    if fd < 0 {
        return Err(io::Error::last_os_error());
    }
    let fd = i32::try_from(fd).map_err(|_| io::Error::from_raw_os_error(libc::EBADF))?;
    // SAFETY: the kernel has just returned this descriptor for us alone to own.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

fn ioctl(fd: BorrowedFd<'_>, request: u32, argument: libc::c_int) -> io::Result<()> {
    // SAFETY: the requests used here take an integer, no pointer.
    let result = unsafe { libc::ioctl(fd.as_raw_fd(), request as _, argument) };
    if result < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(())
}

/// Lets the event run `program` whenever it fires.
///
/// # Errors
/// The kernel's; `EEXIST` if there is a program already, `EINVAL` if the types do not match.
pub fn set_program(event: BorrowedFd<'_>, program: BorrowedFd<'_>) -> io::Result<()> {
    ioctl(event, PERF_EVENT_IOC_SET_BPF, program.as_raw_fd())
}

/// Starts counting.
///
/// # Errors
/// The kernel's.
pub fn enable(event: BorrowedFd<'_>) -> io::Result<()> {
    ioctl(event, PERF_EVENT_IOC_ENABLE, 0)
}

/// Stops counting.
///
/// # Errors
/// The kernel's.
pub fn disable(event: BorrowedFd<'_>) -> io::Result<()> {
    ioctl(event, PERF_EVENT_IOC_DISABLE, 0)
}

/// The buffer of an event's records, mapped into this process.
#[derive(Debug)]
pub struct Records {
    base: NonNull<u8>,
    mapped: usize,
    page: usize,
    data: usize,
}

// SAFETY: the mapping belongs to this value alone and is not tied to a thread.
unsafe impl Send for Records {}

impl Records {
    /// Maps a buffer of `pages` pages, a power of two.
    ///
    /// # Errors
    /// The kernel's; `EPERM` above the limit of locked memory.
    pub fn map(event: BorrowedFd<'_>, pages: usize) -> io::Result<Records> {
        let page = super::page_size();
        let mapped = (pages + 1) * page;
        // SAFETY: a fresh mapping at an address of the kernel's choice.
        let base = unsafe {
            libc::mmap(
                std::ptr::null_mut(),
                mapped,
                libc::PROT_READ | libc::PROT_WRITE,
                libc::MAP_SHARED,
                event.as_raw_fd(),
                0,
            )
        };
        if base == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        let base = NonNull::new(base.cast::<u8>()).ok_or_else(io::Error::last_os_error)?;
        Ok(Records {
            base,
            mapped,
            page,
            data: pages * page,
        })
    }

    fn position(&self, offset: usize) -> &AtomicU64 {
        // SAFETY: `offset` is that of `data_head` or `data_tail` in the first page, which is mapped as long as `self`
        // lives, is 8-byte aligned, and is only ever accessed atomically on this side.
        unsafe { self.base.add(offset).cast::<AtomicU64>().as_ref() }
    }

    /// Copies `out.len()` bytes from stream position `from`, around the end of the buffer.
    fn copy(&self, from: u64, out: &mut [u8]) {
        let start = (from as usize) & (self.data - 1);
        let first = out.len().min(self.data - start);
        // SAFETY: `start + first` and `out.len() - first` are both within the `data` bytes that follow the first page;
        // the kernel does not write between tail and head, where the caller reads.
        unsafe {
            let data = self.base.add(self.page);
            std::ptr::copy_nonoverlapping(data.add(start).as_ptr(), out.as_mut_ptr(), first);
            std::ptr::copy_nonoverlapping(
                data.as_ptr(),
                out[first..].as_mut_ptr(),
                out.len() - first,
            );
        }
    }

    /// Whether no record is there.
    pub fn is_empty(&self) -> bool {
        let at = |offset| self.position(offset).load(Ordering::Acquire);
        at(std::mem::offset_of!(perf_event_mmap_page, data_head))
            == at(std::mem::offset_of!(perf_event_mmap_page, data_tail))
    }

    /// Hands every record that is there to `visit`: its type, its `misc` bits, and its bytes after the header.
    pub fn drain(&mut self, mut visit: impl FnMut(u32, u16, &[u8])) {
        const HEADER: usize = 8;
        let head = self
            .position(std::mem::offset_of!(perf_event_mmap_page, data_head))
            .load(Ordering::Acquire);
        let tail_cell = std::mem::offset_of!(perf_event_mmap_page, data_tail);
        let mut tail = self.position(tail_cell).load(Ordering::Relaxed);
        let mut buffer = Vec::new();
        while head.wrapping_sub(tail) >= HEADER as u64 {
            let mut header = [0_u8; HEADER];
            self.copy(tail, &mut header);
            let [t0, t1, t2, t3, m0, m1, s0, s1] = header;
            let kind = u32::from_le_bytes([t0, t1, t2, t3]);
            let size = usize::from(u16::from_le_bytes([s0, s1]));
            if size < HEADER || size as u64 > head.wrapping_sub(tail) {
                // Can't be; but never loop over nonsense.
                tail = head;
                break;
            }
            buffer.clear();
            buffer.resize(size - HEADER, 0);
            self.copy(tail.wrapping_add(HEADER as u64), &mut buffer);
            tail = tail.wrapping_add(size as u64);
            visit(kind, u16::from_le_bytes([m0, m1]), &buffer);
        }
        self.position(tail_cell).store(tail, Ordering::Release);
    }
}

impl Drop for Records {
    fn drop(&mut self) {
        // SAFETY: the mapping was made by `map` with this length, and nothing borrows from it any more.
        unsafe {
            libc::munmap(self.base.as_ptr().cast(), self.mapped);
        }
    }
}
