//! How an operating system is built, from the texts that say so: `os-release` (os-release(5) of systemd), the kernel's
//! `.config` (kernel documentation, "Kconfig"), lists of packages; and what of the kernel's self-protection is on.

use std::collections::BTreeMap;

/// Most settings of one text that are kept.
const MOST: usize = 50_000;

/// Fields of an `os-release`, in their order. Lines that assign nothing are passed over.
pub fn os_release(text: &str) -> Vec<(String, String)> {
    let mut out: Vec<(String, String)> = Vec::new();
    for line in text.lines().map(str::trim).filter(|l| !l.starts_with('#')).take(MOST) {
        let Some((name, value)) = line.split_once('=') else { continue };
        let word = |b: u8| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'_';
        if name.is_empty() || !name.bytes().all(word) {
            continue;
        }
        let value = unquote(value.trim());
        match out.iter_mut().find(|(n, _)| n == name) {
            // the last assignment counts, as in a shell
            Some((_, v)) => *v = value,
            None => out.push((name.to_owned(), value)),
        }
    }
    out
}

/// A value as a shell reads it: in quotes, with backslashes before `"`, `$`, backslash and backtick.
fn unquote(value: &str) -> String {
    let inner = |q: char| value.strip_prefix(q).and_then(|v| v.strip_suffix(q));
    if let Some(plain) = inner('\'') {
        return plain.to_owned();
    }
    let body = inner('"').unwrap_or(value);
    let mut out = String::with_capacity(body.len());
    let mut chars = body.chars();
    while let Some(c) = chars.next() {
        out.push(if c == '\\' { chars.next().unwrap_or(c) } else { c });
    }
    out
}

/// Options of a kernel's `.config` by name without `CONFIG_`: `y`, `m`, `n` (also for `# CONFIG_X is not set`), or the
/// text or number they are set to.
pub fn kernel_config(text: &str) -> BTreeMap<String, String> {
    let mut out = BTreeMap::new();
    for line in text.lines().map(str::trim).take(MOST) {
        if let Some(name) = line.strip_prefix("# CONFIG_").and_then(|l| l.strip_suffix(" is not set")) {
            out.insert(name.to_owned(), "n".to_owned());
        } else if let Some((name, value)) = line.strip_prefix("CONFIG_").and_then(|l| l.split_once('=')) {
            out.insert(name.to_owned(), unquote(value.trim()));
        }
    }
    out
}

/// The kernel's version, from the comment that its configuration begins with: `Linux/arm64 6.6.30 Kernel Configuration`.
pub fn kernel_version(text: &str) -> Option<String> {
    let line = text.lines().take(10).find(|l| l.contains("Kernel Configuration"))?;
    let version = |w: &&str| w.starts_with(|c: char| c.is_ascii_digit()) && w.contains('.');
    line.split_whitespace().find(version).map(str::to_owned)
}

/// Packages, one a line: the name, then the version where there is one (`openssl 3.0.7-1`, `openssl-3.0.7`,
/// `ii  openssl:arm64  3.0.7-1  arm64 …` of dpkg, `openssl=3.0.7`).
pub fn packages(text: &str) -> Vec<(String, String)> {
    let mut out = Vec::new();
    for line in text.lines().map(str::trim).filter(|l| !l.is_empty() && !l.starts_with('#')).take(MOST) {
        let mut words: Vec<&str> = line.split(['\t', ' ', ',', '=']).filter(|w| !w.is_empty()).collect();
        // the state of dpkg -l
        if words.len() > 2
            && words.first().is_some_and(|w| w.len() <= 3 && ["ii", "hi", "rc", "un"].contains(w))
        {
            words.remove(0);
        }
        let Some(name) = words.first() else { continue };
        let name = name.split(':').next().unwrap_or(name);
        match words.get(1) {
            Some(version) => out.push((name.to_owned(), (*version).to_owned())),
            None => {
                // NAME-VERSION: the version begins at the last hyphen before a digit, but for a revision behind it
                let digit = |at: usize| name.as_bytes().get(at + 1).is_some_and(u8::is_ascii_digit);
                match name.match_indices('-').map(|(at, _)| at).find(|at| *at > 0 && digit(*at)) {
                    Some(at) => {
                        let (name, version) = name.split_at(at);
                        out.push((name.to_owned(), version.trim_start_matches('-').to_owned()));
                    }
                    None => out.push((name.to_owned(), String::new())),
                }
            }
        }
    }
    out
}

/// What a kernel option does for security, and how it is set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Measure {
    /// Option without `CONFIG_`.
    pub option: &'static str,
    /// What it should be.
    pub wanted: &'static str,
    /// What it does.
    pub what: &'static str,
    /// What it is; nothing where the configuration does not tell, which means it is off.
    pub found: Option<String>,
    /// It is as it should be.
    pub good: bool,
}

