//! The place of a process's `/tmp/perf-PID.map`: the folder is held open, since a file that is written at the end of a process is opened
//! when that, and its root folder with it, is gone.

use super::proc_status;
use crate::sys::process;
use std::ffi::{CStr, CString};
use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::MetadataExt as _;
use std::rc::{Rc, Weak};

/// Where a process that lives, or did, writes its file, and as whom.
#[derive(Clone, Debug)]
pub struct MapPlace {
    /// Its /tmp.
    pub folder: Folder,
    /// That of the file.
    pub name: CString,
    /// The id that it knows itself by.
    pub inner_pid: u32,
    user: u32,
}

/// A folder that is open.
pub type Folder = Rc<File>;

/// The folders that are held open. Processes with the same one share it.
#[derive(Debug, Default)]
pub struct Folders {
    open: Vec<((u64, u64), Weak<File>)>,
}

impl Folders {
    /// As many as are held at a time.
    const MOST: usize = 64;

    /// The one in which a process that lives runs, or if it is gone the one in which we do.
    ///
    /// # Errors
    /// If it cannot be opened, or `EMFILE` if too many folders are open.
    pub fn current(&mut self, tgid: u32) -> io::Result<Folder> {
        let path = CString::new(format!("/proc/{tgid}/cwd"))?;
        let folder = process::open_folder_beneath(&path, c".");
        self.share(folder.or_else(|_| process::open_folder_beneath(c".", c"."))?)
    }

    fn tmp(&mut self, tgid: u32) -> io::Result<Folder> {
        let root = CString::new(format!("/proc/{tgid}/root"))?;
        self.share(process::open_folder_beneath(&root, c"tmp")?)
    }

    fn share(&mut self, folder: OwnedFd) -> io::Result<Folder> {
        let folder = File::from(folder);
        let meta = folder.metadata()?;
        let identity = (meta.dev(), meta.ino());
        self.open.retain(|(_, folder)| folder.strong_count() > 0);
        let known = self.open.iter().find(|(other, _)| *other == identity);
        if let Some(known) = known.and_then(|(_, folder)| folder.upgrade()) {
            return Ok(known);
        }
        if self.open.len() >= Folders::MOST {
            return Err(io::Error::from_raw_os_error(libc::EMFILE));
        }
        let folder = Rc::new(folder);
        self.open.push((identity, Rc::downgrade(&folder)));
        Ok(folder)
    }
}

impl MapPlace {
    /// That of a process that lives: in its own /tmp, under the id that it knows itself by.
    ///
    /// # Errors
    /// If it is gone, or `EMFILE` if too many folders are open.
    pub fn of(tgid: u32, folders: &mut Folders) -> io::Result<MapPlace> {
        let status = proc_status::read(tgid)?;
        Ok(MapPlace {
            folder: folders.tmp(tgid)?,
            name: map_name(status.inner_pid),
            inner_pid: status.inner_pid,
            user: status.user,
        })
    }

    /// That of another process, if it has the same folder and user and knows itself by the id that we know it by.
    pub fn of_another(&self, tgid: u32) -> MapPlace {
        MapPlace {
            name: map_name(tgid),
            inner_pid: tgid,
            ..self.clone()
        }
    }

    /// Opens the file.
    ///
    /// # Errors
    /// If there is none, or one that the process's user did not make.
    pub fn open(&self) -> io::Result<File> {
        self.open_own(&self.folder, &self.name)
    }

    /// Opens the file if it was not changed after a time, in nanoseconds since 1970 and as exact as the system's tick.
    ///
    /// # Errors
    /// As [`MapPlace::open`].
    pub fn open_changed_before(&self, time: u64) -> io::Result<File> {
        let file = self.open()?;
        let meta = file.metadata()?;
        let changed = i128::from(meta.ctime()) * 1_000_000_000 + i128::from(meta.ctime_nsec());
        match changed <= time.into() {
            true => Ok(file),
            false => Err(io::ErrorKind::PermissionDenied.into()),
        }
    }

    /// Opens another file, by its name in a folder.
    ///
    /// # Errors
    /// As [`MapPlace::open`].
    pub fn open_own(&self, folder: &File, name: &CStr) -> io::Result<File> {
        let file = File::from(process::open_in(folder, name)?);
        let meta = file.metadata()?;
        match meta.is_file() && meta.uid() == self.user {
            true => Ok(file),
            false => Err(io::ErrorKind::PermissionDenied.into()),
        }
    }
}

fn map_name(pid: u32) -> CString {
    CString::new(format!("perf-{pid}.map")).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_regular_file_of_the_processs_own_user_is_opened() {
        let scratch =
            std::env::temp_dir().join(format!("pfscript-map-place.{}", std::process::id()));
        std::fs::create_dir_all(&scratch).unwrap();
        let file = scratch.join("map");
        let place = MapPlace {
            folder: Rc::new(File::open(&scratch).unwrap()),
            name: c"map".into(),
            inner_pid: std::process::id(),
            user: proc_status::read(std::process::id()).unwrap().user,
        };
        assert!(place.open().is_err());
        std::fs::write(&file, "1000 10 name\n").unwrap();
        assert!(place.open().is_ok());
        let others = MapPlace {
            user: 12345,
            ..place.clone()
        };
        assert!(others.open().is_err());
        std::fs::remove_file(&file).unwrap();
        std::os::unix::fs::symlink("/proc/self/status", &file).unwrap();
        assert!(place.open().is_err());
        std::fs::remove_file(&file).unwrap();
        std::fs::create_dir(&file).unwrap();
        assert!(place.open().is_err());
        std::fs::remove_dir_all(&scratch).unwrap();
    }

    #[test]
    fn processes_share_the_folder() {
        let mut folders = Folders::default();
        let own = MapPlace::of(std::process::id(), &mut folders).unwrap();
        let again = MapPlace::of(std::process::id(), &mut folders).unwrap();
        assert!(Rc::ptr_eq(&own.folder, &again.folder));
        drop((own, again));
        folders.open.push(((0, 0), Weak::new()));
        MapPlace::of(std::process::id(), &mut folders).unwrap();
        assert_eq!(folders.open.len(), 1);
        assert!(MapPlace::of(u32::MAX, &mut folders).is_err());
    }
}
