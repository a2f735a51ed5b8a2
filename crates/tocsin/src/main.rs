//! The `tocsin` program; everything it does is in the library.

use std::process::ExitCode;

/// Scans allocate many small strings; this allocator is markedly faster at that than the system's.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    tocsin::cli::main()
}
