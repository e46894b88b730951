//! Settings of `config` blocks and the environment: each does what it says, is warned of, or is refused with the reason.

use pfscript_compiler::manifest::{DataType, StackMode};
use pfscript_compiler::recorded::RecordedFacts;
use pfscript_compiler::{Compiled, Limits, MissingProbes, Options, SETTINGS, compile};
use pfscript_grammar::{parse, render};

fn build(source: &str, limits: Limits) -> Result<Compiled, String> {
    let facts = RecordedFacts::linux_6_18();
    let options = Options {
        limits,
        ..Options::default()
    };
    parse(source)
        .and_then(|script| compile(&script, "t", source, &facts, &options))
        .map_err(|errors| render(&errors, "t", source, false))
}

fn with(config: &str, script: &str) -> Result<Compiled, String> {
    build(
        &format!("config = {{ {config} }}\n{script}"),
        Limits::default(),
    )
}

fn warnings(config: &str) -> String {
    let compiled = with(config, "BEGIN { }").unwrap_or_else(|error| panic!("{error}"));
    let messages = compiled.warnings.iter();
    let messages: Vec<&str> = messages.map(|warning| warning.message.as_str()).collect();
    messages.join("\n")
}

#[track_caller]
fn refused(config: &str, script: &str, words: &str) {
    let error = with(config, script).expect_err(config);
    assert!(
        error.contains(words) && error.contains('^'),
        "{config}: {error}"
    );
}

#[test]
fn maps_are_printed_at_the_end_unless_the_script_says_otherwise() {
    for (config, silent) in [
        ("", false),
        ("print_maps_on_exit = 1", false),
        ("print_maps_on_exit = true", false),
        ("print_maps_on_exit = 0", true),
        ("print_maps_on_exit = false", true),
    ] {
        let compiled = with(config, "BEGIN { @ = 1 }").unwrap();
        assert_eq!(compiled.object.manifest.silent_maps, silent, "{config}");
    }
    refused(
        "print_maps_on_exit = yes",
        "BEGIN { }",
        "true, false, 1 or 0, found `yes`",
    );
}

#[test]
fn stacks_without_a_mode_have_that_of_the_setting() {
    let modes = |config: &str| -> Vec<StackMode> {
        let script = "profile:hz:99 { @[kstack, ustack(3), kstack(raw)] = count() }";
        let compiled = with(config, script).unwrap_or_else(|error| panic!("{error}"));
        let key = compiled.object.manifest.maps[0].key.clone().unwrap();
        let DataType::Tuple(fields) = key.ty else {
            panic!("three keys are a tuple: {key:?}");
        };
        let modes = fields.iter().map(|field| match field.layout.ty {
            DataType::Stack { mode, .. } => mode,
            ref other => panic!("{other:?} is no stack"),
        });
        modes.collect()
    };
    use StackMode::{Bpftrace, BuildId, Perf, Raw};
    assert_eq!(modes(""), [Bpftrace, Bpftrace, Raw]);
    assert_eq!(modes("stack_mode = perf"), [Perf, Perf, Raw]);
    assert_eq!(modes("stack_mode = \"raw\""), [Raw, Raw, Raw]);
    assert_eq!(modes("stack_mode = build_id"), [Bpftrace, BuildId, Raw]);
    refused(
        "stack_mode = buildid",
        "BEGIN { }",
        "expected bpftrace, perf, raw, build_id, found `buildid`",
    );
    refused("", "BEGIN { print(kstack(build_id)) }", "has no build ids");
}

#[test]
fn attach_points_that_match_nothing_are_what_the_setting_says() {
    let script = "tracepoint:sched:no_such_thing, BEGIN { @ = 1 } tracepoint:no:thing { @++ }";
    refused("", script, "no_such_thing");
    refused("missing_probes = error", script, "no_such_thing");
    let warned = with("missing_probes = warn", script).unwrap();
    assert_eq!(warned.warnings.len(), 2, "{:?}", warned.warnings);
    assert_eq!(warned.object.manifest.probes.len(), 1);
    let ignored = with("missing_probes = ignore", script).unwrap();
    assert!(ignored.warnings.is_empty(), "{:?}", ignored.warnings);
    assert_eq!(ignored.object.manifest.probes.len(), 1);
    // What they would have assigned is not there.
    let reads =
        "BEGIN /@n/ { printf(\"%s\", @s[1]); @x[@s[1]] = count(); print(@h); delete(@s, 1); }";
    let script = format!("tracepoint:no:thing {{ @s[1] = comm; @h[1] = hist(1); @n = 1 }} {reads}");
    assert!(with("missing_probes = ignore", &script).is_ok());
    refused("missing_probes = ignore", reads, "never assigned");
    // What is misspelt is no missing probe, and nothing at all is no script.
    refused("missing_probes = ignore", "tracepint:a:b { }", "tracepint");
    refused(
        "missing_probes = ignore",
        "tracepoint:no:thing { }",
        "matches anything",
    );
    refused(
        "missing_probes = maybe",
        "BEGIN { }",
        "expected error, warn, ignore",
    );
}