/// Options of the kernel's self-protection, what they should be and do (Kernel Self Protection Project, recommended
/// settings; kernel documentation, "Kernel Self-Protection").
const MEASURES: &[(&str, &str, &str)] = &[
    ("STRICT_KERNEL_RWX", "y", "kernel code cannot be written, kernel data cannot be run"),
    ("STRICT_MODULE_RWX", "y", "the same for modules"),
    ("RANDOMIZE_BASE", "y", "the kernel lies at another address at each boot"),
    ("RANDOMIZE_MEMORY", "y", "so do the regions of its memory (x86)"),
    ("STACKPROTECTOR_STRONG", "y", "an overflow of the stack is found before the function returns"),
    ("VMAP_STACK", "y", "a stack that grows too far meets a guard page"),
    ("HARDENED_USERCOPY", "y", "copies to and from programs stay within their object"),
    ("FORTIFY_SOURCE", "y", "sizes are checked in copies of strings and memory"),
    ("SLAB_FREELIST_RANDOM", "y", "the order of free objects cannot be guessed"),
    ("SLAB_FREELIST_HARDENED", "y", "pointers between free objects are checked"),
    ("INIT_ON_ALLOC_DEFAULT_ON", "y", "memory is cleared when it is given out"),
    ("INIT_STACK_ALL_ZERO", "y", "variables on the stack begin as zero"),
    ("BUG_ON_DATA_CORRUPTION", "y", "broken kernel structures stop the kernel"),
    ("SECURITY", "y", "security modules can be used"),
    ("SECCOMP", "y", "programs can give up system calls"),
    ("SECCOMP_FILTER", "y", "they can choose which"),
    ("SECURITY_YAMA", "y", "a program cannot look into another's memory at will"),
    ("SECURITY_LOCKDOWN_LSM", "y", "root cannot change the running kernel"),
    ("MODULE_SIG", "y", "modules are signed"),
    ("MODULE_SIG_FORCE", "y", "unsigned modules are refused"),
    ("SECURITY_DMESG_RESTRICT", "y", "only root reads the kernel's log"),
    ("STRICT_DEVMEM", "y", "/dev/mem does not reach the kernel"),
    ("LEGACY_VSYSCALL_NONE", "y", "no page of the kernel lies at a known address in programs (x86)"),
    ("DEVMEM", "n", "no /dev/mem"),
    ("DEVKMEM", "n", "no /dev/kmem"),
    ("PROC_KCORE", "n", "no image of the kernel's memory in /proc"),
    ("KEXEC", "n", "no other kernel can be started"),
    ("HIBERNATION", "n", "memory is not written to disk"),
    ("BINFMT_MISC", "n", "no further formats of programs"),
    ("COMPAT_BRK", "n", "the heap of programs is randomised"),
    ("MODIFY_LDT_SYSCALL", "n", "no changes of segment tables by programs (x86)"),
    ("DEBUG_FS", "n", "no debugging interface"),
];

/// How a configuration does against the kernel's recommended self-protection. Options of another architecture than the
/// configuration's are left out where it names one.
pub fn measures(config: &BTreeMap<String, String>) -> Vec<Measure> {
    let on = |name: &str| config.get(name).is_some_and(|v| v == "y");
    let elsewhere = !on("X86") && (on("ARM") || on("ARM64") || on("RISCV") || on("MIPS") || on("PPC"));
    let measure = |(option, wanted, what): &(&'static str, &'static str, &'static str)| {
        let found = config.get(*option).cloned();
        let good = found.as_deref().unwrap_or("n") == *wanted;
        Measure { option, wanted, what, found, good }
    };
    let ours = |m: &&(&str, &str, &str)| !(elsewhere && m.2.ends_with("(x86)"));
    if config.is_empty() { Vec::new() } else { MEASURES.iter().filter(ours).map(measure).collect() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_os_release_is_read_as_a_shell_does() {
        let text = "# made\nNAME=\"Pump \\\"OS\\\"\"\nVERSION_ID='3.1'\nID=pumpos\nID=pump\nnot a line\nlower=x\n\
                    PRETTY_NAME=\"Pump \\$OS\"";
        let is = os_release(text);
        let wanted =
            [("NAME", "Pump \"OS\""), ("VERSION_ID", "3.1"), ("ID", "pump"), ("PRETTY_NAME", "Pump $OS")];
        assert_eq!(is, wanted.map(|(a, b)| (a.to_owned(), b.to_owned())));
    }

    #[test]
    fn a_kernel_is_measured_by_its_configuration() {
        let text = "#\n# Linux/arm64 6.6.30 Kernel Configuration\n#\nCONFIG_ARM64=y\nCONFIG_STRICT_KERNEL_RWX=y\n\
                    # CONFIG_DEVMEM is not set\nCONFIG_KEXEC=y\nCONFIG_LOCALVERSION=\"-pump\"\nCONFIG_HZ=250";
        assert_eq!(kernel_version(text).as_deref(), Some("6.6.30"));
        let config = kernel_config(text);
        assert_eq!(
            (config["HZ"].as_str(), config["LOCALVERSION"].as_str(), config["DEVMEM"].as_str()),
            ("250", "-pump", "n")
        );
        let all = measures(&config);
        let of = |name: &str| all.iter().find(|m| m.option == name);
        assert!(
            of("STRICT_KERNEL_RWX").unwrap().good
                && of("DEVMEM").unwrap().good
                && of("DEVKMEM").unwrap().good
        );
        assert!(!of("KEXEC").unwrap().good && !of("SECCOMP").unwrap().good);
        assert!(of("RANDOMIZE_MEMORY").is_none(), "x86 alone");
        assert!(measures(&BTreeMap::new()).is_empty());
    }

    #[test]
    fn lists_of_packages_are_read_in_their_common_forms() {
        for (line, name, version) in [
            ("openssl 3.0.7-1", "openssl", "3.0.7-1"),
            ("ii  openssl:arm64   3.0.7-1  arm64  toolkit", "openssl", "3.0.7-1"),
            ("zlib=1.3", "zlib", "1.3"),
            ("libssl3-3.0.7-r2", "libssl3", "3.0.7-r2"),
            ("gtk-2-engines", "gtk", "2-engines"),
            ("busybox", "busybox", ""),
        ] {
            assert_eq!(packages(line), [(name.to_owned(), version.to_owned())], "{line}");
        }
        assert!(packages("# none\n\n").is_empty());
    }
}
