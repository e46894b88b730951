//! Methods of Java in user stacks of stock JVMs: names and order, from the system call to the start of the thread.

mod support;

use pfscript_testkit::needs_root;
use std::io::{ErrorKind, Read as _, Write as _};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use support::tools::tool;
use support::{Finished, Scratch, Tracer, stacks};

/// What is looked at: `rename(2)`, of the command.
const PROBE: &str =
    "tracepoint:syscalls:sys_enter_rename / pid == cpid / { @[ustack, pid, comm] = count(); }";

/// Does it once, or where it is told to wait, once for each byte of its input; and says what the property `said` is.
const SOURCE: &str = r#"import java.io.File;

public class Chain {
    static boolean leaf(File file) { return file.renameTo(file); }
    static boolean middle(File file) { return leaf(file); }
    static boolean outer(File file) { return middle(file); }

    public static void main(String[] words) throws Exception {
        System.out.println("said=" + System.getProperty("said"));
        while (words.length == 0 || System.in.read() > 0) {
            outer(new File("/no/such/file"));
            if (words.length == 0)
                break;
        }
    }
}
"#;

/// Has these methods compiled before they run, and no others, and called by one another.
const COMPILED: &str = "-Xcomp -XX:CompileCommand=quiet -XX:CompileCommand=compileonly,Chain::* \
                        -XX:CompileCommand=dontinline,Chain::*";

/// The JVMs in the places where distributions put them that can be asked for a map: 17 and later.
fn machines() -> Vec<PathBuf> {
    let folders = std::fs::read_dir("/usr/lib/jvm").into_iter().flatten();
    let homes = folders.flatten().map(|entry| entry.path());
    // Links to others would be the same again.
    let mut homes: Vec<PathBuf> = homes.filter(|home| !home.is_symlink()).collect();
    homes.sort();
    homes.retain(|home| {
        let release = std::fs::read_to_string(home.join("release")).unwrap_or_default();
        let version = release
            .split_once("JAVA_VERSION=\"")
            .and_then(|(_, rest)| rest.split(['.', '"', '+']).next()?.parse().ok());
        version.is_some_and(|version: u32| version >= 17)
    });
    homes.iter().map(|home| home.join("bin/java")).collect()
}

/// A compiled class, for all of them.
struct Class(Scratch);

impl Class {
    fn new(name: &str) -> Class {
        let scratch = Scratch::open_to_all(name);
        let source = scratch.file("Chain.java", SOURCE);
        let arguments = ["--release".as_ref(), "17".as_ref(), source.as_os_str()];
        tool(scratch.path(), "javac", &arguments);
        Class(scratch)
    }

    /// A command that runs it.
    fn command(&self, java: &Path, options: &str) -> String {
        let (java, folder) = (java.display(), self.0.path().display());
        format!("{java} {options} {COMPILED} -cp {folder} Chain")
    }
}

/// Calls `check` with each JVM and the class.
fn with_each(name: &str, check: impl Fn(&Path, &Class)) {
    let all = machines();
    if all.is_empty() {
        println!("skip: no JVM of version 17 or later is installed");
        return;
    }
    let class = Class::new(name);
    for java in all {
        println!("with {}", java.display());
        check(&java, &class);
    }
}

/// A stack of the system call is whole, and has the methods in order.
#[track_caller]
fn has_methods(finished: &Finished) {
    let text = finished.text();
    let text = &text[text.find("\n\n@[").unwrap_or(0)..];
    let rows = stacks::parse(text);
    assert_eq!(rows.len(), 1, "{finished}");
    let in_order = [
        "rename+",
        "Java_java_io_UnixFileSystem_rename0+",
        "Interpreter+",
        "boolean Chain.leaf(java.io.File)+",
        "boolean Chain.middle(java.io.File)+",
        "boolean Chain.outer(java.io.File)+",
        "void Chain.main(java.lang.String[])+",
        "StubRoutines",
        "JavaCalls::call_helper(",
        "JavaMain+",
        "start_thread+",
        "clone",
    ];
    let mut rest = rows[0].frames.iter();
    for part in in_order {
        assert!(
            rest.any(|frame| frame.starts_with(part)),
            "no {part:?} behind the others: {finished}"
        );
    }
    assert_eq!(rest.next(), None, "{finished}");
}

/// The map of the process that a stack is of.
#[track_caller]
fn map_of(finished: &Finished) -> PathBuf {
    let text = finished.text();
    let text = &text[text.find("\n\n@[").unwrap_or(0)..];
    PathBuf::from(format!("/tmp/perf-{}.map", stacks::parse(text)[0].pid))
}

#[test]
fn runtimes_that_are_told_name_their_methods() {
    needs_root!();
    with_each("java-told", |java, class| {
        let command = class.command(java, "");
        let tracer = Tracer::new(["--runtimes", "-e", PROBE, "-c", &command])
            .env("JAVA_TOOL_OPTIONS", "-Dsaid=yes");
        // What the user told it stays.
        let finished = tracer.run().lossless().has_line("said=yes");
        has_methods(&finished);
        // What was written for us alone is gone.
        assert!(!map_of(&finished).exists());
    });
}

