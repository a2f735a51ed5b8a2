//! The name of a server among those that share a database.

use std::fs::{File, OpenOptions};
use std::io::{Read, Seek, Write};
use std::path::Path;

use crate::server::random;

/// This server. Its name is kept in the data folder, so that the next server there knows whose jobs were left behind;
/// a lock sees to it that only one server at a time has it. A second one on the same folder is called otherwise.
pub struct Node {
    name: String,
    /// Held for as long as the name.
    _lock: Option<File>,
}

impl Node {
    /// The node of a data folder.
    pub fn of(data_dir: &Path) -> Node {
        locked(&data_dir.join("node")).unwrap_or_else(|| Node { name: fresh(), _lock: None })
    }

    /// The name.
    pub fn name(&self) -> &str {
        &self.name
    }
}

fn fresh() -> String {
    let mut bytes = [0_u8; 8];
    random(&mut bytes);
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

/// Without the file the name is new each time, and jobs left behind wait for their leases to run out.
fn locked(path: &Path) -> Option<Node> {
    let mut file = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path).ok()?;
    file.try_lock().ok()?;
    let mut name = String::new();
    // a name that cannot be read is replaced
    let _ = Read::by_ref(&mut file).take(64).read_to_string(&mut name);
    let known = name.trim();
    if known.len() == 16 && known.bytes().all(|b| b.is_ascii_hexdigit()) {
        return Some(Node { name: known.to_owned(), _lock: Some(file) });
    }
    let name = fresh();
    file.set_len(0).ok()?;
    file.rewind().ok()?;
    file.write_all(name.as_bytes()).ok()?;
    file.sync_all().ok()?;
    Some(Node { name, _lock: Some(file) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_has_one_node_at_a_time_and_keeps_its_name() {
        let dir = tempfile::tempdir().unwrap();
        let first = Node::of(dir.path());
        let name = first.name().to_owned();
        assert_ne!(Node::of(dir.path()).name(), name, "two at once are two");
        drop(first);
        assert_eq!(Node::of(dir.path()).name(), name);
        std::fs::write(dir.path().join("node"), "no name at all").unwrap();
        let renamed = Node::of(dir.path()).name().to_owned();
        assert_eq!(Node::of(dir.path()).name(), renamed);
    }
}
