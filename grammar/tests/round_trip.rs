//! `parse(format(tree)) == tree`, for the golden scripts and for generated ones, and the places that the tree names.

mod support;

use pfscript_grammar::ast::*;
use pfscript_grammar::format::format_expr;
use pfscript_grammar::{dump, format, parse, render};
use support::Random;

fn check(source: &str) {
    let script = parse(source)
        .unwrap_or_else(|errors| panic!("{}\n{source}", render(&errors, "-", source, false)));
    let text = format(&script);
    let again = parse(&text)
        .unwrap_or_else(|errors| panic!("{}\nof\n{source}", render(&errors, "-", &text, false)));
    assert!(
        again == script,
        "{source}\nbecame\n{text}\n{}\nrather than\n{}",
        dump(&again),
        dump(&script)
    );
    assert_eq!(format(&again), text, "formatting is not stable");
    for probe in script.probes() {
        for expr in probe.predicate.iter() {
            places(expr, source);
        }
        places_in(&probe.body, source);
    }
    for definition in script.macros() {
        assert_eq!(&source[definition.name.span.range()], definition.name.node);
        for param in &definition.params {
            assert_eq!(&source[param.span.range()], param.node.to_string());
        }
        // What `#define` names is an expression alone.
        if source[definition.span.range()].starts_with("macro") {
            places_in(&definition.body, source);
        }
        definition
            .value
            .iter()
            .for_each(|value| places(value, source));
    }
}

/// The text at an expression's span is that expression.
fn places(expr: &Expr, source: &str) {
    let text = &source[expr.span.range()];
    // The keyword of `comptime if` stands before the `if`, so each condition has its own place.
    if let ExprKind::Comptime(value) = &expr.kind
        && !text.starts_with("comptime")
    {
        return places(value, source);
    }
    let script = parse(&format!("BEGIN {{ return ({text}); }}"))
        .unwrap_or_else(|_| panic!("the span holds {text:?} for {:?}", expr.kind));
    let Some(StmtKind::Return(Some(alone))) = script
        .probes()
        .next()
        .and_then(|probe| probe.body.statements.first())
        .map(|statement| &statement.kind)
    else {
        panic!("the span holds {text:?} for {:?}", expr.kind);
    };
    assert_eq!(format_expr(alone), format_expr(expr), "at {text:?}");
    match &expr.kind {
        ExprKind::Unary { operand, .. }
        | ExprKind::Cast { operand, .. }
        | ExprKind::Comptime(operand) => places(operand, source),
        ExprKind::IncDec { target, .. } => places(target, source),
        ExprKind::Binary { first, rest } => {
            places(first, source);
            rest.iter().for_each(|(_, operand)| places(operand, source));
        }
        ExprKind::Ternary {
            condition,
            then,
            otherwise,
        } => {
            places(condition, source);
            then.iter().for_each(|then| places(then, source));
            places(otherwise, source);
        }
        ExprKind::Field { base, name, .. } => {
            assert_eq!(&source[name.span.range()], name.node);
            places(base, source);
        }
        ExprKind::TupleField { base, index } => {
            assert_eq!(
                source[index.span.range()].parse::<u32>().unwrap(),
                index.node
            );
            places(base, source);
        }
        ExprKind::Index { base, index } => {
            places(base, source);
            places(index, source);
        }
        ExprKind::Call { name, args } => {
            assert_eq!(&source[name.span.range()], name.node);
            args.iter().for_each(|arg| places(arg, source));
        }
        ExprKind::Map {
            keys: Some(keys), ..
        } => keys.iter().for_each(|key| places(key, source)),
        ExprKind::Tuple(fields) => fields.iter().for_each(|field| places(field, source)),
        ExprKind::Block { body, value } => {
            // In parentheses, the place is that of these.
            if text.starts_with('{') {
                assert_eq!(body.span, expr.span);
            }
            places_in(body, source);
            value.iter().for_each(|value| places(value, source));
        }
        ExprKind::If { arms, otherwise } => {
            for (condition, then) in arms {
                places(condition, source);
                places(then, source);
            }
            otherwise.iter().for_each(|value| places(value, source));
        }
        _ => {}
    }
}

