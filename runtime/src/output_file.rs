//! The file of `-o`: opened without following a link that others may have put there, emptied only when results come.
//!
//! In comes a path, out goes a writer. What is written is not known here.

use crate::error::{Error, ErrorKind};
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

/// A file for output. What was in it before stays until the first write or flush, so that it outlives a script that
/// cannot run.
#[derive(Debug)]
pub struct OutputFile {
    file: File,
    /// What was in it is still there.
    old: bool,
}

impl OutputFile {
    /// Opens or makes the file. A symbolic link is not followed, since whoever may write to the folder could make root
    /// write anywhere with it; the system's own, such as `/dev/stdout`, are.
    ///
    /// # Errors
    /// [`ErrorKind::Output`] if it is a link or can't be written.
    pub fn open(path: &Path) -> Result<OutputFile, Error> {
        let no_follow = match is_of_the_system(path) {
            true => 0,
            false => libc::O_NOFOLLOW,
        };
        let opened = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(false)
            .custom_flags(no_follow)
            .open(path);
        let file = opened.map_err(|error| refused(path, &error))?;
        let metadata = file.metadata().map_err(|error| refused(path, &error))?;
        Ok(OutputFile {
            file,
            // There is nothing to empty in a pipe or a device.
            old: metadata.is_file(),
        })
    }

    fn empty(&mut self) -> io::Result<()> {
        if std::mem::take(&mut self.old) {
            self.file.set_len(0)?;
        }
        Ok(())
    }
}

impl Write for OutputFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.empty()?;
        self.file.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.empty()
    }
}

impl AsFd for OutputFile {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
    }
}

/// The error for a file that can't be written.
pub(crate) fn refused(path: &Path, error: &io::Error) -> Error {
    let shown = path.display();
    let is_link = path.is_symlink();
    if error.raw_os_error() == Some(libc::ELOOP) && is_link {
        let error = Error::new(
            ErrorKind::Output,
            format!("can't write {shown}: it is a symbolic link, which is not followed"),
        );
        return match std::fs::read_link(path) {
            Ok(target) => error.with_help(format!("name the file itself: {}", target.display())),
            Err(_) => error,
        };
    }
    Error::new(ErrorKind::Output, format!("can't write {shown}: {error}"))
}

/// Whether a path is an entry of `/dev` itself or of a process's descriptors, where root and the kernel alone make links.
fn is_of_the_system(path: &Path) -> bool {
    let Some(Ok(folder)) = path.parent().map(Path::canonicalize) else {
        return false;
    };
    folder == Path::new("/dev") || (folder.starts_with("/proc") && folder.ends_with("fd"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn links_of_the_system_are_known() {
        for path in ["/dev/stdout", "/dev/null", "/dev/fd/1", "/proc/self/fd/1"] {
            assert!(is_of_the_system(Path::new(path)), "{path}");
        }
        for path in ["out", "/dev/shm/out", "/tmp/out", "/proc/self/out", "/"] {
            assert!(!is_of_the_system(Path::new(path)), "{path}");
        }
    }

    #[test]
    fn a_file_keeps_what_it_has_until_something_comes() {
        let folder = std::env::temp_dir().join(format!("pfscript-output.{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let path = folder.join("file");
        fs::write(&path, "old text").unwrap();
        let mut output = OutputFile::open(&path).unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"old text");
        output.write_all(b"new").unwrap();
        output.write_all(b"er").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"newer");
        // Results without a byte are results.
        OutputFile::open(&path).unwrap().flush().unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"");

        let link = folder.join("link");
        std::os::unix::fs::symlink("file", &link).unwrap();
        let error = OutputFile::open(&link).unwrap_err();
        assert!(error.message.contains("symbolic link"), "{error}");
        assert_eq!(error.help.as_deref(), Some("name the file itself: file"));
        fs::remove_dir_all(&folder).unwrap();
    }
}
