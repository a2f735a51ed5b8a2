//! Files that appear whole or not at all, and hashing what goes through.

use std::fs::{File, OpenOptions};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use crate::error::{Doing, Error, Result};
use crate::platform::lock;

/// A file on its way, under another name in the same folder, readable by its owner alone. What a killed process
/// left behind is written over by the next one of the same name.
pub(crate) struct Pending {
    path: PathBuf,
    temp: PathBuf,
    /// To write to.
    pub file: File,
}

impl Pending {
    /// Begins to write `path`.
    ///
    /// # Errors
    /// [`Error::Conflict`]: there is a file of that name, or another process writes it. The folder cannot be
    /// written.
    pub fn create(path: &Path) -> Result<Pending> {
        let taken = || Error::Conflict(format!("{} is there already; give another name", path.display()));
        if path.symlink_metadata().is_ok() {
            return Err(taken());
        }
        let name = path.file_name().ok_or_else(|| Error::Rejected {
            field: "file".to_owned(),
            message: format!("{} names no file", path.display()),
        })?;
        let temp = path.with_file_name(format!(".{}.partial", name.to_string_lossy()));
        let what = format!("making {}", temp.display());
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let file = options.open(&temp).doing(&what)?;
        lock::taken(&file, &format!("another process is writing {}", path.display()))?;
        file.set_len(0).doing(&what)?;
        Ok(Pending { path: path.to_owned(), temp, file })
    }

    /// A name for what is needed on the way.
    pub fn beside(&self, ending: &str) -> PathBuf {
        let mut name = self.temp.clone().into_os_string();
        name.push(ending);
        PathBuf::from(name)
    }

    /// Where it is while it is written.
    pub fn temp(&self) -> &Path {
        &self.temp
    }

    /// Gives the file its name; nothing of that name is ever written over.
    ///
    /// # Errors
    /// A file of that name has come into being; the disk did not take everything.
    pub fn finish(self) -> Result<()> {
        let what = format!("writing {}", self.path.display());
        self.file.sync_all().doing(&what)?;
        match std::fs::hard_link(&self.temp, &self.path) {
            Ok(()) => {}
            Err(e) if e.kind() == std::io::ErrorKind::AlreadyExists => {
                return Err(Error::Conflict(format!("{} is there already", self.path.display())));
            }
            // some file systems have no links
            Err(_) if self.path.symlink_metadata().is_err() => {
                std::fs::rename(&self.temp, &self.path).doing(&what)?;
            }
            Err(e) => return Err(e).doing(&what),
        }
        sync_folder(&self.path).doing(&what)
    }
}

impl Drop for Pending {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.temp);
    }
}

/// Makes names in the folder of `path` last.
pub(crate) fn sync_folder(path: &Path) -> std::io::Result<()> {
    let folder = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or_else(|| Path::new("."));
    File::open(folder)?.sync_all()
}

/// A file that is taken away with this.
pub(crate) struct Scratch(pub PathBuf);

impl Scratch {
    /// Takes what a killed process left behind away.
    pub fn new(path: PathBuf) -> Scratch {
        let scratch = Scratch(path);
        scratch.clear();
        scratch
    }

    fn clear(&self) {
        for ending in ["", "-journal", "-wal", "-shm"] {
            let mut name = self.0.clone().into_os_string();
            name.push(ending);
            let _ = std::fs::remove_file(name);
        }
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        self.clear();
    }
}

/// How much went through, and its hash.
#[derive(Clone, Default)]
pub(crate) struct Seen {
    pub bytes: u64,
    hash: Sha256,
}

impl Seen {
    fn add(&mut self, bytes: &[u8]) {
        self.bytes += bytes.len() as u64;
        self.hash.update(bytes);
    }

    /// SHA-256 in hexadecimal.
    pub fn sha256(&self) -> String {
        self.hash.clone().finalize().iter().map(|b| format!("{b:02x}")).collect()
    }

    /// Of bytes that are all there.
    pub fn of(bytes: &[u8]) -> Seen {
        let mut seen = Seen::default();
        seen.add(bytes);
        seen
    }
}

/// Reads or writes through, looking.
pub(crate) struct Through<'a, T> {
    pub inner: T,
    pub seen: &'a mut Seen,
}

impl<T: Read> Read for Through<'_, T> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let n = self.inner.read(buffer)?;
        self.seen.add(buffer.get(..n).unwrap_or_default());
        Ok(n)
    }
}

impl<T: Write> Write for Through<'_, T> {
    fn write(&mut self, buffer: &[u8]) -> std::io::Result<usize> {
        let n = self.inner.write(buffer)?;
        self.seen.add(buffer.get(..n).unwrap_or_default());
        Ok(n)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.inner.flush()
    }
}