#[test]
fn a_map_that_is_written_at_the_end_is_read_and_stays() {
    needs_root!();
    with_each("java-map", |java, class| {
        let options =
            "-XX:+PreserveFramePointer -XX:+UnlockDiagnosticVMOptions -XX:+DumpPerfMapAtExit";
        let command = class.command(java, options);
        let finished = Tracer::new(["-e", PROBE, "-c", &command]).run().lossless();
        has_methods(&finished);
        std::fs::remove_file(map_of(&finished)).expect("it is there");
    });
}

#[test]
fn stacks_that_may_lack_methods_are_said() {
    needs_root!();
    with_each("java-frameless", |java, class| {
        for (options, lacks) in [("", true), ("-XX:+PreserveFramePointer", false)] {
            let command = class.command(java, options);
            let finished = Tracer::new(["-e", PROBE, "-c", &command]).run().lossless();
            let said = finished
                .messages()
                .contains("stacks of 1 process lack methods");
            assert_eq!(said, lacks, "{finished}");
        }
    });
}

/// Keeps 10,000 bytes at a time, 100 MB in all, or where it is told to, 5 MB for each byte of its input.
const LEAK: &str = r#"import java.util.*;

public class Leak {
    static List<byte[]> kept = new ArrayList<>();
    static void remember() { kept.add(new byte[10000]); }

    public static void main(String[] words) throws Exception {
        for (int i = 0; i < (words.length == 0 ? 10000 : 3000); i++)
            remember();
        System.out.println("said=yes");
        while (words.length > 0 && System.in.read() > 0) {
            for (int i = 0; i < 500; i++)
                remember();
            System.out.println("more");
        }
    }
}
"#;

/// A folder with that class.
fn leak(name: &str) -> Scratch {
    let scratch = Scratch::open_to_all(name);
    let source = scratch.file("Leak.java", LEAK);
    let arguments = ["--release".as_ref(), "17".as_ref(), source.as_os_str()];
    tool(scratch.path(), "javac", &arguments);
    scratch
}

#[test]
fn beside_what_a_collector_moves_stands_who_made_it() {
    needs_root!();
    for java in machines() {
        let scratch = leak("java-collectors");
        for collector in ["Serial", "Parallel", "G1"] {
            let command = format!(
                "{} -XX:+Use{collector}GC -Xmx400m -Xmn10m -cp {} Leak",
                java.display(),
                scratch.path().display()
            );
            let finished = Tracer::new(["-q", "rssgrow", "--runtimes", "-c", &command])
                .run()
                .ok();
            let moved =
                format!("objects that the garbage collector {collector} has moved or marked");
            let rows: Vec<&str> = finished.text().lines().collect();
            let at = rows.iter().position(|row| row.ends_with(&moved));
            let at = at.unwrap_or_else(|| panic!("nothing is moved in {finished}"));
            let maker = rows[at + 1];
            assert!(maker.contains(" % of new ones are made by  "), "{finished}");
            assert!(maker.contains("Leak."), "{finished}");
        }
    }
}

/// rssgrow asks by itself, if it is told which process it is.
#[test]
fn methods_are_named_of_a_jvm_that_grows() {
    needs_root!();
    for java in machines() {
        let scratch = leak("java-grows");
        let command = format!(
            "{} -Xmx400m -cp {} Leak",
            java.display(),
            scratch.path().display()
        );
        let mut machine = Machine::start("exec COMMAND", &command);
        let pid = machine.pid.to_string();
        let tracer = Tracer::new(["rssgrow", "-p", &pid]).start().attached();
        let input = machine.child.stdin.as_mut().expect("it has an input");
        input.write_all(&[1; 12]).expect("it reads");
        let mut said = [0; "yes\n".len() + 12 * "more\n".len()];
        let output = machine.child.stdout.as_mut().expect("it has an output");
        output.read_exact(&mut said).expect("it goes on");
        tracer.interrupt();
        let finished = tracer.finish().ok();
        assert!(finished.text().contains("Leak."), "{finished}");
    }
}

/// A JVM that waits for its input.
struct Machine {
    child: Child,
    /// Its id here, and the one that it knows itself by.
    pid: u32,
    inner: u32,
}

impl Machine {
    /// Runs a command of [`Class::command`] in a line of a shell, at the place of COMMAND.
    fn start(line: &str, command: &str) -> Machine {
        let line = line.replace("COMMAND", &format!("{command} wait"));
        let mut child = Command::new("sh")
            .args(["-c", &line])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("it starts");
        let mut said = [0; 5];
        let output = child.stdout.as_mut().expect("it has an output");
        output.read_exact(&mut said).expect("it begins");
        assert_eq!(&said, b"said=");
        // Where it is in a pid namespace, unshare(1) is before it.
        let children = format!("/proc/{0}/task/{0}/children", child.id());
        let children = std::fs::read_to_string(children).expect("it lives");
        let pid = children.trim().parse().unwrap_or(child.id());
        let status = std::fs::read_to_string(format!("/proc/{pid}/status")).expect("it lives");
        let ids = status.lines().find_map(|line| line.strip_prefix("NSpid:"));
        let inner = ids.and_then(|ids| ids.split_whitespace().last()?.parse().ok());
        Machine {
            child,
            pid,
            inner: inner.expect("it has an id"),
        }
    }

