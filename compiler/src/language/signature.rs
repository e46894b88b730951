//! Signatures: how a function is called, as the reference prints it and as the checker checks it.
//!
//! What comes in is the text of a table row, such as `"hist(int n, [const int bits])"` or
//! `"strncmp(string a, string b, int n) -> int64"`; what goes out are its parameters and the name of its result's type.
//! Whether a call fits is decided elsewhere (`functions::arguments`): nothing here knows scripts.
//!
//! ```text
//! signature = name "(" [ item { ", " item } [ ", …" ] ] ")" [ " -> " type ]
//! item      = type { "|" type } name | "[" type { "|" type } name "]"      brackets: can be left out
//! ```

/// How a function is called.
#[derive(Debug, PartialEq, Eq)]
pub struct Signature<'t> {
    /// The parameters in order.
    pub params: Vec<Param<'t>>,
    /// Any number of printable values may follow.
    pub variadic: bool,
    /// The result's type, if there is a result.
    pub result: Option<&'t str>,
}

/// A parameter.
#[derive(Debug, PartialEq, Eq)]
pub struct Param<'t> {
    /// Its name, for messages.
    pub name: &'t str,
    /// What it takes: one of these.
    pub types: Vec<ParamType>,
    /// It can be left out.
    pub optional: bool,
}

/// What a parameter takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ParamType {
    /// A number, or a pointer taken as one.
    Int,
    /// What can be compared with zero.
    Bool,
    /// An address: a pointer, an array or an integer.
    Ptr,
    /// A string.
    String,
    /// A number that is known when the script is compiled.
    ConstInt,
    /// The same, and not negative.
    ConstUint,
    /// A string literal.
    ConstString,
    /// A string literal in the manner of `printf`; the values that it prints follow.
    Format,
    /// A whole map.
    Map,
    /// An element of a map.
    Element,
    /// A stack.
    Stack,
    /// A word: how a stack is printed. It may stand among the other arguments in any place.
    Mode,
    /// A word: how a stack is walked. It may stand in any place, too.
    Walk,
    /// A word: a clock.
    Clock,
    /// A word: a pid namespace.
    Namespace,
    /// Anything that can be printed.
    Any,
}

/// The types by the names that signatures have for them, and as messages say what was expected.
const TYPES: &[(&str, ParamType, &str)] = &[
    ("int", ParamType::Int, "a number"),
    ("bool", ParamType::Bool, "a condition"),
    ("ptr", ParamType::Ptr, "an address"),
    ("string", ParamType::String, "a string"),
    ("const int", ParamType::ConstInt, "a constant number"),
    ("const uint", ParamType::ConstUint, "a constant number"),
    ("const string", ParamType::ConstString, "a constant string"),
    ("format", ParamType::Format, "a constant string"),
    ("map", ParamType::Map, "a whole map, such as `@counts`"),
    ("element", ParamType::Element, "a map element"),
    ("stack", ParamType::Stack, "a stack"),
    ("stack_mode", ParamType::Mode, "a stack mode"),
    (
        "stack_walk",
        ParamType::Walk,
        "a way to walk stacks, `fp` or `dwarf`",
    ),
    ("clock", ParamType::Clock, "a clock"),
    (
        "pid_ns",
        ParamType::Namespace,
        "a pid namespace, `curr_ns` or `init`",
    ),
    ("any", ParamType::Any, "a value"),
];

impl ParamType {
    /// Whether it takes a word, which is no value of the language.
    pub fn is_word(self) -> bool {
        matches!(
            self,
            ParamType::Mode | ParamType::Walk | ParamType::Clock | ParamType::Namespace
        )
    }

    /// What was expected, as a message says it.
    pub fn describe(self) -> &'static str {
        TYPES
            .iter()
            .find(|row| row.1 == self)
            .map_or("a value", |row| row.2)
    }
}

impl<'t> Signature<'t> {
    /// Reads a signature.
    ///
    /// # Errors
    /// What is wrong with it. A test reads every row of the tables.
    pub fn parse(text: &'t str) -> Result<Signature<'t>, String> {
        let wrong = |what: &str| format!("the signature `{text}` {what}");
        let (_, rest) = text
            .split_once('(')
            .ok_or_else(|| wrong("has no parameters"))?;
        let (items, result) = rest.rsplit_once(')').ok_or_else(|| wrong("does not end"))?;
        let result = match result {
            "" => None,
            result => Some(
                result
                    .strip_prefix(" -> ")
                    .ok_or_else(|| wrong("has no result behind its parameters"))?,
            ),
        };
        let mut params: Vec<Param<'t>> = Vec::new();
        let mut variadic = false;
        for item in items.split(", ").filter(|item| !item.is_empty()) {
            if variadic {
                return Err(wrong("goes on behind `…`"));
            }
            if item == "…" {
                variadic = true;
                continue;
            }
            let bare = item
                .strip_prefix('[')
                .and_then(|item| item.strip_suffix(']'));
            let (types, name) = bare
                .unwrap_or(item)
                .rsplit_once(' ')
                .ok_or_else(|| wrong("has a parameter without a type or a name"))?;
            let types = types
                .split('|')
                .map(|ty| TYPES.iter().find(|row| row.0 == ty).map(|row| row.1))
                .collect::<Option<Vec<_>>>()
                .ok_or_else(|| wrong("has a parameter of unknown type"))?;
            let optional = bare.is_some();
            if !optional && params.last().is_some_and(|last| last.optional) {
                return Err(wrong("needs an argument behind one that can be left out"));
            }
            params.push(Param {
                name,
                types,
                optional,
            });
        }
        Ok(Signature {
            params,
            variadic,
            result,
        })
    }

    /// The fewest arguments.
    pub fn min(&self) -> usize {
        self.params.iter().filter(|param| !param.optional).count()
    }

    /// The most arguments, if there is a limit.
    pub fn max(&self) -> Option<usize> {
        (!self.variadic).then_some(self.params.len())
    }
}

impl Param<'_> {
    /// What it takes, as a message says it.
    pub fn describe(&self) -> String {
        let types: Vec<&str> = self.types.iter().map(|ty| ty.describe()).collect();
        types.join(" or ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_and_result_are_read() {
        let signature =
            Signature::parse("f(ptr|string p, [const int n], …) -> struct task_struct *").unwrap();
        assert_eq!(
            signature,
            Signature {
                params: vec![
                    Param {
                        name: "p",
                        types: vec![ParamType::Ptr, ParamType::String],
                        optional: false
                    },
                    Param {
                        name: "n",
                        types: vec![ParamType::ConstInt],
                        optional: true
                    },
                ],
                variadic: true,
                result: Some("struct task_struct *"),
            }
        );
        assert_eq!((signature.min(), signature.max()), (1, None));
        let none = Signature::parse("f()").unwrap();
        assert_eq!((none.min(), none.max(), none.result), (0, Some(0), None));
    }

    #[test]
    fn what_is_no_signature_is_refused() {
        for text in [
            "f",
            "f(",
            "f(int)",
            "f(itn n)",
            "f([int n], int m)",
            "f(…, int n)",
            "f() int",
        ] {
            assert!(Signature::parse(text).is_err(), "{text}");
        }
    }
}
