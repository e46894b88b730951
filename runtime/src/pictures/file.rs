//! A file that is there complete or not at all: it gets its name when everything is written.
//!
//! Whether it can be written is known before there is anything to write. What was there before stays until then, and if the command ends
//! before, nothing of the new one is left.

use crate::error::Error;
use crate::output_file::{self, OutputFile};
use crate::sys;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::fd::AsFd as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

/// A file that is to be written.
#[derive(Debug)]
pub struct WholeFile {
    path: PathBuf,
    place: Place,
}

/// Where the bytes go.
#[derive(Debug)]
enum Place {
    /// A file without a name in the same folder.
    Nameless(File),
    /// Nowhere yet, since the file system has no files without names.
    Later,
    /// Pipes, terminals and other devices, which are written as they are.
    Direct(OutputFile),
}

impl WholeFile {
    /// Prepares to write a file. A symbolic link is refused, as for other output.
    ///
    /// # Errors
    /// [`ErrorKind::Output`](crate::error::ErrorKind::Output) if it can't be written.
    pub fn prepare(path: &Path) -> Result<WholeFile, Error> {
        let found = fs::symlink_metadata(path);
        let is_new = found
            .as_ref()
            .is_err_and(|error| error.kind() == io::ErrorKind::NotFound);
        let old = found.ok().filter(fs::Metadata::is_file);
        let place = match (&old, is_new) {
            (None, false) => Place::Direct(OutputFile::open(path)?),
            _ => nameless(path)?,
        };
        if let Some(old) = &old {
            // Whoever may not write to the file shall not replace it, even where the folder lets them.
            drop(OutputFile::open(path)?);
            if let Place::Nameless(file) = &place {
                // Who may read it stays the same, where the file system lets us.
                let _ = file.set_permissions(old.permissions());
            }
        }
        Ok(WholeFile {
            path: path.to_owned(),
            place,
        })
    }

    /// What it will be called.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Writes all of it, and gives it its name.
    ///
    /// # Errors
    /// [`ErrorKind::Output`](crate::error::ErrorKind::Output); what was there before is there still.
    pub fn finish(
        self,
        write: impl FnOnce(&mut dyn io::Write) -> io::Result<()>,
    ) -> Result<(), Error> {
        let WholeFile { path, place } = self;
        written(&path, place, write).map_err(|error| output_file::refused(&path, &error))
    }
}

fn folder(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    }
}

/// A file without a name in the folder of `path`, where the file system has such.
fn nameless(path: &Path) -> Result<Place, Error> {
    let opened = OpenOptions::new()
        .write(true)
        .mode(0o666)
        .custom_flags(libc::O_TMPFILE)
        .open(folder(path));
    match opened {
        Ok(file) => Ok(Place::Nameless(file)),
        Err(error) if matches!(error.raw_os_error(), Some(libc::EOPNOTSUPP | libc::EISDIR)) => {
            // A name for a moment tells whether there may be one.
            let name = passing_name(path);
            create(&name).map_err(|error| output_file::refused(path, &error))?;
            let _ = fs::remove_file(&name);
            Ok(Place::Later)
        }
        Err(error) => Err(output_file::refused(path, &error)),
    }
}

/// The name that a file has while it is not complete.
fn passing_name(path: &Path) -> PathBuf {
    let mut name = std::ffi::OsString::from(".");
    name.push(path.file_name().unwrap_or_default());
    name.push(format!(".{}", std::process::id()));
    folder(path).join(name)
}

fn create(path: &Path) -> io::Result<File> {
    OpenOptions::new().write(true).create_new(true).open(path)
}

fn written(
    path: &Path,
    place: Place,
    write: impl FnOnce(&mut dyn io::Write) -> io::Result<()>,
) -> io::Result<()> {
    let name = passing_name(path);
    let (file, is_named) = match place {
        Place::Direct(mut output) => {
            write(&mut output)?;
            return output.flush();
        }
        Place::Nameless(file) => (file, false),
        Place::Later => (create(&name)?, true),
    };
    let mut buffered = io::BufWriter::new(&file);
    let mut done = write(&mut buffered).and_then(|()| buffered.flush());
    drop(buffered);
    if done.is_ok() && !is_named {
        done = sys::link(file.as_fd(), &name);
    }
    done = done.and_then(|()| fs::rename(&name, path));
    if done.is_err() {
        let _ = fs::remove_file(&name);
    }
    done
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::{PermissionsExt as _, symlink};

    struct Folder(PathBuf);

    impl Folder {
        fn new(name: &str) -> Folder {
            let path = std::env::temp_dir().join(format!("pfscript-{name}.{}", std::process::id()));
            fs::create_dir_all(&path).unwrap();
            Folder(path)
        }

        fn names(&self) -> Vec<String> {
            let entries = fs::read_dir(&self.0).unwrap();
            entries
                .map(|entry| entry.unwrap().file_name().into_string().unwrap())
                .collect()
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    fn text(out: &mut dyn io::Write) -> io::Result<()> {
        out.write_all(b"new")
    }

    #[test]
    fn a_file_is_there_when_it_is_complete() {
        let folder = Folder::new("whole");
        let path = folder.0.join("x.svg");
        let file = WholeFile::prepare(&path).unwrap();
        assert_eq!(folder.names(), Vec::<String>::new());
        file.finish(text).unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"new");
        assert_eq!(folder.names(), ["x.svg"]);
        let mode = fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o111, 0, "{mode:o}");
    }

    #[test]
    fn what_was_there_stays_until_then_and_if_it_fails() {
        let folder = Folder::new("kept");
        let path = folder.0.join("x.svg");
        fs::write(&path, "old").unwrap();
        drop(WholeFile::prepare(&path).unwrap());
        let failed = WholeFile::prepare(&path)
            .unwrap()
            .finish(|out| text(out).and(Err(io::ErrorKind::StorageFull.into())));
        assert!(failed.unwrap_err().message.contains("x.svg"));
        assert_eq!(fs::read(&path).unwrap(), b"old");
        assert_eq!(folder.names(), ["x.svg"]);
        WholeFile::prepare(&path).unwrap().finish(text).unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"new");
        assert_eq!(folder.names(), ["x.svg"]);
    }

    #[test]
    fn where_files_have_names_from_the_start_it_is_the_same() {
        let folder = Folder::new("later");
        let path = folder.0.join("x.svg");
        let place = Place::Later;
        written(&path, place, text).unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"new");
        let failed = written(&path, Place::Later, |_| {
            Err(io::ErrorKind::StorageFull.into())
        });
        assert!(failed.is_err());
        assert_eq!(folder.names(), ["x.svg"]);
    }

    #[test]
    fn what_cannot_be_written_is_said_at_once() {
        let folder = Folder::new("refused");
        let refused = |path: &Path| WholeFile::prepare(path).unwrap_err().message;
        let nowhere = folder.0.join("no/x.svg");
        assert!(
            refused(&nowhere).contains("No such file"),
            "{}",
            refused(&nowhere)
        );
        assert!(refused(&folder.0).contains("can't write"));
        let link = folder.0.join("link");
        symlink("x.svg", &link).unwrap();
        assert!(refused(&link).contains("symbolic link"));
    }

    #[test]
    fn devices_are_written_as_they_are() {
        let null = WholeFile::prepare(Path::new("/dev/null")).unwrap();
        null.finish(text).unwrap();
        assert!(!fs::metadata("/dev/null").unwrap().is_file());
    }
}