    /// A file in its /tmp; PID in its name is what it knows itself by.
    fn file(&self, name: &str) -> PathBuf {
        let name = name.replace("PID", &self.inner.to_string());
        PathBuf::from(format!("/proc/{}/root/tmp/{name}", self.pid))
    }

    /// Traces it, with its map, until its first system call.
    fn trace(&mut self) -> Finished {
        let probe = PROBE
            .replace("pid == cpid", "true")
            .replace("; }", "; exit(); }");
        let pid = self.pid.to_string();
        let tracer = Tracer::new(["--jvm-map", "-e", &probe, "-p", &pid]).start();
        let running = tracer.attached();
        let input = self.child.stdin.as_mut().expect("it has an input");
        input.write_all(b"\n").expect("it reads");
        running.finish().lossless()
    }

    /// It was not asked, for this reason, and runs on.
    #[track_caller]
    fn is_left_alone(&mut self, why: &str) {
        let finished = self.trace().says(&["did not name its Java code", why]);
        assert!(self.child.try_wait().expect("it is ours").is_none());
        assert!(!self.file(".attach_pidPID").exists(), "{finished}");
        let methods = finished.text().contains("Chain.leaf");
        assert!(!methods, "{finished}");
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        let files = [".java_pidPID", "perf-PID.map"].map(|name| self.file(name));
        for file in files {
            let _ = std::fs::remove_file(file);
        }
        // It ends with its input.
        drop(self.child.stdin.take());
        let _ = self.child.wait();
    }
}

const FRAMES: &str = "-XX:+PreserveFramePointer";

#[test]
fn a_jvm_that_runs_is_asked() {
    needs_root!();
    let another = "exec setpriv --reuid=65534 --regid=65534 --clear-groups COMMAND";
    let container = "exec 9<FOLDER; exec unshare --pid --fork --kill-child --mount --mount-proc sh -c '\
                     mount -t tmpfs none /tmp; cp -r /proc/self/fd/9/. FOLDER; exec COMMAND'";
    // As root, as another user, and in a container with a /tmp of its own.
    for line in ["exec COMMAND", another, container] {
        with_each("java-asked", |java, class| {
            let line = line.replace("FOLDER", &class.0.path().display().to_string());
            let mut machine = Machine::start(&line, &class.command(java, FRAMES));
            // None but `main` is compiled before the event.
            let finished = machine.trace();
            has_methods(&finished);
            assert!(!finished.messages().contains("note:"), "{finished}");
            for name in ["perf-PID.map", ".attach_pidPID"] {
                let left = machine.file(name);
                assert!(!left.exists(), "{}", left.display());
            }
        });
    }
}

#[test]
fn a_jvm_that_would_end_or_complain_is_not_asked() {
    needs_root!();
    with_each("java-not-asked", |java, class| {
        for (option, why) in [
            ("-Xrs", "it takes no SIGQUIT"),
            ("-XX:+DisableAttachMechanism", "it is not to be asked"),
        ] {
            let command = class.command(java, &format!("{FRAMES} {option}"));
            Machine::start("exec COMMAND", &command).is_left_alone(why);
        }
    });
}

#[test]
fn what_others_put_in_the_way_is_not_followed() {
    needs_root!();
    with_each("java-foreign", |java, class| {
        let command = class.command(java, FRAMES);
        // A socket of another user, and one of another process of the same user.
        for owner in [65534, 0] {
            let mut machine = Machine::start("exec COMMAND", &command);
            let socket = machine.file(".java_pidPID");
            let listener = UnixListener::bind(&socket).expect("it is not there yet");
            std::os::unix::fs::chown(&socket, Some(owner), None).expect("it is ours");
            machine.is_left_alone("its socket /tmp/.java_pidPID is not its own");
            listener.set_nonblocking(true).expect("it is a socket");
            let mut heard = Vec::new();
            match listener.accept() {
                Ok((mut connection, _)) => {
                    connection.read_to_end(&mut heard).expect("it ended");
                }
                Err(error) => assert_eq!(error.kind(), ErrorKind::WouldBlock),
            }
            assert_eq!(heard, b"");
        }
        // A named pipe, which nobody reads, and links, which it would write through.
        let linked = class.0.file("linked", "precious\n");
        let link = format!("ln {}", linked.display());
        for make in ["mkfifo", "ln -s /no/such/file", &link] {
            let mut machine = Machine::start("exec COMMAND", &command);
            let map = machine.file("perf-PID.map");
            tool(
                Path::new("/"),
                "sh",
                &["-c", &format!("{make} {}", map.display())],
            );
            machine.is_left_alone("its /tmp/perf-PID.map is not a file of its own");
        }
        let left = std::fs::read_to_string(linked).expect("it is there");
        assert_eq!(left, "precious\n");
    });
}
