//! `uprobe` and `uretprobe`: counts, arguments, results and names are those of the traced program, in script order, for the
//! processes that are asked for; and mistakes are answered with the place.

mod support;

use pfscript_testkit::needs_root;
use support::tools::tool;
use support::{Finished, Report, Scratch, Tracer, count, rows, workload};

const CALLS: i64 = 50;

fn trace(script: &str) -> (String, Report) {
    support::trace_workload(script, "functions", CALLS)
}

#[test]
fn arguments_and_results_are_those_of_the_calls() {
    needs_root!();
    let (out, report) = trace(
        r#"uprobe:FILE:twice /pid == cpid/ { @given = sum(arg0); @calls[func, probe == "uprobe:FILE:twice"] = count(); }
        uretprobe:FILE:twice /pid == cpid/ { @got = sum(retval); }
        u:FILE:ninth /pid == cpid/ { @ninth[arg0, arg5, arg6, arg8] = count(); @stack[sarg0, sarg2] = count(); }
        uprobe:FILE:letters /pid == cpid/ { @text[str(arg0)] = count(); }
        ur:FILE:letters /pid == cpid/ { @letters[retval] = count(); }"#,
    );
    let calls = report.get("calls") as i64;
    assert_eq!(calls, CALLS);
    let sum = calls * (calls - 1) / 2;
    assert!(out.contains(&format!("@given: {sum}\n")), "{out}");
    assert!(out.contains(&format!("@got: {}\n", 2 * sum)), "{out}");
    assert_eq!(count(&out, "ninth", "1, 6, 7, 900"), calls);
    // On x86-64, six arguments are in registers, and on arm64 eight.
    let on_stack = if cfg!(target_arch = "x86_64") {
        "7, 900"
    } else {
        "900, "
    };
    assert!(
        rows(&out, "stack")
            .iter()
            .any(|(key, n)| key.starts_with(on_stack) && *n == calls),
        "{out}"
    );
    assert_eq!(count(&out, "text", "seventeen letters"), calls);
    assert_eq!(count(&out, "letters", "17"), calls);
    let named = rows(&out, "calls");
    assert_eq!(named.len(), 1, "{out}");
    assert!(named[0].0.starts_with("twice, "), "{out}");
    assert!(
        !named[0].0.ends_with("false") && !named[0].0.ends_with(" 0"),
        "{out}"
    );
}

#[test]
fn a_wildcard_names_each_function() {
    needs_root!();
    let (out, _) = trace("uprobe:FILE:[tnl]* /pid == cpid/ { @[func] = count(); }");
    for function in ["twice", "ninth", "letters"] {
        assert_eq!(count(&out, "", function), CALLS, "{out}");
    }
}

#[test]
fn probes_on_one_function_run_in_the_order_of_the_script() {
    needs_root!();
    for probe in ["uprobe", "uretprobe"] {
        let (out, _) = trace(&format!(
            "{probe}:FILE:twice /pid == cpid/ {{ $x = 1; @o[tid] = $x; }}
            {probe}:FILE:twice /pid == cpid/ {{ @o[tid] = @o[tid] * 10 + 2; }}
            {probe}:FILE:twice /pid == cpid/ {{ @seen[@o[tid] * 10 + 3] = count(); }} END {{ clear(@o); }}"
        ));
        assert_eq!(rows(&out, "seen"), [("123".to_owned(), CALLS)], "{out}");
    }
}

/// A library by its name; and a stack begins with the function that was entered, though it has no frame yet.
#[test]
fn libraries_are_found_by_name_and_stacks_begin_with_the_function() {
    needs_root!();
    let (out, _) = trace(
        "uprobe:libc:getpid /pid == cpid/ { @library[func] = count(); }
        uprobe:FILE:letters /pid == cpid/ { @stack[ustack(2)] = count(); }",
    );
    assert_eq!(count(&out, "library", "getpid"), 1);
    let frames: Vec<&str> = out
        .lines()
        .skip_while(|line| !line.starts_with("@stack["))
        .skip(1)
        .map(str::trim)
        .collect();
    assert!(frames[0].starts_with("letters+0"), "{out}");
    assert!(frames[1].starts_with("main+"), "{out}");
}

