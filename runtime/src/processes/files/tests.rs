use super::super::opening::device;
use super::*;
use std::path::PathBuf;

fn raw(path: &Path) -> RawFile {
    let meta = std::fs::metadata(path).unwrap();
    RawFile {
        device: device(meta.dev()),
        inode: meta.ino(),
        path: path.as_os_str().as_bytes().to_vec(),
    }
}

/// A copy of this program, until the value goes.
struct Copy(PathBuf);

impl Copy {
    fn new(name: &str) -> Copy {
        let name = format!("pfscript-files-{name}-{}", std::process::id());
        let path = std::env::temp_dir().join(name);
        std::fs::copy("/proc/self/exe", &path).unwrap();
        Copy(path)
    }
}

impl Drop for Copy {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

impl Files {
    fn see(&mut self, file: &RawFile) -> FileId {
        self.take_in(file, 1, Vec::new, (0, 0))
    }

    fn has_symbols(&mut self, id: FileId) -> bool {
        self.symbols(id, || None).is_some()
    }
}

#[test]
fn a_file_has_symbols_after_it_was_deleted_and_closed() {
    let copy = Copy::new("deleted");
    let mut files = Files::default();
    let id = files.see(&raw(&copy.0));
    assert!(files.any_open());
    files.close_deleted();
    assert!(files.any_open());
    std::fs::remove_file(&copy.0).unwrap();
    files.close_deleted();
    assert!(!files.any_open());
    assert!(files.has_symbols(id));
    files.missed(id);
    assert_eq!(files.losses(), []);
}

#[test]
fn few_files_are_held_open_and_all_have_symbols() {
    let copies: Vec<Copy> = (0..4).map(|n| Copy::new(&format!("few{n}"))).collect();
    let mut files = Files {
        max_open: 2,
        ..Files::default()
    };
    let ids: Vec<FileId> = copies.iter().map(|copy| files.see(&raw(&copy.0))).collect();
    assert_eq!(files.open.len(), 2);
    for id in ids {
        assert!(files.has_symbols(id));
    }
    assert!(!files.any_open());
}

#[test]
fn what_was_closed_and_is_gone_is_counted() {
    let copy = Copy::new("closed");
    let mut files = Files::default();
    let id = files.see(&raw(&copy.0));
    // As if it were large, and others had been opened since.
    files.open.clear();
    files.files[id.index()].state = State::Closed;
    assert!(files.has_symbols(id));
    files.forget_oldest(FileId::new(u32::MAX));
    std::fs::remove_file(&copy.0).unwrap();
    assert!(!files.has_symbols(id));
    files.missed(id);
    assert_eq!(files.losses()[0].cause, Cause::Names(Names::NoRoom));
}

#[test]
fn large_files_that_are_deleted_one_after_another_are_not_all_read() {
    let copy = Copy::new("large");
    let large = File::options().write(true).open(&copy.0).unwrap();
    large.set_len(MAX_UNASKED / 2 + 1).unwrap();
    let mut files = Files::default();
    for _ in 0..2 {
        files.files.clear();
        files.by_identity.clear();
        files.see(&raw(&copy.0));
        assert!(files.any_open());
        // As if it were deleted.
        files.files[0].path = Arc::from(&b"/nowhere"[..]);
        files.close(FileId::new(0));
        assert!(!files.any_open());
    }
    assert!(matches!(files.files[0].state, State::Closed));
    assert_eq!(files.unasked, MAX_UNASKED / 2 + 1);
}

#[test]
fn another_file_with_the_same_inode_number_is_another_file() {
    let copy = Copy::new("inode");
    let mut files = Files::default();
    let id = files.see(&raw(&copy.0));
    assert_eq!(files.see(&raw(&copy.0)), id);
    files.read(id);
    assert_eq!(files.see(&raw(&copy.0)), id);
    // The same inode with other content, as a new file that is given the number of a deleted one.
    std::fs::write(&copy.0, "text").unwrap();
    let other = files.see(&raw(&copy.0));
    assert_ne!(other, id);
    assert!(files.has_symbols(id));
    assert!(!files.has_symbols(other));
    files.missed(other);
    assert_eq!(files.losses(), []);
}

#[test]
fn another_file_at_the_path_is_not_taken_for_it() {
    let mut files = Files::default();
    let mut wrong = raw(Path::new("/proc/self/exe"));
    wrong.path = b"/etc/passwd".to_vec();
    let own = std::process::id();
    let id = files.take_in(&wrong, own, || vec![own], (0, 0));
    assert!(!files.any_open());
    assert!(!files.has_symbols(id));
    files.missed(id);
    assert_eq!(files.losses()[0].cause, Cause::Names(Names::Gone));
}

#[test]
fn devices_are_never_opened() {
    let mut files = Files::default();
    let id = files.see(&raw(Path::new("/dev/zero")));
    assert!(!files.any_open());
    files.missed(id);
    assert_eq!(files.losses(), []);
}

#[test]
fn one_inode_is_one_file_and_kinds_are_told_apart() {
    let file = |inode, path: &str| RawFile {
        device: (8, 1),
        inode,
        path: path.as_bytes().to_vec(),
    };
    let mut files = Files::default();
    let a = files.see(&file(5, "/a"));
    assert_eq!(files.see(&file(5, "/b")), a);
    assert_ne!(files.see(&file(6, "/a")), a);
    assert_eq!(files.get(a).kind, Kind::File);
    for (path, kind) in [
        ("[vdso]", Kind::Vdso),
        ("//anon", Kind::Anonymous),
        ("[heap]", Kind::Anonymous),
        ("", Kind::Anonymous),
    ] {
        let id = files.see(&file(0, path));
        assert_eq!(files.get(id).kind, kind, "{path}");
    }
    assert!(!files.any_open());
}

#[test]
fn files_that_nothing_needs_are_given_up_and_what_was_lost_of_them_stays_counted() {
    let mut files = Files::default();
    let kept = Copy::new("kept");
    let kept = files.see(&raw(&kept.0));
    for turn in 0..10 {
        for number in 0..10 {
            let copy = Copy::new(&format!("given-up{number}"));
            let id = files.see(&raw(&copy.0));
            if number == 0 {
                // As if it were large, and others had been opened since.
                files.open.retain(|other| *other != id);
                files.files[id.index()].state = State::Closed;
                files.missed(id);
            }
        }
        assert!(files.known() >= 2, "{turn}");
        files.prune(&HashSet::from([kept]));
        assert_eq!(files.known(), 1);
        assert!(files.files.len() <= 21, "{}", files.files.len());
        assert_eq!(files.losses()[0].count, turn + 1);
    }
    assert!(files.has_symbols(kept));
    files.prune(&HashSet::new());
    assert_eq!((files.size, files.unasked, files.known()), (0, 0, 0));
}
