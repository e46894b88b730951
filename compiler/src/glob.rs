//! Wildcards of attach points and of `-l`: `*` for any run of characters, `?` for one, `[a-z]` and `[!0-9]` for one of
//! a set.
//!
//! Matching takes time proportional to text times pattern at worst, whatever the pattern.

/// Whether `text` has wildcards in it.
///
/// ```
/// assert!(pfscript_compiler::glob::is_pattern("vfs_*"));
/// assert!(!pfscript_compiler::glob::is_pattern("vfs_read"));
/// ```
pub fn is_pattern(text: &str) -> bool {
    text.contains(['*', '?'])
        || text
            .split_once('[')
            .is_some_and(|(_, rest)| rest.contains(']'))
}

/// A pattern, ready to match.
#[derive(Clone, Debug)]
pub struct Glob {
    tokens: Vec<Token>,
}

#[derive(Clone, Debug)]
enum Token {
    Literal(u8),
    /// `?`
    One,
    /// `*`
    Run,
    Set {
        negated: bool,
        ranges: Vec<(u8, u8)>,
    },
}

impl Token {
    fn takes(&self, byte: u8) -> bool {
        match self {
            Token::Literal(literal) => *literal == byte,
            Token::One => true,
            Token::Run => false,
            Token::Set { negated, ranges } => {
                let inside = ranges
                    .iter()
                    .any(|&(low, high)| low <= byte && byte <= high);
                inside != *negated
            }
        }
    }
}

impl Glob {
    /// Reads a pattern. Any text is one: a `[` without its `]` stands for itself.
    ///
    /// ```
    /// use pfscript_compiler::glob::Glob;
    /// let glob = Glob::new("sys_*_open*");
    /// assert!(glob.matches("sys_enter_openat"));
    /// assert!(!glob.matches("sys_enter_close"));
    /// ```
    pub fn new(pattern: &str) -> Glob {
        let mut tokens = Vec::new();
        let mut rest = pattern.as_bytes();
        while let [first, tail @ ..] = rest {
            rest = tail;
            tokens.push(match first {
                b'?' => Token::One,
                b'*' if matches!(tokens.last(), Some(Token::Run)) => continue,
                b'*' => Token::Run,
                b'[' => match set(tail) {
                    Some((token, length)) => {
                        rest = &tail[length..];
                        token
                    }
                    None => Token::Literal(b'['),
                },
                &byte => Token::Literal(byte),
            });
        }
        Glob { tokens }
    }

    /// Whether the whole of `text` matches.
    pub fn matches(&self, text: &str) -> bool {
        let (tokens, text) = (&self.tokens, text.as_bytes());
        let (mut token, mut at) = (0, 0);
        // The last `*` seen and where its run ends so far: the only place to go back to.
        let mut retry: Option<(usize, usize)> = None;
        while at < text.len() {
            match tokens.get(token) {
                Some(Token::Run) => {
                    retry = Some((token, at));
                    token += 1;
                }
                Some(one) if one.takes(text[at]) => {
                    token += 1;
                    at += 1;
                }
                _ => match &mut retry {
                    Some((run, end)) => {
                        *end += 1;
                        (token, at) = (*run + 1, *end);
                    }
                    None => return false,
                },
            }
        }
        tokens[token..]
            .iter()
            .all(|token| matches!(token, Token::Run))
    }
}

/// A set, given what follows its `[`: the token and the bytes it takes up.
fn set(text: &[u8]) -> Option<(Token, usize)> {
    let negated = matches!(text.first(), Some(b'!' | b'^'));
    let start = usize::from(negated);
    // A `]` in first place belongs to the set.
    let length = start
        + 1
        + text
            .get(start + 1..)?
            .iter()
            .position(|&byte| byte == b']')?;
    let mut ranges = Vec::new();
    let mut members = &text[start..length];
    while let [low, rest @ ..] = members {
        members = match rest {
            [b'-', high, rest @ ..] => {
                ranges.push((*low, *high));
                rest
            }
            _ => {
                ranges.push((*low, *low));
                rest
            }
        };
    }
    Some((Token::Set { negated, ranges }, length + 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whether each pattern matches each text.
    #[track_caller]
    fn assert_matches(cases: &[(&str, &str, bool)]) {
        for &(pattern, text, expected) in cases {
            let matches = Glob::new(pattern).matches(text);
            assert_eq!(matches, expected, "{pattern} {text}");
        }
    }

    #[test]
    fn stars_match_any_run() {
        assert_matches(&[
            ("*", "", true),
            ("", "", true),
            ("", "a", false),
            ("vfs_*", "vfs_read", true),
            ("vfs_*", "xvfs_read", false),
            ("*page_fault*", "exceptions:page_fault_user", true),
            ("a*b*c", "a__b__b__c", true),
            ("a*b*c", "a__b__b__", false),
            ("*:*open*", "syscalls:sys_enter_openat", true),
            ("**a", "bca", true),
            ("?fs_read", "vfs_read", true),
            ("?", "", false),
        ]);
    }

    #[test]
    fn sets_match_one_of_their_members() {
        assert_matches(&[
            ("sys_[er]*", "sys_read", true),
            ("sys_[a-d]*", "sys_read", false),
            ("sys_[!a-d]*", "sys_read", true),
            ("a[]]", "a]", true),
            ("a[", "a[", true),
            ("a[-z]", "a-", true),
        ]);
    }

    #[test]
    fn many_stars_take_no_exponential_time() {
        let pattern = "*a".repeat(60) + "b";
        assert!(!Glob::new(&pattern).matches(&"a".repeat(5000)));
    }
}
