//! The body of a macro with its arguments in place of its parameters, and fresh names for its variables.
//!
//! In come a macro and the arguments of one call, out goes a tree. Which macro a call means is decided in the parent.

use super::visit::{self, Part};
use pfscript_grammar::ast::{
    Block, Expr, ExprKind, Macro, MacroParam, Measured, Stmt, StmtKind, TypeName,
};
use pfscript_grammar::{Diagnostic, Span, Spanned};

/// What the names in the body of a macro stand for, in one call.
pub(super) struct Substitution<'s> {
    definition: &'s Macro,
    /// The arguments, and of how many nodes each is.
    args: Vec<(Expr, usize)>,
    /// Where the call is, which is the place of everything in the body.
    span: Span,
    /// Whether the macro is the script's own, so that there is something to see where its body is.
    own: bool,
    /// Sets the variables of this call apart.
    fresh: usize,
    /// How many nodes may still be made.
    left: usize,
    error: Option<Diagnostic>,
}

impl<'s> Substitution<'s> {
    pub(super) fn new(
        definition: &'s Macro,
        args: Vec<Expr>,
        span: Span,
        own: bool,
        fresh: usize,
        left: usize,
    ) -> Substitution<'s> {
        let args = args
            .into_iter()
            .map(|mut arg| {
                let size = size(&mut arg);
                (arg, size)
            })
            .collect();
        Substitution {
            definition,
            args,
            span,
            own,
            fresh,
            left,
            error: None,
        }
    }

    /// What went wrong.
    pub(super) fn into_error(self) -> Option<Diagnostic> {
        self.error
    }

    pub(super) fn block(&mut self, block: &mut Block) {
        block.span = self.span;
        for stmt in &mut block.statements {
            self.stmt(stmt);
        }
    }

    fn stmt(&mut self, stmt: &mut Stmt) {
        stmt.span = self.span;
        match &mut stmt.kind {
            StmtKind::Let { name, .. } => {
                name.span = self.span;
                let declared = MacroParam::Variable(name.node.clone());
                match self
                    .definition
                    .params
                    .iter()
                    .any(|param| param.node == declared)
                {
                    true => self.fail(format!("`${}` is a parameter of the macro", name.node)),
                    false => name.node = self.own(&name.node),
                }
            }
            StmtKind::For { name, .. } => {
                name.span = self.span;
                name.node = self.own(&name.node);
            }
            StmtKind::Assign { op: Some(op), .. } => op.span = self.span,
            StmtKind::Unsupported(node) => node.span = self.span,
            _ => {}
        }
        visit::parts(stmt, &mut |part| self.part(part));
        // What stands for a type now is the caller's.
        if let StmtKind::Let { ty: Some(ty), .. } = &mut stmt.kind {
            self.ty(ty);
        }
    }

    fn part(&mut self, part: Part<'_>) {
        match part {
            Part::Expr(expr) => self.expr(expr),
            Part::Block(block) => self.block(block),
        }
    }

    pub(super) fn expr(&mut self, expr: &mut Expr) {
        expr.span = self.span;
        let param = match &expr.kind {
            ExprKind::Variable(name) => Some(MacroParam::Variable(name.clone())),
            ExprKind::Map { name, .. } => Some(MacroParam::Map(name.clone())),
            ExprKind::Ident(name) => Some(MacroParam::Name(name.clone())),
            _ => None,
        };
        let at = param.and_then(|wanted| {
            let params = &self.definition.params;
            params.iter().position(|param| param.node == wanted)
        });
        let given = at.and_then(|at| self.args.get(at)).cloned();
        match (&mut expr.kind, given) {
            (ExprKind::Variable(_) | ExprKind::Ident(_), Some((arg, size))) => {
                match self.left.checked_sub(size) {
                    Some(left) => {
                        self.left = left;
                        *expr = arg;
                    }
                    None => self.fail("the expansion of this macro is too large".into()),
                }
                return;
            }
            (ExprKind::Variable(name), None) => *name = self.own(name),
            (ExprKind::Map { name, .. }, Some((arg, _))) => {
                if let ExprKind::Map { name: given, .. } = arg.kind {
                    *name = given;
                }
            }
            (ExprKind::Map { name, .. }, None) => {
                let message = format!("`@{name}` is not a parameter of the macro");
                self.fail(message);
                self.error = self
                    .error
                    .take()
                    .map(|error| error.help("pass the map as a parameter: `macro m(@x) { … }`"));
            }
            // What it says of its place is where it is written.
            (ExprKind::Call { name, .. }, _) if !self.own => name.span = self.span,
            (ExprKind::Field { name, .. }, _) => name.span = self.span,
            (ExprKind::TupleField { index, .. }, _) => index.span = self.span,
            (ExprKind::Record(fields), _) => {
                fields
                    .iter_mut()
                    .for_each(|(name, _)| name.span = self.span);
            }
            (ExprKind::OffsetOf { path, .. }, _) => {
                self.path(path);
                path.iter_mut().for_each(|member| member.span = self.span);
            }
            (ExprKind::Unsupported(node), _) => node.span = self.span,
            _ => {}
        }
        visit::children(expr, &mut |part| self.part(part));
        // What stands for a type now is the caller's.
        match &mut expr.kind {
            ExprKind::Cast { ty, .. } | ExprKind::TypeOf(ty) => self.ty(ty),
            ExprKind::SizeOf(of) | ExprKind::TypeInfo(of) | ExprKind::OffsetOf { of, .. } => {
                self.measured(of);
            }
            _ => {}
        }
    }

    /// The argument that a bare name in the place of a type stands for.
    fn argument(&self, ty: &TypeName) -> Option<Expr> {
        let wanted = MacroParam::Name(ty.name.clone());
        let bare = ty.tag.is_none() && ty.of.is_none();
        let params = &self.definition.params;
        let at = params
            .iter()
            .position(|param| bare && param.node == wanted)?;
        self.args.get(at).map(|(arg, _)| arg.clone())
    }

    /// A type. A parameter that stands for a type, or for a value, is the type of that.
    fn ty(&mut self, ty: &mut TypeName) {
        ty.span = self.span;
        if let Some(of) = ty.of.as_deref_mut() {
            self.measured(of);
        } else if let Some(arg) = self.argument(ty) {
            ty.of = Some(Box::new(match arg.kind {
                ExprKind::TypeOf(ty) => Measured::Type(ty),
                _ => Measured::Value(Box::new(arg)),
            }));
            ty.name.clear();
        }
    }

    /// What `sizeof` and the like look at.
    fn measured(&mut self, of: &mut Measured) {
        let Measured::Type(ty) = of else {
            return;
        };
        match self.argument(ty) {
            // A value keeps what is known of it: a literal is as long as it is written.
            Some(arg)
                if ty.pointers == 0
                    && ty.array.is_none()
                    && !matches!(arg.kind, ExprKind::TypeOf(_)) =>
            {
                *of = Measured::Value(Box::new(arg));
            }
            _ => self.ty(ty),
        }
    }

    /// The members that `offsetof` looks for: a parameter stands for those that the argument names, `a` or `a.b`.
    fn path(&self, path: &mut Vec<Spanned<String>>) {
        let members = std::mem::take(path);
        for member in members {
            let wanted = MacroParam::Name(member.node.clone());
            let params = &self.definition.params;
            let at = params.iter().position(|param| param.node == wanted);
            let given = at.and_then(|at| members_of(&self.args.get(at)?.0));
            match given {
                Some(given) => path.extend(given),
                None => path.push(member),
            }
        }
    }

    /// The name of a variable of this call alone: no script can write it.
    fn own(&self, name: &str) -> String {
        format!("{name}#{}", self.fresh)
    }

    fn fail(&mut self, message: String) {
        let error = Diagnostic::error(self.span, message);
        self.error.get_or_insert(error);
    }
}

