//! What a script says of a process's resident pages.

/// A change of who is charged for the pages of a range of addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ResidentChange {
    /// The process has touched the page at the address: who did that is charged for it, whoever was before.
    Fault,
    /// The kernel fills the range with pages, without a fault of each: those that nobody is charged for are somebody's now.
    Fill,
    /// The range is given back: nobody is charged for it any more.
    Drop,
    /// The range moves to another address, with those who are charged for it.
    Move,
    /// An address in the stack of a thread.
    Stack,
    /// A block of the range is allocated.
    Allocate,
    /// The block at the address is freed.
    Free,
    /// A process begins, with a copy of this one's memory, or with the same memory.
    Fork,
    /// The process ends.
    Exit,
    /// What has been found so far is to be printed.
    Print,
}
