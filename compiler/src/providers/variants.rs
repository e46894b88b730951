//! What the C compiler makes of a function beside, or in place of, the function itself: `finish_task_switch.isra.0`.
//!
//! The rule alone: which symbols the kernel has is known to `kprobe`, from a list, and to the runtime, which attaches.

/// What the compiler took out of a function because it hardly ever runs; nobody calls it.
const COLD: &str = ".cold";
/// What the compiler took out of a function into one of its own.
const PART: &str = ".part.";

/// Whether a symbol is what the compiler made of a function.
///
/// ```
/// use pfscript_compiler::providers::variants::is_variant;
/// assert!(is_variant("finish_task_switch.isra.0", "finish_task_switch"));
/// assert!(!is_variant("finish_task_switch.cold", "finish_task_switch"));
/// ```
pub fn is_variant(symbol: &str, function: &str) -> bool {
    let rest = symbol.strip_prefix(function);
    rest.is_some_and(|rest| rest.starts_with('.')) && !symbol.ends_with(COLD)
}

/// Of the variants of a function, the one that stands for it: neither a part of it nor one of several copies.
///
/// ```
/// use pfscript_compiler::providers::variants::of_whole;
/// assert_eq!(of_whole(["a.part.0", "a.isra.0"]), Some("a.isra.0"));
/// assert_eq!(of_whole(["a.isra.0", "a.isra.1"]), None);
/// ```
pub fn of_whole<T: AsRef<str>>(variants: impl IntoIterator<Item = T>) -> Option<T> {
    let mut whole = variants
        .into_iter()
        .filter(|name| !name.as_ref().contains(PART));
    let one = whole.next()?;
    whole.next().is_none().then_some(one)
}

/// The function that a symbol was made of, by the name that BTF has for it; `None` for code that is no function of its own.
pub fn origin(symbol: &str) -> Option<&str> {
    let name = symbol.split('.').next().unwrap_or(symbol);
    (!symbol.ends_with(COLD)).then_some(name)
}