/// `a.b.c` as names, if an expression is that.
fn members_of(expr: &Expr) -> Option<Vec<Spanned<String>>> {
    let mut names = Vec::new();
    let mut rest = expr;
    while let ExprKind::Field {
        base,
        name,
        arrow: false,
    } = &rest.kind
    {
        names.push(name.clone());
        rest = base;
    }
    let ExprKind::Ident(first) = &rest.kind else {
        return None;
    };
    names.push(Spanned::new(first.clone(), rest.span));
    names.reverse();
    Some(names)
}

/// A message with the names of variables as macros have them.
pub(super) fn as_written(message: &str) -> String {
    let mut pieces = message.split('#');
    let mut out = pieces.next().unwrap_or_default().to_string();
    for piece in pieces {
        let rest = piece.trim_start_matches(|c: char| c.is_ascii_digit());
        if rest.len() == piece.len() {
            out.push('#');
        }
        out += rest;
    }
    out
}

/// How many nodes an expression is made of.
fn size(expr: &mut Expr) -> usize {
    let mut nodes = 1;
    visit::children(expr, &mut |part| nodes += size_of(part));
    nodes
}

fn size_of(part: Part<'_>) -> usize {
    match part {
        Part::Expr(expr) => size(expr),
        Part::Block(block) => {
            let mut nodes = block.statements.len();
            for stmt in &mut block.statements {
                visit::parts(stmt, &mut |part| nodes += size_of(part));
            }
            nodes
        }
    }
}
