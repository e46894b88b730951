//! Prints `bpf/abi.h`, for `probes/build`.

fn main() {
    print!("{}", pfscript_probes::abi::c_header());
}