fn places_in(block: &Block, source: &str) {
    assert!(source[block.span.range()].starts_with('{'));
    assert!(source[block.span.range()].ends_with('}'));
    for statement in &block.statements {
        let text = &source[statement.span.range()];
        assert_eq!(text.trim(), text, "blanks belong to {:?}", statement.kind);
        assert!(!text.ends_with(';'), "{text:?}");
        match &statement.kind {
            StmtKind::Expr(expr) | StmtKind::Return(Some(expr)) => places(expr, source),
            StmtKind::Assign { target, value, .. } => {
                places(target, source);
                places(value, source);
            }
            StmtKind::Let { name, value, .. } => {
                assert_eq!(source[name.span.range()], format!("${}", name.node));
                value.iter().for_each(|value| places(value, source));
            }
            StmtKind::If { arms, otherwise } => {
                for (condition, then) in arms {
                    places(condition, source);
                    places_in(then, source);
                }
                otherwise.iter().for_each(|block| places_in(block, source));
            }
            StmtKind::While {
                condition: head,
                body,
            }
            | StmtKind::Unroll { count: head, body } => {
                places(head, source);
                places_in(body, source);
            }
            StmtKind::For { name, over, body } => {
                assert_eq!(source[name.span.range()], format!("${}", name.node));
                match over {
                    Iterated::Elements(map) => places(map, source),
                    Iterated::Range(first, end) => {
                        places(first, source);
                        places(end, source);
                    }
                }
                places_in(body, source);
            }
            StmtKind::Break => assert_eq!(text, "break"),
            StmtKind::Continue => assert_eq!(text, "continue"),
            StmtKind::Block(block) => places_in(block, source),
            StmtKind::Unsupported(unsupported) => assert_eq!(text, unsupported.text),
            StmtKind::Return(None) => {}
        }
    }
}

#[test]
fn golden_scripts_survive_formatting() {
    for (_, _, source) in support::goldens() {
        if parse(&source).is_ok() {
            check(&source);
        }
    }
}

#[test]
fn generated_scripts_survive_formatting() {
    for seed in 0..support::rounds(200) as u64 {
        let mut generator = Generator {
            random: Random::new(seed),
            out: String::new(),
        };
        generator.script();
        check(&generator.out);
    }
}

/// Writes scripts that are right, whatever the numbers.
struct Generator {
    random: Random,
    out: String,
}

impl Generator {
    fn word(&mut self, words: &[&str]) {
        let word = self.random.pick(words);
        self.out.push_str(word);
        // Between any two tokens there may be blanks and comments.
        if self.random.chance(12) {
            let blank =
                self.random
                    .pick(&[" ", "\n", "\t", " /* \" { */ ", " // } 检查 '\n", "\r\n"]);
            self.out.push_str(blank);
        }
    }

    fn script(&mut self) {
        if self.random.chance(4) {
            self.out.push_str("#!/usr/bin/pfscript -q\n");
        }
        for _ in 0..self.random.below(3) {
            let item = self.random.pick(&[
                "#include <linux/mm.h>\n",
                "#include \"x.h\" // \"\n",
                "#define A(x) \\\n (x) /* \n */ + '\"'\n",
                "config = { max_map_keys = 10; a=\"b c\" }",
                "struct foo { int a[4]; struct { char b; } c; } *x;",
                "enum { A, B = 2 }",
                "macro m($x, @y, z) { $x + z }",
                "macro n($x, @y, z) { $x += 1; @y[z]++; if (z) { f(z) } else { }; -$x }",
                "macro o() { f(1); { } }",
                "fn f($a: struct foo *, $b: (int8, string)): int64 { return $a->b; }",
                "let @m = lruhash(10);",
                "import \"x\";",
            ]);
            self.out.push_str(item);
            self.out.push('\n');
        }
        for _ in 0..1 + self.random.below(3) {
            self.probe();
        }
    }

