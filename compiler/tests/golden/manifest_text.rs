//! The manifest as text: what the checker found out, as the runtime is told. What the IR shows too (sizes of records,
//! symbols) is left out.

use pfscript_compiler::manifest::{
    Attach, Conversion, DataType, Field, FormatPiece, Layout, Manifest, MapValue, Member,
    PerfScope, Purpose, RecordKind, Sample, Then,
};
use pfscript_probes::abi::RECORD_HEADER;

/// Probes with their attach points, maps, and actions.
pub fn print(manifest: &Manifest) -> String {
    let mut lines = Vec::new();
    for probe in manifest.probes.values() {
        let rows = match probe.rows {
            Some(first) => format!(", sites from row {first}"),
            None => String::new(),
        };
        lines.push(format!("probe {} as {:?}{rows}", probe.name, probe.kind));
        lines.extend(probe.points().map(|point| format!("    {}", attach(point))));
    }
    for map in &manifest.maps {
        let twice = match map.generations {
            Some(_) => ", there twice",
            None => "",
        };
        lines.push(format!("map {} of {}{twice}", map.name, map.capacity));
        lines.extend(map.key.iter().map(|key| format!("    key {}", layout(key))));
        lines.push(format!("    value {}", map_value(&map.value)));
    }
    if manifest.renews_stacks {
        lines.push("stacks that nothing holds are given up".into());
    }
    for what in &manifest.records {
        lines.push(format!("action {}", action(what, manifest)));
    }
    lines.join("\n") + "\n"
}

fn attach(point: &Attach) -> String {
    match point {
        Attach::Begin => "once, before the others".into(),
        Attach::End => "once, after the others".into(),
        Attach::Signal { number } => format!("at signal {number} to the tracer"),
        Attach::Asked { mode, name } => format!("as {mode:?} {name}"),
        Attach::PerfEvent(event) => {
            let (kind, config) = (event.event_type, event.config);
            let sample = match event.sample {
                Sample::Period(events) => format!("every {events}"),
                Sample::Frequency(times) => format!("{times} times a second"),
            };
            let scope = match event.scope {
                PerfScope::EveryCpu => "on every CPU",
                PerfScope::OneCpu => "on one CPU",
            };
            format!("perf event {kind}:{config}, {sample}, {scope}")
        }
        Attach::Tracepoint { category, name } => format!("tracepoint {category}:{name}"),
        Attach::RawTracepoint { name } => format!("raw tracepoint {name}"),
        Attach::Uprobe {
            path,
            offset,
            counter: _,
            on_return,
        } => format!(
            "{} {}:{offset:#x}",
            if *on_return { "uretprobe" } else { "uprobe" },
            path.display()
        ),
        Attach::Kprobe {
            function,
            offset,
            on_return,
        } => {
            let kind = if *on_return { "kretprobe" } else { "kprobe" };
            format!("{kind} {function}+{offset}")
        }
    }
}

/// A type, and the bytes that it takes where they are not those of the type.
fn layout(layout: &Layout) -> String {
    let (text, size) = match &layout.ty {
        DataType::Int {
            bytes,
            signed,
            names,
        } => {
            let sign = if *signed { "" } else { "u" };
            let names = names.as_ref().map_or(String::new(), |all| {
                format!(" with {} names", all.names.len())
            });
            (format!("{sign}int{}{names}", bytes * 8), *bytes)
        }
        DataType::Bool => ("bool".into(), 1),
        DataType::Pointer => ("pointer".into(), 8),
        DataType::String => (format!("string[{}]", layout.size), layout.size),
        DataType::Chars => (format!("char[{}]", layout.size), layout.size),
        DataType::Literal => (format!("literal[{}]", layout.size), layout.size),
        DataType::Buffer(holds) => (
            format!("{holds:?}[{}]", layout.size - 8).to_lowercase(),
            layout.size,
        ),
        DataType::Named(naming) => (format!("{naming:?}").to_lowercase(), 8),
        DataType::Tuple(parts) => (format!("({})", fields(parts, 0)), layout.size),
        DataType::Array { element, count } => (
            format!("{}[{count}]", self::layout(element)),
            element.size * count,
        ),
        DataType::Record(parts) => {
            let parts: Vec<String> = parts.iter().map(member).collect();
            (format!("{{ {} }}", parts.join(", ")), layout.size)
        }
        DataType::Stack { user, mode, depth } => {
            let kind = if *user { "ustack" } else { "kstack" };
            let mode = format!("{mode:?}").to_lowercase();
            (format!("{kind}({mode}, {depth})"), 8)
        }
        DataType::KernelSymbol => ("ksym".into(), 8),
        DataType::UserSymbol => ("usym".into(), 16),
        DataType::Absent => ("absent".into(), layout.size),
    };
    if size == layout.size {
        text
    } else {
        format!("{text} in {} bytes", layout.size)
    }
}

