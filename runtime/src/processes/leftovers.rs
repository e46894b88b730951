//! The files that processes write since we had them do it: removed with the value, if they were written since it was made.
//!
//! These are their maps, and what V8 leaves beside where a map is written: `isolate-0x…-PID-v8.log` in the folder that it runs in.

use super::map_place::{Folder, MapPlace};
use crate::sys::process;
use std::collections::HashMap;
use std::ffi::CString;
use std::fs::{self, File};
use std::io;
use std::os::fd::AsRawFd as _;
use std::os::unix::ffi::OsStrExt as _;
use std::time::{Duration, SystemTime};

/// The places of such files, by process.
#[derive(Debug)]
pub struct Leftovers {
    since: SystemTime,
    maps: HashMap<u32, MapPlace>,
    logs: HashMap<u32, (Folder, MapPlace)>,
}

impl Default for Leftovers {
    fn default() -> Leftovers {
        /// Times of files are those of the last tick of the clock.
        const TICK: Duration = Duration::from_millis(10);
        Leftovers {
            since: SystemTime::now() - TICK,
            maps: HashMap::new(),
            logs: HashMap::new(),
        }
    }
}

impl Leftovers {
    /// A process may write its map there.
    pub fn map_at(&mut self, tgid: u32, place: MapPlace) {
        self.maps.insert(tgid, place);
    }

    /// A process that writes its map there runs in this folder.
    pub fn logs_in(&mut self, tgid: u32, folder: Folder, place: MapPlace) {
        self.logs.insert(tgid, (folder, place));
    }

    /// Removes the map, or says why not. Most processes have written none.
    fn remove_map(&self, place: &MapPlace) -> io::Result<()> {
        match self.is_new(&place.open()?)? {
            true => process::remove_in(&place.folder, &place.name),
            false => Ok(()),
        }
    }

    /// Removes V8's logs.
    fn remove_logs(&self, folder: &File, place: &MapPlace) -> io::Result<()> {
        let (start, end) = ("isolate-0x", format!("-{}-v8.log", place.inner_pid));
        for entry in fs::read_dir(format!("/proc/self/fd/{}", folder.as_raw_fd()))? {
            let name = entry?.file_name();
            let is_log = name.to_str().is_some_and(|name| {
                let number = name.strip_prefix(start);
                number.and_then(|rest| rest.strip_suffix(&*end)).is_some()
            });
            if is_log {
                let name = CString::new(name.as_bytes())?;
                let file = place.open_own(folder, &name)?;
                if self.is_new(&file)? {
                    process::remove_in(folder, &name)?;
                }
            }
        }
        Ok(())
    }

    fn is_new(&self, file: &File) -> io::Result<bool> {
        Ok(file.metadata()?.modified()? >= self.since)
    }
}

impl Drop for Leftovers {
    fn drop(&mut self) {
        for place in self.maps.values() {
            let _ = self.remove_map(place);
        }
        for (folder, place) in self.logs.values() {
            let _ = self.remove_logs(folder, place);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::processes::map_place::Folders;

    #[test]
    fn what_was_written_since_is_removed_and_nothing_else() {
        let own = std::process::id();
        let path = std::env::temp_dir().join(format!("pfscript-leftovers.{own}"));
        fs::create_dir_all(&path).unwrap();
        let folder = Folder::new(File::open(&path).unwrap());
        let mut place = MapPlace::of(own, &mut Folders::default()).unwrap();
        place.folder = folder.clone();
        let [map, log, other, old] = [
            place.name.to_str().unwrap().to_owned(),
            format!("isolate-0x12ab-{own}-v8.log"),
            format!("isolate-0x12ab-1{own}-v8.log"),
            format!("isolate-0xab-{own}-v8.log"),
        ]
        .map(|name| path.join(name));
        let removed = |names: &[&std::path::Path]| {
            let mut leftovers = Leftovers::default();
            names.iter().for_each(|name| fs::write(name, "x").unwrap());
            leftovers.map_at(own, place.clone());
            leftovers.logs_in(own, folder.clone(), place.clone());
            let before = leftovers.since - Duration::from_secs(9);
            if old.exists() {
                File::open(&old).unwrap().set_modified(before).unwrap();
            }
            drop(leftovers);
        };
        removed(&[&map, &log, &other, &old]);
        assert!(!map.exists() && !log.exists());
        assert!(other.exists() && old.exists());
        fs::remove_dir_all(&path).unwrap();
    }
}