    fn probe(&mut self) {
        for i in 0..1 + self.random.below(2) {
            if i > 0 {
                self.word(&[",", ", ", ",\n"]);
            }
            let point = self.random.pick(&[
                "BEGIN",
                "kprobe:vfs_*",
                "k:a?b[cd]+0x10",
                "uprobe:/usr/lib/x-1.0+2/*.so:\"f(char const*, a \\\" { b)\"",
                "uprobe:lib/libc.so:malloc",
                "uprobe:\"a b\"c:$1",
                "u:./a:cpp:\"ns::f\"",
                "interval:s:$1",
                "profile:hz:99",
                "usdt::p:n",
                "*:*",
            ]);
            self.out.push_str(point);
        }
        self.word(&[" ", "\n", ", "]);
        if self.random.chance(2) {
            self.word(&["/ ", "/"]);
            // A leading `*` would make a comment of the slash.
            self.word(&["("]);
            self.expr(3);
            self.word(&[")"]);
            self.word(&[" == 4/2/", " /", "/"]);
        }
        self.block(3);
        self.out.push('\n');
    }

    fn block(&mut self, depth: usize) {
        self.word(&["{", "{ ", "{\n"]);
        for _ in 0..self.random.below(4) {
            self.statement(depth);
        }
        self.word(&["}"]);
    }

    fn statement(&mut self, depth: usize) {
        let compound = depth > 0 && self.random.chance(3);
        if compound {
            match self.random.below(8) {
                0 => self.block(depth - 1),
                1 => {
                    self.word(&["while (", "while  ("]);
                    self.expr(1);
                    self.word(&[")"]);
                    self.block(depth - 1);
                }
                2 => {
                    self.word(&["for ($kv : @m) ", "for $i : 0..10 ", "unroll(3)"]);
                    self.block(depth - 1);
                }
                _ => {
                    self.word(&["if (", "if  ("]);
                    self.expr(2);
                    self.word(&[")"]);
                    self.block(depth - 1);
                    for _ in 0..self.random.below(3) {
                        self.word(&["else if (", " else\nif("]);
                        self.expr(1);
                        self.word(&[")"]);
                        self.block(depth - 1);
                    }
                    if self.random.chance(2) {
                        self.word(&["else ", " else"]);
                        self.block(depth - 1);
                    }
                }
            }
            self.word(&["", " ", ";"]);
            return;
        }
        match self.random.below(8) {
            0 => {
                self.word(&["let "]);
                self.word(&["$a", "$b"]);
                self.word(&[
                    "",
                    ":uint64",
                    " : struct foo *",
                    ": uint8[4]",
                    ": unsigned long",
                    ": typeof($x)",
                    ": (int8, string[4])",
                ]);
                if self.random.chance(2) {
                    self.word(&["=", " = "]);
                    self.expr(depth);
                }
            }
            1 => {
                self.word(&["return "]);
                if self.random.chance(2) {
                    self.expr(depth);
                }
            }
            2 => self.word(&["break", "continue"]),
            3 | 4 => {
                self.target(depth);
                self.word(&[
                    "=", " = ", " += ", "-=", "*=", "/=", "%=", "&=", "|=", "^=", "<<=", " >>= ",
                ]);
                self.expr(depth);
            }
            _ => {
                // A statement that begins with a brace is a block.
                self.word(&["(", "f("]);
                self.expr(depth);
                self.word(&[")"]);
            }
        }
        self.word(&[";", " ;", ";\n", ";;"]);
    }

    fn target(&mut self, depth: usize) {
        if self.random.chance(2) {
            self.word(&["$a", "$_b1", "@", "@m"]);
        } else {
            self.word(&["@[", "@m["]);
            self.exprs(depth);
            self.word(&["]"]);
        }
    }

