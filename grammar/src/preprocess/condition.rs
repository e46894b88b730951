//! The value of a condition: what C's preprocessor computes of names, numbers and `defined(NAME)`.

use crate::ast::{BinaryOp, Expr, ExprKind, UnaryOp};
/// What a name stands for.
pub(super) enum Known<'d> {
    Unknown,
    /// For an expression, or only for that it is defined.
    Defined(Option<&'d Expr>),
}

/// Definitions within definitions.
const MAX_CHAIN: usize = 64;

/// Operations of one condition: definitions that name others twice double what there is to do.
const MAX_STEPS: usize = 1 << 14;

/// The value of an expression. A name that nobody defined is 0, as in C.
///
/// # Errors
/// Why there is none.
pub(super) fn value<'d>(expr: &Expr, known: &dyn Fn(&str) -> Known<'d>) -> Result<i64, String> {
    let mut condition = Condition {
        known,
        chain: 0,
        steps: 0,
    };
    condition.value(expr)
}

struct Condition<'a, 'd> {
    known: &'a dyn Fn(&str) -> Known<'d>,
    chain: usize,
    steps: usize,
}

impl Condition<'_, '_> {
    fn value(&mut self, expr: &Expr) -> Result<i64, String> {
        self.steps += 1;
        if self.steps > MAX_STEPS {
            return Err("this takes too many steps to compute".to_owned());
        }
        Ok(match &expr.kind {
            ExprKind::Int(number) => *number as i64,
            ExprKind::Bool(value) => i64::from(*value),
            ExprKind::Ident(name) => match (self.known)(name) {
                Known::Unknown => 0,
                Known::Defined(Some(value)) => self.definition(value)?,
                Known::Defined(None) => {
                    return Err(format!("`{name}` is defined, but not as a number"));
                }
            },
            ExprKind::Call { name, args } if name.node == "defined" => match args.as_slice() {
                [
                    Expr {
                        kind: ExprKind::Ident(name),
                        ..
                    },
                ] => i64::from(!matches!((self.known)(name), Known::Unknown)),
                _ => return Err("`defined` takes a name".to_owned()),
            },
            ExprKind::Unary { op, operand } => {
                let operand = self.value(operand)?;
                match op {
                    UnaryOp::Neg => operand.wrapping_neg(),
                    UnaryOp::Not => i64::from(operand == 0),
                    UnaryOp::BitNot => !operand,
                    UnaryOp::Deref | UnaryOp::AddressOf => return Err(not_a_number()),
                }
            }
            ExprKind::Binary { first, rest } => {
                let mut left = self.value(first)?;
                for (op, right) in rest {
                    left = match op {
                        BinaryOp::And if left == 0 => 0,
                        BinaryOp::Or if left != 0 => 1,
                        _ => {
                            let right_value = self.value(right)?;
                            binary(*op, left, right_value).ok_or("division by zero")?
                        }
                    };
                }
                left
            }
            ExprKind::Ternary {
                condition,
                then,
                otherwise,
            } => match (self.value(condition)?, then) {
                (0, _) => self.value(otherwise)?,
                (_, Some(then)) => self.value(then)?,
                (condition, None) => condition,
            },
            _ => return Err(not_a_number()),
        })
    }

    fn definition(&mut self, value: &Expr) -> Result<i64, String> {
        if self.chain >= MAX_CHAIN {
            return Err("these definitions name each other without end".to_owned());
        }
        self.chain += 1;
        let value = self.value(value);
        self.chain -= 1;
        value
    }
}

fn not_a_number() -> String {
    "a part of this is no number that is known here".to_owned()
}

fn binary(op: BinaryOp, left: i64, right: i64) -> Option<i64> {
    let truth = |holds: bool| Some(i64::from(holds));
    let shift = (right & 63) as u32;
    match op {
        BinaryOp::Add => Some(left.wrapping_add(right)),
        BinaryOp::Sub => Some(left.wrapping_sub(right)),
        BinaryOp::Mul => Some(left.wrapping_mul(right)),
        BinaryOp::Div if right == -1 => Some(left.wrapping_neg()),
        BinaryOp::Mod if right == -1 => Some(0),
        BinaryOp::Div => left.checked_div(right),
        BinaryOp::Mod => left.checked_rem(right),
        BinaryOp::BitAnd => Some(left & right),
        BinaryOp::BitOr => Some(left | right),
        BinaryOp::BitXor => Some(left ^ right),
        BinaryOp::Shl => Some(left.wrapping_shl(shift)),
        BinaryOp::Shr => Some(left.wrapping_shr(shift)),
        BinaryOp::And => truth(left != 0 && right != 0),
        BinaryOp::Or => truth(left != 0 || right != 0),
        BinaryOp::Eq => truth(left == right),
        BinaryOp::Ne => truth(left != right),
        BinaryOp::Lt => truth(left < right),
        BinaryOp::Le => truth(left <= right),
        BinaryOp::Gt => truth(left > right),
        BinaryOp::Ge => truth(left >= right),
    }
}

/// A condition with `defined NAME` as `defined(NAME)`, which the grammar reads.
pub(super) fn with_parentheses(text: &str) -> String {
    let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let mut out = String::with_capacity(text.len() + 8);
    let mut rest = text;
    // A name is wanted: `defined` was read.
    let mut wanted = false;
    while let Some(first) = rest.chars().next() {
        let length = match rest.find(|c| !is_word(c)) {
            Some(0) => first.len_utf8(),
            Some(length) => length,
            None => rest.len(),
        };
        let (token, behind) = rest.split_at(length);
        if wanted && is_word(first) {
            out.extend(["(", token, ")"]);
        } else {
            out.push_str(token);
        }
        wanted = token == "defined" || wanted && first.is_ascii_whitespace();
        rest = behind;
    }
    out
}