/// With `-p`, other processes that run the same code count for nothing.
#[test]
fn one_process_alone_is_traced() {
    needs_root!();
    let program = workload("functions");
    let script =
        format!("uprobe:{program}:twice {{ @[pid] = count(); }} interval:ms:300 {{ exit(); }}");
    let own = std::process::id().to_string();
    let tracer = Tracer::script(&script)
        .args(["-p", &own])
        .start()
        .attached();
    let output = std::process::Command::new(&program).arg("5").output();
    assert!(output.unwrap().status.success());
    let finished = tracer.finish();
    let out = String::from_utf8_lossy(&finished.expect(0).out).into_owned();
    assert_eq!(rows(&out, ""), [], "{out}");
}

fn refused(script: &str) -> String {
    let program = workload("functions");
    let finished: Finished = Tracer::script(&script.replace("FILE", &program)).run();
    assert_ne!(finished.status.code(), Some(0));
    String::from_utf8_lossy(&finished.err).into_owned()
}

#[test]
fn mistakes_are_answered_with_what_to_try() {
    needs_root!();
    for (script, words) in [
        (
            "uprobe:FILE:twicce { }",
            &["is called `twicce`", "did you mean `twice`"][..],
        ),
        (
            "uprobe:FILE:no_such_* { }",
            &["no function of", "no_such_*"],
        ),
        (
            "uprobe:/no/such/file:main { }",
            &["there is no program or shared library"],
        ),
        (
            "uprobe:FILE:twice+100000 { }",
            &["behind the end of `twice`"],
        ),
        (
            "uprobe:FILE:0xfffffffff { }",
            &["has no code at address 0xfffffffff"],
        ),
        (
            "uretprobe:FILE:twice+1 { }",
            &["a return probe takes no offset"],
        ),
        ("uprobe:/etc/passwd:main { }", &["not an ELF file"]),
        ("uprobe:FILE { }", &["needs a function name"]),
    ] {
        let err = refused(script);
        for word in words {
            assert!(err.contains(word), "{script}: {err}");
        }
        assert!(err.contains('^'), "{script}: {err}");
    }
}

#[test]
fn functions_of_a_file_are_listed() {
    let program = workload("functions");
    let finished = Tracer::new(["-l", &format!("uprobe:{program}:t*")]).run();
    let out = String::from_utf8_lossy(&finished.expect(0).out).into_owned();
    assert!(
        out.lines()
            .any(|line| line == format!("uprobe:{program}:twice")),
        "{out}"
    );
    assert!(!out.contains(":letters"), "{out}");
}

/// In a program that is always at one address, in one that may be anywhere, and in a library; of each size.
#[test]
fn variables_of_the_probed_file_are_found_by_name() {
    needs_root!();
    const TEXT: &str = "unsigned char small = 0x77; unsigned short middle = 0x6666; static unsigned int number = 0x55555555; \
                        unsigned long large = 0x4444444444444444; __attribute__((noinline)) int probed(void) { return number; }";
    let scratch = Scratch::new("variables");
    let library = scratch.compiled("libvariables.so", TEXT);
    let main = format!("{TEXT} int main(void) {{ return !probed(); }}");
    let program = scratch.compiled("variables", &main);
    let loads = scratch.compiled(
        "loads",
        format!(
            "#include <dlfcn.h>\nint main(void) {{ void *l = dlopen(\"{}\", RTLD_NOW); int (*f)(void) = l ? dlsym(l, \"probed\") : 0; return !f || !f(); }}",
            library.display()
        ),
    );
    for (file, command) in [(&program, &program), (&library, &loads)] {
        let (file, command) = (file.display(), command.display().to_string());
        let script = format!(
            "uprobe:{file}:probed {{ printf(\"%x %x %x %lx\\n\", *uaddr(\"small\"), *uaddr(\"middle\"), *uaddr(\"number\"), *uaddr(\"large\")); }}"
        );
        let finished = Tracer::new(["-c", &command, "-e", &script])
            .run()
            .lossless();
        let line = "77 6666 55555555 4444444444444444\n";
        assert!(finished.text().contains(line), "{finished}");
    }
    let script = format!(
        "uprobe:{}:probed {{ uaddr(\"none\"); uaddr(\"probed\"); }} uretprobe:{}:probed {{ uaddr(\"small\"); }} BEGIN {{ uaddr(\"small\"); }}",
        program.display(),
        library.display()
    );
    Tracer::script(&script).run().refuses(&[
        "has no variable `none`",
        "has no variable `probed`",
        "not available where a function of this file returns",
        "not available in `begin`",
    ]);
}

