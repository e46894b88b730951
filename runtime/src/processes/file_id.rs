//! Which of the files that are or were mapped is meant.

/// A file that is or was mapped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct FileId(u32);

impl FileId {
    /// The id with this index.
    pub fn new(index: u32) -> FileId {
        FileId(index)
    }

    /// Its index.
    pub fn index(self) -> usize {
        self.0 as usize
    }
}
