//! What frames and symbols of processes are called, against what the files' own tools say of them.

mod support;

use pfscript_testkit::needs_root;
use std::path::{Path, PathBuf};
use support::tools::{build_id, take_symbols, tool};
use support::{Finished, Scratch, Tracer, stacks};

/// A library with a function to put a probe on, and one that is stripped of its name.
const LIBRARY: &str = r#"
__attribute__((visibility("default"))) void mark(volatile void *address)
{
    __asm__ volatile("" : : "r"(address));
}
__attribute__((visibility("hidden"))) void hidden_in_library(volatile void *address)
{
    mark(address);
    __asm__ volatile("");
}
__attribute__((visibility("default"))) void mark_from_hidden(volatile void *address)
{
    hidden_in_library(address);
    __asm__ volatile("");
}
__attribute__((visibility("default"))) void *hidden_place(void)
{
    return hidden_in_library;
}
"#;

/// A program that calls `mark` with places in itself, in the library, in the vDSO, in memory that it could execute, and nowhere.
const PROGRAM: &str = r#"
#include "workload.h"
#include <dlfcn.h>
#include <sys/auxv.h>

static void (*mark)(volatile void *);

__attribute__((noinline)) static void own_place(volatile void *address)
{
    void (*from_hidden)(volatile void *) = (void (*)(volatile void *))address;
    from_hidden((void *)16);
    __asm__ volatile("");
}

