//! Items: probes with their attach points, macros, `config` and the rest of what stands at the top of a script.

use pest::Parser;

use super::{ANY, Printer};
use crate::ast::*;
use crate::rule::{Rule, ScriptParser};

impl Printer {
    pub(super) fn item(&mut self, item: &Item) {
        match item {
            Item::Include(path) if path.node.starts_with('"') => {
                self.push("#include ");
                self.push(&path.node);
            }
            Item::Include(path) => {
                self.push("#include <");
                self.push(&path.node);
                self.push(">");
            }
            Item::Import(path) => {
                self.push("import ");
                self.string(path.node.as_bytes());
                self.push(";");
            }
            Item::Config(entries) => {
                self.push("config = {");
                self.indent += 1;
                for entry in entries {
                    self.newline();
                    self.push(&entry.name.node);
                    self.push(" = ");
                    self.config_value(&entry.value.node);
                    self.push(";");
                }
                self.indent -= 1;
                self.newline();
                self.push("}");
            }
            Item::Probe(probe) => self.probe(probe),
            Item::Macro(definition) => self.macro_item(definition),
            Item::MapDeclaration(declaration) => {
                let (name, kind) = (&declaration.name.node, &declaration.kind.node);
                self.push(&format!("let @{name} = {kind}("));
                self.list(&declaration.args);
                self.push(");");
            }
            Item::Declaration(declaration) => self.push(&declaration.text),
            Item::Unsupported(unsupported) => self.push(&unsupported.text),
        }
        self.out.push('\n');
    }

    fn config_value(&mut self, value: &str) {
        let word = value.strip_prefix('-').unwrap_or(value);
        if !word.is_empty() && word.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_') {
            self.push(value);
        } else {
            self.string(value.as_bytes());
        }
    }

    fn probe(&mut self, probe: &Probe) {
        for (i, point) in probe.attach_points.iter().enumerate() {
            if i > 0 {
                self.push(",\n");
            }
            for (i, part) in point.parts.iter().enumerate() {
                if i > 0 {
                    self.push(":");
                }
                self.part(&part.node, i == 0);
            }
        }
        if let Some(predicate) = &probe.predicate {
            self.push(" /");
            let start = self.out.len();
            self.expr(predicate, ANY);
            // `/*` would open a comment.
            if self.out[start..].starts_with(['*', '/']) {
                self.out.insert(start, ' ');
            }
            self.push("/");
        }
        self.push(" ");
        self.block(&probe.body);
    }

    fn macro_item(&mut self, definition: &Macro) {
        self.push("macro ");
        self.push(&definition.head());
        self.push(" ");
        self.body(&definition.body, definition.value.as_ref());
    }

    fn part(&mut self, part: &str, provider: bool) {
        if is_plain_part(part, provider) {
            self.push(part);
        } else {
            self.push("\"");
            for c in part.chars() {
                if matches!(c, '"' | '\\') {
                    self.out.push('\\');
                }
                self.out.push(c);
            }
            self.push("\"");
        }
    }
}

/// True if a part of an attach point reads back without quotes.
fn is_plain_part(part: &str, provider: bool) -> bool {
    let rule = if provider { Rule::provider } else { Rule::part };
    if part.contains('"') || provider && part.is_empty() {
        return false;
    }
    // A slash is read by what follows, so it needs quotes unless the part is a path.
    (!part.contains('/') || part.starts_with(['/', '.', '~']))
        && ScriptParser::parse(rule, part).is_ok_and(|pairs| pairs.as_str().len() == part.len())
}
