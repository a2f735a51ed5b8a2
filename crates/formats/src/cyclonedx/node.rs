//! The small tree one element of a document is held in while it is turned into the model: the shape of the JSON
//! encoding, strings borrowed from the input where they hold no escapes, bounded by [`Limits`].

use std::borrow::Cow;
use std::cell::RefCell;
use std::collections::HashSet;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use tocsin_model::diagnostic::{Diagnostic, excerpt};

use crate::input::Limits;

/// A value of a document.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Node<'a> {
    /// JSON `null`, or a value set aside because it passed a limit.
    Null,
    /// A truth value.
    Bool(bool),
    /// A number.
    Number(f64),
    /// A string; every leaf of XML.
    Text(Cow<'a, str>),
    /// An array.
    List(Vec<Node<'a>>),
    /// An object, in document order.
    Map(Vec<(Cow<'a, str>, Node<'a>)>),
}

impl<'a> Node<'a> {
    /// The member called `key`; the last one where it stands twice.
    pub(crate) fn get(&self, key: &str) -> Option<&Node<'a>> {
        match self {
            Node::Map(members) => members.iter().rev().find(|(k, _)| k == key).map(|(_, v)| v),
            _ => None,
        }
    }

    /// The text of this value, if it is one.
    pub(crate) fn text(&self) -> Option<&str> {
        match self {
            Node::Text(t) => Some(t),
            _ => None,
        }
    }

    /// The text of the member called `key`.
    pub(crate) fn text_of(&self, key: &str) -> Option<&str> {
        self.get(key).and_then(Node::text)
    }

    /// The items of the member called `key`; nothing where it is no list.
    pub(crate) fn items(&self, key: &str) -> &[Node<'a>] {
        match self.get(key) {
            Some(Node::List(items)) => items,
            _ => &[],
        }
    }

    /// What kind of value this is, for messages.
    pub(crate) fn kind(&self) -> &'static str {
        match self {
            Node::Null => "null",
            Node::Bool(_) => "a truth value",
            Node::Number(_) => "a number",
            Node::Text(_) => "a string",
            Node::List(_) => "a list",
            Node::Map(_) => "an object",
        }
    }
}

/// What reading a tree needs beside the bytes: the bounds, and a place for remarks.
pub(crate) struct Context<'l> {
    /// Bounds kept.
    pub(crate) limits: &'l Limits,
    /// Remarks not yet given a path.
    pub(crate) remarks: RefCell<Vec<(&'static str, String)>>,
}

impl Context<'_> {
    /// The remarks so far, placed at `path`.
    pub(crate) fn take(&self, path: &str) -> Vec<Diagnostic> {
        self.remarks.take().into_iter().map(|(code, message)| Diagnostic::new(code, path, message)).collect()
    }

    /// Makes a remark on what is being read.
    pub(crate) fn say(&self, code: &'static str, message: String) {
        self.remarks.borrow_mut().push((code, message));
    }

    /// A string as a node; one past the limit is set aside.
    pub(crate) fn string<'a>(&self, text: Cow<'a, str>) -> Node<'a> {
        let limit = self.limits.string_bytes;
        if text.len() <= limit {
            return Node::Text(text);
        }
        let message = format!(
            "a string of {} bytes is longer than {limit} (string_bytes) and was set aside",
            text.len()
        );
        self.say("limit-size", message);
        Node::Null
    }

    /// Says that a list was cut at the limit.
    pub(crate) fn list_cut(&self) {
        let limit = self.limits.list_items;
        self.say(
            "limit-entries",
            format!("a list has more than {limit} items (list_items); the rest was set aside"),
        );
    }

    /// The message of the depth limit.
    pub(crate) fn too_deep(&self) -> String {
        format!("{DEPTH_MARK}: elements nest deeper than {} (depth)", self.limits.depth)
    }
}

/// Marks an error of a parser as one of the depth limit.
pub(crate) const DEPTH_MARK: &str = "limit-depth";

/// Reads one value as a [`Node`].
#[derive(Clone, Copy)]
pub(crate) struct NodeSeed<'c, 'l> {
    /// Bounds and remarks.
    pub(crate) context: &'c Context<'l>,
    /// How deep the value stands.
    pub(crate) depth: u32,
    /// Whether a list read here may be of any length (components inside components).
    pub(crate) unbounded: bool,
}

impl<'de> DeserializeSeed<'de> for NodeSeed<'_, '_> {
    type Value = Node<'de>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Node<'de>, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for NodeSeed<'_, '_> {
    type Value = Node<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Node<'de>, E> {
        Ok(Node::Null)
    }

    fn visit_bool<E>(self, v: bool) -> Result<Node<'de>, E> {
        Ok(Node::Bool(v))
    }

    fn visit_u64<E>(self, v: u64) -> Result<Node<'de>, E> {
        Ok(Node::Number(v as f64))
    }

    fn visit_i64<E>(self, v: i64) -> Result<Node<'de>, E> {
        Ok(Node::Number(v as f64))
    }

    fn visit_f64<E>(self, v: f64) -> Result<Node<'de>, E> {
        Ok(Node::Number(v))
    }

    fn visit_borrowed_str<E>(self, v: &'de str) -> Result<Node<'de>, E> {
        Ok(self.context.string(Cow::Borrowed(v)))
    }

    fn visit_str<E>(self, v: &str) -> Result<Node<'de>, E> {
        Ok(self.context.string(Cow::Owned(v.to_owned())))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Node<'de>, A::Error> {
        let inner = self.inner::<A::Error>()?;
        let mut items = Vec::new();
        while let Some(item) = seq.next_element_seed(inner)? {
            if !self.unbounded && items.len() == self.context.limits.list_items {
                self.context.list_cut();
                while seq.next_element::<serde::de::IgnoredAny>()?.is_some() {}
                break;
            }
            items.push(item);
        }
        Ok(Node::List(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Node<'de>, A::Error> {
        let inner = self.inner::<A::Error>()?;
        let mut members: Vec<(Cow<'de, str>, Node<'de>)> = Vec::new();
        while let Some(Key(key)) = map.next_key()? {
            let unbounded = matches!(&*key, "components" | "dependsOn" | "dependencies");
            members.push((key, map.next_value_seed(NodeSeed { unbounded, ..inner })?));
        }
        let mut seen = HashSet::with_capacity(members.len());
        for (key, _) in &members {
            if !seen.insert(&**key) {
                let message = format!("the key {:?} stands twice in one object", excerpt(key));
                self.context.say("input-duplicate-key", message);
            }
        }
        Ok(Node::Map(members))
    }
}

impl NodeSeed<'_, '_> {
    fn inner<E: serde::de::Error>(self) -> Result<Self, E> {
        if self.depth >= self.context.limits.depth {
            return Err(E::custom(self.context.too_deep()));
        }
        Ok(NodeSeed { depth: self.depth + 1, unbounded: false, ..self })
    }
}

/// A key of an object, borrowed where it holds no escapes.
pub(crate) struct Key<'a>(pub(crate) Cow<'a, str>);

impl<'de> serde::Deserialize<'de> for Key<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct KeyVisitor;
        impl<'de> Visitor<'de> for KeyVisitor {
            type Value = Key<'de>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a key")
            }
            fn visit_borrowed_str<E>(self, v: &'de str) -> Result<Key<'de>, E> {
                Ok(Key(Cow::Borrowed(v)))
            }
            fn visit_str<E>(self, v: &str) -> Result<Key<'de>, E> {
                Ok(Key(Cow::Owned(v.to_owned())))
            }
        }
        deserializer.deserialize_str(KeyVisitor)
    }
}