int main(int argc, char **argv)
{
    if (argc != 2)
        usage("program LIBRARY");
    void *library = dlopen(argv[1], RTLD_NOW);
    if (!library)
        refused("dlopen");
    mark = (void (*)(volatile void *))dlsym(library, "mark");
    void *(*hidden_place)(void) = (void *(*)(void))dlsym(library, "hidden_place");
    void *code = mmap((void *)0x20000000, 4096, PROT_READ | PROT_WRITE | PROT_EXEC,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
    mark((char *)own_place + 4);
    mark((char *)hidden_place() + 4);
    mark((void *)getauxval(AT_SYSINFO_EHDR));
    mark((char *)code + 8);
    mark((void *)16);
    own_place(dlsym(library, "mark_from_hidden"));
    return 0;
}
"#;

/// The program and its library, and where the functions are that have no names once both are stripped.
struct Stripped {
    scratch: Scratch,
    program: PathBuf,
    library: PathBuf,
    own: u64,
    hidden: u64,
}

impl Stripped {
    fn new(name: &str, flags: &[&str]) -> Stripped {
        let scratch = Scratch::new(name);
        let program = scratch.compiled_with("program", PROGRAM, flags);
        let library = scratch.compiled("libmark.so.1.so", LIBRARY);
        let (own, hidden) = (
            address_of(&program, "own_place"),
            address_of(&library, "hidden_in_library"),
        );
        for file in [&program, &library] {
            tool(scratch.path(), "strip", &[file]);
        }
        Stripped {
            scratch,
            program,
            library,
            own,
            hidden,
        }
    }

    /// Traces the program with a script, in which LIB is the library.
    #[track_caller]
    fn trace(&self, options: &[&str], script: &str) -> Finished {
        let (program, library) = (self.program.display(), self.library.display());
        let script = script.replace("LIB", &library.to_string());
        let command = format!("'{program}' '{library}'");
        let tracer = Tracer::new(options).args(["-e", &script, "-c", &command]);
        tracer.folder(self.scratch.path()).run().lossless()
    }
}

/// Where a symbol is, by the file's own count.
#[track_caller]
fn address_of(file: &Path, symbol: &str) -> u64 {
    let list = tool(Path::new("/"), "nm", &[file]);
    let line = list
        .lines()
        .find(|line| line.ends_with(&format!(" {symbol}")));
    let line = line.unwrap_or_else(|| panic!("no {symbol} in {}", file.display()));
    u64::from_str_radix(&line[..16], 16).expect("an address comes first")
}

#[test]
fn an_address_without_symbol_is_a_place_in_its_file() {
    needs_root!();
    // A program of each kind: at fixed addresses, and not.
    for flags in [&["-pie", "-fPIE"][..], &["-no-pie"]] {
        let stripped = Stripped::new("usym", flags);
        let finished = stripped.trace(
            &["-q"],
            r#"uprobe:LIB:mark { printf("%s\n", usym(arg0)); }"#,
        );
        let printed: Vec<&str> = finished.text().lines().collect();
        let expected = [
            format!("[program+{:#x}]", stripped.own + 4),
            format!("[libmark.so.1.so+{:#x}]", stripped.hidden + 4),
            "[vdso+0x0]".to_owned(),
            "[anon+0x20000008]".to_owned(),
            "0x10".to_owned(),
            "0x10".to_owned(),
        ];
        assert_eq!(printed[..6], expected, "{finished}");
    }
}

/// The two frames behind the first one of stacks of `mark`, which have no symbol: without and with the file in which they are.
#[test]
fn frames_without_symbols_are_places_in_their_files_in_every_form() {
    needs_root!();
    let stripped = Stripped::new("frames", &[]);
    let script = |mode: &str| {
        format!(
            "uprobe:LIB:mark /arg0 == 16/ {{ @n++; if (@n == 2) {{ print(ustack({mode}, 5)); }} }} END {{ clear(@n); }}"
        )
    };
    let frames = |options: &[&str], mode: &str| {
        let finished = stripped.trace(options, &script(mode));
        let text = finished.text().to_owned();
        (text, finished)
    };
    let (program, library) = (stripped.program.display(), stripped.library.display());
    // The kernel knows the caller of a function that was just entered since Linux 6.11, so it may be missing.
    let near = |text: &str, file: &str, start: u64| {
        let offsets = (0..0x100).map(|offset| format!("[{file}+{:#x}]", start + offset));
        offsets
            .into_iter()
            .find(|place| text.contains(place.as_str()))
    };
    for (options, mode) in [
        (&["-q"][..], "bpftrace"),
        (&["-q"], "perf"),
        (&["-q", "-f", "json"], "bpftrace"),
        (&["-q", "-f", "json"], "perf"),
    ] {
        let (text, finished) = frames(options, mode);
        assert!(text.contains("mark+0"), "{finished}");
        assert!(text.contains("mark_from_hidden+"), "{finished}");
        let own = near(&text, "program", stripped.own);
        let own = own.unwrap_or_else(|| panic!("the program's own frame has no name: {finished}"));
        if mode == "perf" {
            assert!(text.contains(&format!(" {own} ({program})")), "{finished}");
            let named = format!("mark+0 ({library})");
            assert!(text.contains(&named), "{finished}");
        }
    }
    let (text, finished) = frames(&["-q"], "raw");
    let mut numbers = text.split_whitespace();
    assert!(
        numbers.all(|word| u64::from_str_radix(word, 16).is_ok()),
        "{finished}"
    );
}

/// A program whose function has a name only in a file beside it: what `mark_static` prints of itself.
struct Separated {
    scratch: Scratch,
    program: PathBuf,
    /// The file with the symbols.
    symbols: PathBuf,
    build_id: String,
}

const STATIC: &str = r#"
#include "workload.h"

__attribute__((noinline)) static void touch_static(volatile char *memory, long pages)
{
    write_each_page(memory, pages, RUSAGE_SELF);
}

/* With an argument it stays for so many milliseconds. */
int main(int argc, char **argv)
{
    touch_static(anonymous(50, MADV_NOHUGEPAGE), 50);
    if (argc > 1)
        usleep(1000 * atoi(argv[1]));
    return 0;
}
"#;

impl Separated {
    /// `objcopy` takes the symbols out of a program that has a build id.
    fn new(name: &str) -> Separated {
        let scratch = Scratch::new(name);
        let program = scratch.compiled_with("separated", STATIC, &["-Wl,--build-id=sha1"]);
        let build_id = build_id(&program);
        let symbols = take_symbols(scratch.path(), "separated");
        Separated {
            scratch,
            program,
            symbols,
            build_id,
        }
    }

    /// Leaves the name of the file with the symbols in the program, and its checksum.
    fn link(&self) {
        let option = format!("--add-gnu-debuglink={}", self.symbols.display());
        tool(self.scratch.path(), "objcopy", &[&option, "separated"]);
    }

    /// Moves the file with the symbols to a folder below the program's.
    fn move_symbols(&self, folder: &str) {
        let folder = self.scratch.path().join(folder);
        std::fs::create_dir_all(&folder).expect("the folder is ours");
        let to = folder.join("separated.debug");
        std::fs::rename(&self.symbols, to).expect("the folder is ours");
    }

    /// What the tracer calls the function that touches 50 pages.
    #[track_caller]
    fn name(&self) -> String {
        self.name_under(&format!("'{}'", self.program.display()))
    }

    /// The same where another command runs the program in the end.
    #[track_caller]
    fn name_under(&self, command: &str) -> String {
        let script = "software:page-faults:1 /comm == \"separated\"/ { @[ustack(1)] = count(); }";
        let finished = Tracer::new(["-e", script, "-c", command]).run().lossless();
        stacks::only(&finished, 50).remove(0)
    }
}

#[test]
fn a_stripped_program_has_the_names_of_the_file_that_it_links_to() {
    needs_root!();
    for folder in ["", ".debug"] {
        let separated = Separated::new("linked");
        assert!(separated.name().starts_with("[separated+0x"));
        separated.link();
        assert!(separated.name().starts_with("touch_static+"));
        separated.move_symbols(folder);
        assert!(separated.name().starts_with("touch_static+"), "{folder}");
    }
}

#[test]
fn a_linked_file_with_another_checksum_or_of_another_user_is_not_believed() {
    needs_root!();
    let separated = Separated::new("not-linked");
    separated.link();
    let right = std::fs::read(&separated.symbols).expect("it is ours");
    let mut wrong = right.clone();
    wrong.push(0);
    std::fs::write(&separated.symbols, wrong).expect("it is ours");
    assert!(separated.name().starts_with("[separated+0x"));
    std::fs::write(&separated.symbols, right).expect("it is ours");
    assert!(separated.name().starts_with("touch_static+"));
    std::os::unix::fs::chown(&separated.symbols, Some(65534), None).expect("root may");
    assert!(separated.name().starts_with("[separated+0x"));
    // Its own user may say what is in it.
    std::os::unix::fs::chown(&separated.program, Some(65534), None).expect("root may");
    assert!(separated.name().starts_with("touch_static+"));
    // What is there is no file.
    std::fs::remove_file(&separated.symbols).expect("it is ours");
    tool(separated.scratch.path(), "mkfifo", &["separated.debug"]);
    assert!(separated.name().starts_with("[separated+0x"));
}

/// A folder of debug files that the program's process alone sees, by build id and by path. Both are gone when the names are asked
/// for; it stays long enough for a busy machine to see it.
#[test]
fn debug_files_of_a_container_name_its_programs_after_its_end() {
    needs_root!();
    // A folder to mount on, which most machines have.
    let made = std::fs::create_dir("/usr/lib/debug").is_ok();
    for by_build_id in [true, false] {
        let separated = Separated::new("contained");
        let program = separated.program.display();
        let folder = separated
            .program
            .parent()
            .expect("it is in a folder")
            .display();
        let (place, name) = match by_build_id {
            true => {
                let (first, rest) = separated.build_id.split_at(2);
                (format!("/.build-id/{first}"), format!("{rest}.debug"))
            }
            false => {
                separated.link();
                (folder.to_string(), "separated.debug".to_owned())
            }
        };
        let symbols = separated.scratch.path().join("hidden");
        std::fs::rename(&separated.symbols, &symbols).expect("the folder is ours");
        let script = separated.scratch.file(
            "run",
            format!(
                "set -e\nmount -t tmpfs tmpfs /usr/lib/debug\nmkdir -p '/usr/lib/debug{place}'\n\
                 cp '{}' '/usr/lib/debug{place}/{name}'\nexec '{program}' 3000\n",
                symbols.display()
            ),
        );
        let command = format!("unshare --mount sh '{}'", script.display());
        let name = separated.name_under(&command);
        assert!(name.starts_with("touch_static+"), "{by_build_id}: {name}");
        assert!(separated.name().starts_with("[separated+0x"));
    }
    if made {
        std::fs::remove_dir("/usr/lib/debug").expect("nothing is in it");
    }
}

/// What distributions with small debug information do: the names of local functions, compressed, in the program itself.
#[test]
fn names_that_are_compressed_into_a_program_are_found() {
    needs_root!();
    let separated = Separated::new("mini");
    let symbols = &separated.symbols;
    let mini = separated.scratch.path().join("mini");
    let folder = separated.scratch.path();
    tool(
        folder,
        "objcopy",
        &[
            "-S".as_ref(),
            "--remove-section=.gdb_index".as_ref(),
            "--remove-section=.comment".as_ref(),
            "--keep-symbol=touch_static".as_ref(),
            symbols.as_os_str(),
            mini.as_os_str(),
        ],
    );
    tool(folder, "xz", &["--keep".as_ref(), mini.as_os_str()]);
    let option = format!("--add-section=.gnu_debugdata={}.xz", mini.display());
    tool(folder, "objcopy", &[&option, "separated"]);
    std::fs::remove_file(symbols).expect("it is ours");
    assert!(separated.name().starts_with("touch_static+"));
}

/// A function with three names, the shortest of which this file alone sees.
const ALIASES: &str = r#"
#include "workload.h"

__attribute__((noinline)) void __touch_pages(volatile char *memory, long pages)
{
    write_each_page(memory, pages, RUSAGE_SELF);
}
extern __typeof__(__touch_pages) touch_pages __attribute__((alias("__touch_pages")));
static __typeof__(__touch_pages) tp __attribute__((alias("__touch_pages"), used));

int main(void)
{
    __touch_pages(anonymous(50, MADV_NOHUGEPAGE), 50);
    return 0;
}
"#;

#[test]
fn of_several_names_of_a_function_the_plain_one_of_all_files_is_shown() {
    needs_root!();
    let scratch = Scratch::new("aliases");
    let program = scratch.compiled("aliases", ALIASES);
    let script = "software:page-faults:1 /comm == \"aliases\"/ { @[ustack(1)] = count(); }";
    let command = format!("'{}'", program.display());
    let finished = Tracer::new(["-e", script, "-c", &command]).run().lossless();
    let frames = stacks::only(&finished, 50);
    assert!(frames[0].starts_with("touch_pages+"), "{finished}");
}

/// A program that generates code which touches 50 pages, and writes it down for `perf inject` in a file of its folder, of this owner.
#[cfg(target_arch = "x86_64")]
const JIT: &str = r#"
#include "workload.h"
#include <fcntl.h>
#include <stdint.h>

int main(int argc, char **argv)
{
    if (argc != 2)
        usage("jit OWNER");
    char path[64];
    snprintf(path, sizeof path, "jit-%d.dump", getpid());
    int file = open(path, O_CREAT | O_TRUNC | O_RDWR, 0644);
    /* movb $1, (%rdi); add $4096, %rdi; dec %esi; jnz back; ret */
    unsigned char code[] = {0xc6, 0x07, 0x01, 0x48, 0x81, 0xc7, 0x00, 0x10, 0x00, 0x00, 0xff, 0xce, 0x75, 0xf2, 0xc3};
    char *place = mmap((void *)0x20000000, 4096, PROT_READ | PROT_WRITE | PROT_EXEC,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
    if (file < 0 || place == MAP_FAILED)
        refused("jit");
    memcpy(place, code, sizeof code);
    static const char name[] = "jitted_function";
    uint32_t header[] = {0x4a695444, 1, 40, 62, 0, (uint32_t)getpid(), 1, 0, 0, 0};
    struct {
        uint32_t kind, size;
        uint64_t time;
        uint32_t pid, tid;
        uint64_t vma, address, length, index;
    } record = {0, sizeof record + sizeof name + sizeof code, 1, (uint32_t)getpid(), (uint32_t)getpid(),
                (uint64_t)place, (uint64_t)place, sizeof code, 1};
    if (write(file, header, sizeof header) < 0 || write(file, &record, sizeof record) < 0 ||
        write(file, name, sizeof name) < 0 || write(file, code, sizeof code) < 0 || fchown(file, atoi(argv[1]), -1))
        refused(path);
    if (mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE, file, 0) == MAP_FAILED)
        refused("mmap");
    ((void (*)(volatile char *, int))place)(anonymous(50, MADV_NOHUGEPAGE), 50);
    /* A busy machine sees it meanwhile. */
    usleep(3000000);
    unlink(path);
    return 0;
}
"#;

#[cfg(target_arch = "x86_64")]
#[test]
fn generated_code_has_the_names_of_its_processs_own_dump() {
    needs_root!();
    let scratch = Scratch::new("jitdump");
    let program = scratch.compiled("jit", JIT);
    for (owner, expected) in [("0", "jitted_function+0"), ("65534", "[anon+0x20000000]")] {
        let script = "software:page-faults:1 /comm == \"jit\"/ { @[ustack(1)] = count(); }";
        let command = format!("'{}' {owner}", program.display());
        let finished = Tracer::new(["-e", script, "-c", &command])
            .folder(scratch.path())
            .run()
            .lossless();
        let row = finished
            .text()
            .split("@[\n")
            .find(|row| row.contains("]: 50\n"));
        let name = row.and_then(|row| row.trim().lines().next());
        assert_eq!(name, Some(expected), "{finished}");
    }
}
