//! Strict mode: what the specification asks of a document, as a table.

use tocsin_model::diagnostic::Diagnostic;

use super::VERSIONS;
use super::node::Node;

/// The checks of one specification version.
pub(super) struct Strict {
    known: bool,
}

impl Strict {
    /// Checks for a document of this version.
    pub(super) fn new(version: &str) -> Self {
        Strict { known: VERSIONS.contains(&version) }
    }

    /// Checks a member of the top level.
    pub(super) fn member(&self, _key: &str, _node: &Node<'_>, _said: &mut [Diagnostic]) {}

    /// Checks an item of a list of the top level.
    pub(super) fn item(&self, _key: &str, _path: &str, _node: &Node<'_>, _said: &mut [Diagnostic]) {}

    /// Checks what members the document has.
    pub(super) fn top(&self, _has: &dyn Fn(&str) -> bool, said: &mut Vec<Diagnostic>) {
        if !self.known {
            said.push(Diagnostic::new("schema-violation", "specVersion", "no known specification version"));
        }
    }
}