/// A member, and where it is.
fn member(member: &Member) -> String {
    let bits = match member.bits {
        Some(bits) => format!(" bits {}+{}", bits.shift, bits.count),
        None => String::new(),
    };
    format!(
        "{}: {} at {}{bits}",
        member.name,
        layout(&member.field.layout),
        member.field.offset
    )
}

/// Fields, and where they are if not one after another from `start`.
fn fields(fields: &[Field], start: u32) -> String {
    let mut end = start;
    let mut out = Vec::new();
    for field in fields {
        let text = layout(&field.layout);
        out.push(if field.offset == end {
            text
        } else {
            format!("{text} at {}", field.offset)
        });
        end = field.offset + field.layout.size;
    }
    out.join(", ")
}

fn map_value(value: &MapValue) -> String {
    let number = |signed: bool| if signed { "int64" } else { "uint64" };
    match value {
        MapValue::Scalar(value) => layout(value),
        MapValue::Count => "count".into(),
        MapValue::Sum { signed } => format!("sum of {}", number(*signed)),
        MapValue::Avg { signed } => format!("avg of {}", number(*signed)),
        MapValue::Stats { signed } => format!("stats of {}", number(*signed)),
        MapValue::Min { signed } => format!("min of {}", number(*signed)),
        MapValue::Max { signed } => format!("max of {}", number(*signed)),
        MapValue::Hist { bits } => format!("hist of {bits} bits"),
        MapValue::LHist { min, max, step } => format!("lhist from {min} to {max} by {step}"),
        MapValue::Series {
            fold,
            interval,
            intervals,
            signed,
        } => format!(
            "tseries of {intervals} times {interval} ns: {fold:?} of {}",
            number(*signed)
        ),
    }
}

fn action(action: &RecordKind, manifest: &Manifest) -> String {
    let map = |index: usize| manifest.maps[index].name.as_str();
    match action {
        RecordKind::Printf {
            pieces,
            fields,
            purpose,
            ..
        } => {
            let format: String = pieces.iter().map(piece).collect();
            let values = self::fields(fields, RECORD_HEADER);
            let name = match purpose {
                Purpose::Print => "printf",
                Purpose::Cat { .. } => "cat",
                Purpose::System => "system",
                Purpose::Join => "join",
                Purpose::Warning(_) => "warnf",
                Purpose::Error(_) => "errorf",
            };
            format!("{name} \"{format}\" ({values})")
        }
        RecordKind::PrintValue { field, .. } => {
            format!(
                "print {}",
                fields(std::slice::from_ref(field), RECORD_HEADER)
            )
        }
        RecordKind::Resident { change, fields, .. } => {
            format!(
                "resident {change:?} {}",
                self::fields(fields, RECORD_HEADER)
            )
        }
        RecordKind::PrintMap {
            map: index,
            top,
            divisor,
            then,
        } => {
            let then = match then {
                Then::Keep => "",
                Then::Clear => ", then clear it",
                Then::Zero => ", then zero it",
            };
            format!(
                "print {}, top {top}, divided by {divisor}{then}",
                map(*index)
            )
        }
        RecordKind::ClearMap { map: index } => format!("clear {}", map(*index)),
        RecordKind::ZeroMap { map: index } => format!("zero {}", map(*index)),
        RecordKind::Several(kinds) => {
            let kinds: Vec<String> = kinds
                .iter()
                .map(|kind| self::action(kind, manifest))
                .collect();
            kinds.join("; ")
        }
        RecordKind::Time { format } => format!("time \"{}\"", format.escape_debug()),
        RecordKind::Memory { top, cgroup } => {
            format!("memory, top {top}, of \"{}\"", cgroup.escape_debug())
        }
        RecordKind::Exit => "exit".into(),
    }
}

/// A piece of a format, as a script would write it.
fn piece(piece: &FormatPiece) -> String {
    match piece {
        FormatPiece::Text(text) => text.escape_ascii().to_string().replace('%', "%%"),
        FormatPiece::Conversion(conversion) => self::conversion(conversion),
    }
}

fn conversion(conversion: &Conversion) -> String {
    let mut out = String::from("%");
    for (set, flag) in [
        (conversion.left, '-'),
        (conversion.zero, '0'),
        (conversion.plus, '+'),
        (conversion.space, ' '),
        (conversion.alternate, '#'),
    ] {
        out.extend(set.then_some(flag));
    }
    if let Some(width) = conversion.width {
        out += &width.to_string();
    }
    if let Some(precision) = conversion.precision {
        out += &format!(".{precision}");
    }
    out += match conversion.length {
        None => "",
        Some(1) => "hh",
        Some(2) => "h",
        Some(_) => "l",
    };
    out.push(conversion.kind as char);
    out
}
