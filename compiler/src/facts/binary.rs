//! A program or a shared library as the compiler sees it: the names that probes can use, and where they are in the file.
//!
//! In come the parts of an ELF file, out go places in that file. It deliberately leaves out how the file is read (the
//! runtime does that), what its types are, and where processes have it mapped.

/// What is known of one file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Binary {
    /// The linker's name for this very content; empty if it gave none.
    pub build_id: Vec<u8>,
    /// Whether it is loaded at an address of the kernel's choice, so that its addresses count from there: shared
    /// libraries and most programs.
    pub position_independent: bool,
    /// What is mapped of the file when it is loaded.
    pub segments: Vec<Segment>,
    /// The places that the file's authors have marked for probes (`.note.stapsdt`), sorted.
    pub markers: Vec<Marker>,
    /// Sorted.
    functions: Vec<FunctionSymbol>,
}

/// A place that a file's authors have marked: a USDT probe.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Marker {
    /// Who speaks, such as `libc`.
    pub provider: String,
    /// What happens there.
    pub name: String,
    /// Of the marked instruction, by the file's own count.
    pub address: u64,
    /// Of the 16-bit counter that says whether anybody listens; 0 if there is none.
    pub semaphore: u64,
    /// Where the arguments are, as the file says it: `-4@%eax 8@-16(%rbp)`.
    pub arguments: String,
}

/// A part of a file that is mapped in one piece.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Segment {
    /// Where it begins in the file, in bytes.
    pub offset: u64,
    /// Where it begins by the file's own count.
    pub address: u64,
    /// In bytes, as far as they come from the file.
    pub size: u64,
}

impl Segment {
    /// Where in the file an address is, in bytes from its start; `None` if it is not in this part.
    pub fn file_offset(&self, address: u64) -> Option<u64> {
        let within = address.checked_sub(self.address)?;
        (within < self.size).then(|| within.checked_add(self.offset))?
    }

    /// The address, by the file's own count, of what lies at an offset in it; the reverse of [`Segment::file_offset`].
    pub fn address_of(&self, offset: u64) -> Option<u64> {
        let within = offset.checked_sub(self.offset)?;
        (within < self.size).then(|| within.checked_add(self.address))?
    }
}

/// A function that a file defines.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct FunctionSymbol {
    /// As the file has it: mangled if the language mangles.
    pub name: String,
    /// By the file's own count; [`Binary::file_offset`] makes it a place in the file.
    pub address: u64,
    /// In bytes; 0 if the file does not tell, as for some functions written in assembly.
    pub size: u64,
    /// An indirect function (`STT_GNU_IFUNC`): the code here runs once and picks the function that calls go to.
    pub indirect: bool,
}

/// A variable that a file defines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VariableSymbol {
    /// By the file's own count.
    pub address: u64,
    /// In bytes.
    pub size: u64,
    /// Whether that count begins at an address of the kernel's choice, as [`Binary::position_independent`] has it.
    pub position_independent: bool,
}

impl Binary {
    /// The same file with these functions.
    #[must_use]
    pub fn with_functions(mut self, mut functions: Vec<FunctionSymbol>) -> Binary {
        functions.sort_unstable();
        // Two tables of symbols may have the same one, and two versions of a symbol the same place.
        functions.dedup_by(|one, other| one.name == other.name && one.address == other.address);
        self.functions = functions;
        self
    }

    /// All functions, sorted by name, then address.
    pub fn functions(&self) -> &[FunctionSymbol] {
        &self.functions
    }

    /// The functions of a name, by address. Functions that are local to a source file may share one; where there are
    /// symbol versions, so may exported ones.
    pub fn functions_named(&self, name: &str) -> &[FunctionSymbol] {
        let start = self.functions.partition_point(|f| f.name.as_str() < name);
        let rest = &self.functions[start..];
        &rest[..rest.partition_point(|f| f.name == name)]
    }

    /// The function that an address is in.
    pub fn function_at(&self, address: u64) -> Option<&FunctionSymbol> {
        self.functions.iter().find(|function| {
            let within = address.checked_sub(function.address);
            within.is_some_and(|within| within == 0 || within < function.size)
        })
    }

    /// Where in the file an address is, in bytes from its start: what the kernel wants for a uprobe or for the semaphore
    /// of a USDT probe. `None` if the file has no such byte.
    pub fn file_offset(&self, address: u64) -> Option<u64> {
        self.segments
            .iter()
            .find_map(|segment| segment.file_offset(address))
    }

    /// The address, by the file's own count, of what lies at an offset in it; the reverse of [`Binary::file_offset`].
    pub fn address(&self, offset: u64) -> Option<u64> {
        self.segments
            .iter()
            .find_map(|segment| segment.address_of(offset))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn function(name: &str, address: u64) -> FunctionSymbol {
        FunctionSymbol {
            name: name.to_owned(),
            address,
            size: 16,
            indirect: false,
        }
    }

    #[test]
    fn functions_are_found_by_name() {
        let binary = Binary::default().with_functions(vec![
            function("write", 0x50),
            function("init", 0x40),
            function("main", 0x10),
            function("init", 0x20),
        ]);
        assert!(binary.functions().is_sorted());
        assert_eq!(
            binary.functions_named("init"),
            [function("init", 0x20), function("init", 0x40)]
        );
        assert_eq!(binary.functions_named("write"), [function("write", 0x50)]);
        for name in ["", "ini", "inits", "zero"] {
            assert_eq!(binary.functions_named(name), []);
        }
        assert_eq!(Binary::default().functions_named("main"), []);
    }

    #[test]
    fn addresses_and_offsets_are_told_by_segments() {
        let segment = |offset, address, size| Segment {
            offset,
            address,
            size,
        };
        let binary = Binary {
            segments: vec![
                segment(0, 0x40_0000, 0x100),
                segment(0x1000, 0x40_3000, 0x80),
                segment(u64::MAX - 1, 0x50_0000, 0x10),
            ],
            ..Binary::default()
        };
        for (address, offset) in [(0x40_0000, 0), (0x40_00ff, 0xff), (0x40_3010, 0x1010)] {
            assert_eq!(binary.file_offset(address), Some(offset));
            assert_eq!(binary.address(offset), Some(address));
        }
        // Behind a segment, before the first, and where the sum is no number.
        for address in [0x40_0100, 0x3f_ffff, 0x40_3080, 0x50_0002, u64::MAX] {
            assert_eq!(binary.file_offset(address), None);
        }
        assert_eq!(binary.address(0x100), None);
        // One that says to be larger than what there is, which an address before it would be in if counted modulo 2^64.
        let endless = segment(8, 16, u64::MAX);
        assert_eq!(endless.file_offset(15), None);
        assert_eq!(endless.address_of(7), None);
        assert_eq!(endless.file_offset(16), Some(8));
    }
}
