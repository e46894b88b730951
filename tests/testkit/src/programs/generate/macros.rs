//! Macros and their calls.

use super::expressions::boxed;
use super::{Generator, MAX_LOOPS, Seen};
use crate::programs::ast::{Expr, Given, I64, LENT, Macro, Param, Stmt, Type};

impl Generator {
    pub(super) fn macros(&mut self) {
        for _ in 0..self.random.below(4) {
            let definition = self.definition();
            self.script.macros.push(definition);
        }
    }

    fn definition(&mut self) -> Macro {
        let params: Vec<Param> = (0..self.random.below(4)).map(|_| self.param()).collect();
        let own = params.iter().filter_map(|param| match param {
            Param::Variable(variable, ty) => Some(Seen {
                variable: *variable,
                ty: ty.clone(),
                fixed: false,
                declared: false,
            }),
            _ => None,
        });
        let own = own.collect();
        let seen = std::mem::replace(&mut self.seen, own);
        let deep = self.chance(4);
        self.loops = if deep { MAX_LOOPS - 1 } else { MAX_LOOPS };
        self.params = Some(params.clone());
        self.returns = false;
        let statements = match self.chance(3) {
            true => 0,
            false => 1 + self.random.below(3),
        };
        let body: Vec<Stmt> = (0..statements).map(|_| self.stmt(1)).collect();
        let value = (statements == 0 || !self.chance(3)).then(|| {
            let value = self.any_int(2);
            Expr::Cast(8, true, boxed(value))
        });
        self.returns = true;
        self.params = None;
        self.loops = 0;
        self.seen = seen;
        Macro {
            params,
            body,
            value,
            deep,
        }
    }

    fn param(&mut self) -> Param {
        match self.random.below(5) {
            0 => {
                let ty = match self.chance(3) {
                    true => self.any_type(),
                    false => I64,
                };
                let variable = self.next_variable;
                self.next_variable += 1;
                Param::Variable(variable, ty)
            }
            1 if self.ordered => {
                let number = self.random.below(self.script.maps.len() as u64) as usize;
                let mut map = self.script.maps[number].clone();
                map.owner = None;
                self.script.lent.push(map);
                Param::Map(LENT + self.script.lent.len() - 1)
            }
            2 => Param::Value(self.any_type()),
            _ => Param::Value(I64),
        }
    }

    /// A parameter of a type that fits.
    pub(super) fn parameter(&mut self, fits: impl Fn(&Type) -> bool) -> Option<Expr> {
        let params = self.params.as_ref().filter(|_| !self.repeated)?;
        let params = params.iter().enumerate();
        let fitting = params.filter(|(_, param)| matches!(param, Param::Value(ty) if fits(ty)));
        let fitting: Vec<usize> = fitting.map(|(index, _)| index).collect();
        match fitting.len() as u64 {
            0 => None,
            count => Some(Expr::Parameter(fitting[self.random.below(count) as usize])),
        }
    }

    /// What a call of a macro has, and its number, if there is one that can be called here.
    fn call(&mut self, valued: bool) -> Option<(usize, Vec<Given>)> {
        let count = self.script.macros.len() as u64;
        if count == 0 || self.repeated || !self.ordered {
            return None;
        }
        let number = self.random.below(count) as usize;
        let called = self.script.macros[number].clone();
        if valued && called.value.is_none()
            || called.deep && (self.loops > 0 || !self.features.loops)
            // Macros print.
            || !self.prints()
        {
            return None;
        }
        let given = called.params.iter().map(|param| match param {
            Param::Value(ty) => Some(Given::Value(match self.value(ty, 1) {
                // A bare map would be passed as one.
                map @ Expr::Element(..) => Expr::Block(Vec::new(), boxed(map)),
                other => other,
            })),
            Param::Variable(_, ty) => {
                let seen = self.variable(|seen| seen.ty == *ty && !seen.fixed && !seen.declared)?;
                Some(Given::Variable(seen.variable))
            }
            Param::Map(map) => {
                let lent = self.script.map(*map).clone();
                let same = self.written(|map| map.key == lent.key && map.content == lent.content);
                Some(Given::Map(same?))
            }
        });
        let given: Option<Vec<Given>> = given.collect();
        Some((number, given?))
    }

    /// The value of a macro.
    pub(super) fn called(&mut self) -> Option<Expr> {
        let (number, given) = self.call(true)?;
        Some(Expr::Macro(number, given))
    }

    pub(super) fn call_as_statement(&mut self) -> Option<Stmt> {
        let (number, given) = self.call(false)?;
        Some(Stmt::Call(number, given))
    }
}