/// Where the kernel can (Linux 6.6), all functions of a file are attached by one call, and detached so.
#[test]
fn functions_of_a_file_are_attached_together() {
    needs_root!();
    let info = Tracer::new(["--info"]).run().ok();
    let mut lines = info.text().lines();
    if !lines.any(|line| line.trim() == "uprobe_multi: yes") {
        println!("skip: this kernel has no uprobe.multi links");
        return;
    }
    let script = "uprobe:libc:mem* { @[probe] = count(); }";
    let tracer = Tracer::script(script).start().attached();
    let folder = format!("/proc/{}/fd", tracer.pid());
    let open = std::fs::read_dir(folder).expect("it runs");
    let names = open.filter_map(|entry| std::fs::read_link(entry.ok()?.path()).ok());
    let kinds: Vec<String> = names
        .map(|name| name.to_string_lossy().into_owned())
        .collect();
    let count = |kind: &str| kinds.iter().filter(|name| name.contains(kind)).count();
    assert_eq!(
        (count("bpf_link"), count("perf_event")),
        (1, 0),
        "{kinds:?}"
    );
    tracer.interrupt();
    tracer.finish().ok();
}

const CPP: &str = "namespace ns {
struct A {
    int add(int x);
    int add(double x);
    template <class T> T twice(T x);
};
__attribute__((noinline)) int A::add(int x) { asm volatile(\"\"); return x + 1; }
__attribute__((noinline)) int A::add(double x) { asm volatile(\"\"); return (int)x; }
template <class T> __attribute__((noinline)) T A::twice(T x) { asm volatile(\"\"); return 2 * x; }
}
int main()
{
    ns::A a;
    int sum = 0;
    for (int i = 0; i < 5; i++)
        sum += a.add(i);
    sum += a.add(1.5) + a.twice(3) + (int)a.twice(2.0);
    return sum == 0;
}
";

const RUST: &str = "mod cache {
    #[inline(never)]
    pub fn add(x: u64) -> u64 { std::hint::black_box(x) + 1 }
}
fn main() {
    let sum: u64 = (0..5).map(cache::add).sum();
    std::process::exit((sum == 0) as i32);
}
";

#[test]
fn functions_of_cpp_and_rust_are_found_by_their_names() {
    needs_root!();
    let scratch = Scratch::new("readable");
    let folder = scratch.path();
    for (variable, default, file, source) in [
        ("CXX", "c++", "first.cc", CPP),
        ("RUSTC", "rustc", "second.rs", RUST),
    ] {
        let source = scratch.file(file, source);
        let compiler = std::env::var(variable).unwrap_or_else(|_| default.to_owned());
        let program = source.with_extension("");
        let words = ["-O1", "-C", "opt-level=1"];
        let words = if variable == "CXX" {
            &words[..1]
        } else {
            &words[1..]
        };
        let mut words: Vec<&std::ffi::OsStr> = words.iter().map(|word| word.as_ref()).collect();
        words.extend([source.as_os_str(), "-o".as_ref(), program.as_os_str()]);
        tool(folder, &compiler, &words);
    }
    // How often they are called, by name: with all that a function takes, without, by a pattern, and of templates.
    for (probe, calls) in [
        ("uprobe:FOLDER/first:cpp:\"ns::A::add(int)\"", 5),
        ("uprobe:FOLDER/first:cpp:\"ns::A::add\"", 6),
        ("uprobe:FOLDER/first:cpp:\"ns::A::add(*\"", 6),
        ("uprobe:FOLDER/first:cpp:*twice*", 2),
        ("uprobe:FOLDER/first:cpp:\"ns::A::twice<int>\"", 1),
        ("uretprobe:FOLDER/first:cpp:\"ns::A::add(double)\"", 1),
        ("uprobe:FOLDER/first:cpp:main", 1),
        ("uprobe:FOLDER/second:rust:\"second::cache::add\"", 5),
    ] {
        let probe = probe.replace("FOLDER", &folder.display().to_string());
        let program = if probe.contains("/first") {
            "first"
        } else {
            "second"
        };
        let command = folder.join(program).display().to_string();
        let script = format!("{probe} {{ @ = count(); }}");
        let finished = Tracer::new(["-q", "-e", &script, "-c", &command])
            .run()
            .lossless();
        assert!(
            finished.text().contains(&format!("@: {calls}\n")),
            "{finished}"
        );
    }
    let file = folder.join("first").display().to_string();
    Tracer::script(&format!(
        "uprobe:{file}:cpp:\"ns::A::sub\" {{ }} uprobe:{file}:go:main {{ }}"
    ))
    .run()
    .refuses(&[
        "is called `ns::A::sub`",
        "there is no language `go` of functions",
    ]);
}