    fn exprs(&mut self, depth: usize) {
        for i in 0..1 + self.random.below(3) {
            if i > 0 {
                self.word(&[",", ", "]);
            }
            self.expr(depth.saturating_sub(1));
        }
    }

    fn expr(&mut self, depth: usize) {
        self.operand(depth);
        for _ in 0..self.random.below(3) {
            if depth > 0 && self.random.chance(6) {
                self.word(&[" ? "]);
                if !self.random.chance(4) {
                    self.expr(depth - 1);
                }
                self.word(&[" : "]);
            } else {
                self.word(&[
                    " + ", " - ", " * ", " / ", " % ", " & ", " | ", " ^ ", " << ", " >> ", " && ",
                    " || ", " == ", " != ", " < ", " <= ", " > ", " >= ", "+", "-", "<", "||",
                    "==",
                ]);
            }
            self.operand(depth);
        }
    }

    fn operand(&mut self, depth: usize) {
        // A script stays small enough to read when it fails.
        let depth = if self.out.len() > 400 { 0 } else { depth };
        for _ in 0..self.random.below(6).saturating_sub(3) {
            self.word(&[
                " -",
                "!",
                "~",
                " *",
                " &",
                "(u8)",
                "(struct foo *)",
                "(foo)!",
                "(size_t)",
                "(unsigned long)",
                "(x_t[4])",
                "(foo **)",
                "comptime ",
            ]);
        }
        if depth == 0 {
            self.word(&[
                "0",
                "1",
                "0x1f",
                "017",
                "1e3",
                "5ms",
                "'a'",
                "'\\n'",
                "pid",
                "$1",
                "$#",
                "$x",
                "@",
                "@m",
                "\"s\"",
                "\"\\x41\\n\\\\\"",
                "true",
                "false",
                "long_name",
                "int64",
                "sizeof(struct foo)",
                "sizeof($x)",
                "offsetof(struct foo, a.b)",
                "typeof(pid)",
            ]);
        } else {
            match self.random.below(9) {
                0 => {
                    self.word(&["(", "( "]);
                    self.expr(depth - 1);
                    self.word(&[")"]);
                }
                1 => {
                    self.word(&["("]);
                    self.expr(depth - 1);
                    self.word(&[","]);
                    if self.random.chance(2) {
                        self.expr(depth - 1);
                    }
                    self.word(&[")", " )"]);
                }
                2 => {
                    self.word(&["f(", "str(", "f ("]);
                    if !self.random.chance(5) {
                        self.exprs(depth);
                    }
                    self.word(&[")"]);
                }
                3 => {
                    self.word(&["@m[", "@[", "@m ["]);
                    self.exprs(depth);
                    self.word(&["]"]);
                }
                4 => self.word(&["(++$x)", "(--@m)", "$x++", "@m[1]--", "(@m)"]),
                5 => self.word(&["(a = 1, b=2)", "()"]),
                6 => {
                    let forms = [
                        ("({ ", "})"),
                        ("(if (1) { 1 } else { ", "})"),
                        ("({ $a = 1; break; if ($b) { f(1) } else { ", "}})"),
                        (
                            "({ while (1) { continue; } if ($b) { 1 } else if (1) { { ",
                            "}}})",
                        ),
                    ];
                    let (open, close) = forms[self.random.below(forms.len())];
                    self.word(&[open]);
                    // What begins with a brace would be a block.
                    self.word(&["("]);
                    self.expr(depth - 1);
                    self.word(&[")"]);
                    self.word(&[close]);
                }
                _ => self.operand(0),
            }
        }
        for _ in 0..self.random.below(6).saturating_sub(3) {
            match self.random.below(4) {
                0 => self.word(&[".f", "->f", " -> end", ".if", "->comm"]),
                1 => self.word(&[".0", ".1", ".0.1"]),
                _ => {
                    self.word(&["["]);
                    self.operand(depth.saturating_sub(2));
                    self.word(&["]"]);
                }
            }
        }
    }
}