#[test]
fn attach_points_and_programs_are_bounded() {
    let two = "BEGIN { } interval:s:1 { }";
    assert!(with("max_probes = 2; max_bpf_progs = 2", two).is_ok());
    refused(
        "max_probes = 1",
        two,
        "has 2 attach points; max_probes is 1",
    );
    refused("max_bpf_progs = 1", two, "needs 2 programs; the limit is 1");
    refused("max_probes = 0", two, "must be at least 1");
    refused(
        "max_bpf_progs = 4294967296",
        two,
        "must be at least 1 and fit 32 bits",
    );
}

#[test]
fn settings_that_change_nothing_here_are_warned_of() {
    for config in [
        "license = GPL",
        "license = \"Dual BSD/GPL\"",
        "on_stack_limit = 32",
        "log_size = 1000000",
        "cache_user_symbols = PER_PID",
        "lazy_symbolication = true",
        "lazy_symbolication = 0",
        "use_blazesym = 1",
        "max_ast_nodes = 1000",
        "max_type_res_iterations = 3",
        "symbol_source = dwarf",
        "unstable_import = enable",
        "unstable_macro = 1",
        "unstable_map_decl = warn",
        "unstable_tseries = error",
    ] {
        let name = config.split(' ').next().unwrap();
        let said = warnings(config);
        assert!(
            said.starts_with(&format!("{name} has no effect: ")),
            "{config}: {said}"
        );
    }
    for (config, words) in [
        ("license = \"MIT\"", "expected GPL, GPL v2"),
        ("on_stack_limit = big", "expected a number"),
        ("cache_user_symbols = SOME", "expected PER_PID"),
        ("lazy_symbolication = q", "true, false, 1 or 0"),
        ("dummy_ts_map = time", "expected a map"),
        ("dummy_ts_map = \"@a b\"", "expected a map"),
    ] {
        refused(config, "BEGIN { }", words);
    }
}

#[test]
fn settings_for_what_is_not_there_are_refused_with_the_reason() {
    for (config, words) in [
        (
            "cpp_demangle = 0",
            "can only be true: names are always demangled",
        ),
        ("max_strlen = 16377", "between 1 and 16376"),
    ] {
        refused(config, "BEGIN { }", words);
    }
    for config in [
        "cpp_demangle = true",
        "show_debug_info = false",
        "jvm_map = true",
        "show_debug_info = true",
        "str_trunc_trailer = \"\"",
        "str_trunc_trailer = \"~\"; max_strlen = 5",
    ] {
        assert_eq!(warnings(config), "", "{config}");
    }
    refused("max_strln = 8", "BEGIN { }", "did you mean `max_strlen`?");
}

#[test]
fn every_setting_answers_to_every_value() {
    for setting in SETTINGS {
        let mut limits = Limits::default();
        let mut effects = 0;
        for value in [
            "0",
            "1",
            "8",
            "true",
            "raw",
            "ignore",
            "total",
            "GPL",
            "@time",
            "",
            "-1",
            "99999999999999999999",
        ] {
            let before = limits.clone();
            match setting.set(setting.name, value, &mut limits) {
                Ok(None) => effects += 1,
                Ok(Some(warning)) => assert!(warning.contains(setting.name), "{warning}"),
                Err(error) => {
                    assert!(!error.is_empty());
                    assert_eq!(limits, before, "{} = {value}", setting.name);
                }
            }
        }
        assert!(
            !setting.has_effect() || effects > 0,
            "{} takes no value",
            setting.name
        );
    }
    assert_eq!(Limits::default().missing_probes, MissingProbes::Error);
}

/// `config = { BPFTRACE_STACK_MODE = raw }` says what the environment would; and what that really says counts.
#[test]
fn settings_have_their_names_of_the_environment_too_and_that_comes_first() {
    let script = "BEGIN { @ = ustack; }";
    let mode = |config: &str, set: &[&'static str]| {
        let source = format!("config = {{ {config} }} {script}");
        let facts = RecordedFacts::linux_6_18();
        let options = Options {
            limits: Limits {
                stack_mode: StackMode::Perf,
                ..Limits::default()
            },
            set_outside: set.iter().copied().collect(),
            ..Options::default()
        };
        let compiled = parse(&source)
            .and_then(|script| compile(&script, "t", &source, &facts, &options))
            .unwrap_or_else(|errors| panic!("{}", render(&errors, "t", &source, false)));
        let map = &compiled.object.manifest.maps[0];
        format!("{:?}", map.value)
    };
    for name in ["stack_mode", "BPFTRACE_STACK_MODE", "PFSCRIPT_STACK_MODE"] {
        let config = format!("{name} = raw");
        assert!(mode(&config, &[]).contains("Raw"), "{config}");
        assert!(mode(&config, &["stack_mode"]).contains("Perf"), "{config}");
        assert!(mode(&config, &["max_strlen"]).contains("Raw"), "{config}");
    }
    refused("bpftrace_stack_mode = raw", script, "unknown setting");
    refused("BPFTRACE_STACK_MODES = raw", script, "unknown setting");
}
