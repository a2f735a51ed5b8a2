//! The Protocol Buffers encoding (1.3 and later; `bom-1.x.proto`, whose field numbers no version changed), brought
//! into the shape of the JSON encoding. Only the fields the readers use are listed; all others are passed over.

use std::borrow::Cow;

use tocsin_model::bom::Bom;
use tocsin_model::diagnostic::Diagnostic;

use super::build::Builder;
use super::node::{Context, Node};
use super::strict::Strict;
use crate::input::ReadOptions;

/// A field of a message: its number, its name in JSON, and what it holds.
type Field = (u64, &'static str, Kind);

#[derive(Clone, Copy)]
enum Kind {
    Text,
    Texts,
    One(&'static [Field]),
    Many(&'static [Field]),
    /// Messages of which JSON has the field 1 alone.
    Refs,
    Time,
    /// An enumeration: its words from 0 on, `-` for nothing told.
    Word(&'static str),
}
use Kind::{Many, One, Refs, Text, Texts, Time, Word};

static METADATA: [Field; 7] = [
    (1, "timestamp", Time),
    (2, "tools", Many(&TOOL)),
    (3, "authors", Many(&ENTITY)),
    (4, "component", One(&COMPONENT)),
    (5, "manufacture", One(&ENTITY)),
    (6, "supplier", One(&ENTITY)),
    (10, "manufacturer", One(&ENTITY)),
];
static TOOL: [Field; 4] =
    [(1, "vendor", Text), (2, "name", Text), (3, "version", Text), (6, "components", Many(&COMPONENT))];
/// Organisations and people; what a person has at 2 is the email.
static ENTITY: [Field; 1] = [(1, "name", Text)];
static COMPONENT: [Field; 20] = [
    (1, "type", Word(TYPES)),
    (3, "bom-ref", Text),
    (4, "supplier", One(&ENTITY)),
    (5, "author", Text),
    (6, "publisher", Text),
    (7, "group", Text),
    (8, "name", Text),
    (9, "version", Text),
    (11, "scope", Word("- required optional excluded")),
    (12, "hashes", Many(&HASH)),
    (13, "licenses", Many(&CHOICE)),
    (15, "cpe", Text),
    (16, "purl", Text),
    (19, "pedigree", One(&PEDIGREE)),
    (20, "externalReferences", Many(&REFERENCE)),
    (21, "components", Many(&COMPONENT)),
    (22, "properties", Many(&PROPERTY)),
    (23, "evidence", One(&EVIDENCE)),
    (28, "manufacturer", One(&ENTITY)),
    (29, "authors", Many(&ENTITY)),
];
static HASH: [Field; 2] = [(1, "alg", Word(HASHES)), (2, "content", Text)];
static CHOICE: [Field; 3] =
    [(1, "license", One(&LICENSE)), (2, "expression", Text), (5, "detailed", One(&DETAILED))];
static DETAILED: [Field; 1] = [(1, "expression", Text)];
static LICENSE: [Field; 3] = [(1, "id", Text), (2, "name", Text), (3, "text", One(&ATTACHMENT))];
static ATTACHMENT: [Field; 2] = [(2, "encoding", Text), (3, "content", Text)];
static PEDIGREE: [Field; 1] = [(5, "patches", Many(&PATCH))];
static PATCH: [Field; 2] =
    [(1, "type", Word("- unofficial monkey backport cherry-pick")), (3, "resolves", Many(&ISSUE))];
static ISSUE: [Field; 2] = [(1, "type", Word("- defect enhancement security")), (2, "id", Text)];
static REFERENCE: [Field; 2] = [(1, "type", Word(REFERENCES)), (2, "url", Text)];
static PROPERTY: [Field; 2] = [(1, "name", Text), (2, "value", Text)];
static EVIDENCE: [Field; 2] = [(3, "identity", Many(&IDENTITY)), (4, "occurrences", Many(&OCCURRENCE))];
static IDENTITY: [Field; 2] = [
    (1, "field", Word("- group name version purl cpe swid hash omniborId swhid")),
    (5, "concludedValue", Text),
];
static OCCURRENCE: [Field; 1] = [(2, "location", Text)];
static DEPENDENCY: [Field; 3] = [(1, "ref", Text), (2, "dependsOn", Refs), (3, "provides", Texts)];
static VULNERABILITY: [Field; 4] = [
    (2, "id", Text),
    (4, "references", Many(&[(1, "id", Text)])),
    (16, "analysis", One(&ANALYSIS)),
    (17, "affects", Many(&AFFECTS)),
];
static ANALYSIS: [Field; 5] = [
    (1, "state", Word(STATES)),
    (2, "justification", Word(JUSTIFICATIONS)),
    (4, "detail", Text),
    (5, "firstIssued", Time),
    (6, "lastUpdated", Time),
];
static AFFECTS: [Field; 2] = [(1, "ref", Text), (2, "versions", Many(&VERSIONS))];
static VERSIONS: [Field; 3] =
    [(1, "version", Text), (2, "range", Text), (3, "status", Word("unknown affected unaffected"))];

const TYPES: &str = "- application framework library operating-system device file container firmware device-driver \
    platform machine-learning-model data cryptographic-asset";
const HASHES: &str = "- MD5 SHA-1 SHA-256 SHA-384 SHA-512 SHA3-256 SHA3-384 SHA3-512 BLAKE2b-256 BLAKE2b-384 BLAKE2b-512 \
    BLAKE3 Streebog-256 Streebog-512";
const STATES: &str = "- resolved resolved_with_pedigree exploitable in_triage false_positive not_affected";
const JUSTIFICATIONS: &str = "- code_not_present code_not_reachable requires_configuration requires_dependency \
    requires_environment protected_by_compiler protected_at_runtime protected_at_perimeter \
    protected_by_mitigating_control";
const REFERENCES: &str = "other vcs issue-tracker website advisories bom mailing-list social chat documentation support \
    distribution license build-meta build-system security-contact attestation threat-model \
    adversary-model risk-assessment distribution-intake vulnerability-assertion exploitability-statement \
    pentest-report static-analysis-report dynamic-analysis-report runtime-analysis-report \
    component-analysis-report maturity-report certification-report quality-metrics \
    codified-infrastructure model-card poam log configuration evidence formulation source-distribution \
    electronic-signature digital-signature rfc-9116 release-notes patent patent-family patent-assertion \
    citation";

/// What a field holds on the wire.
enum Value<'a> {
    Number(u64),
    Bytes(&'a [u8]),
    Fixed,
}

/// The fields of a message, in the order they come.
struct Wire<'a>(&'a [u8]);

impl<'a> Wire<'a> {
    fn take(&mut self, n: u64) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(usize::try_from(n).ok()?)?;
        self.0 = rest;
        Some(taken)
    }

    fn varint(&mut self) -> Option<u64> {
        let mut out = 0u64;
        for shift in (0..64).step_by(7) {
            let byte = *self.take(1)?.first()?;
            out |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Some(out);
            }
        }
        None
    }

    fn field(&mut self) -> Option<(u64, Value<'a>)> {
        let tag = self.varint()?;
        let value = match tag & 7 {
            0 => Value::Number(self.varint()?),
            1 => self.take(8).map(|_| Value::Fixed)?,
            2 => {
                let length = self.varint()?;
                Value::Bytes(self.take(length)?)
            }
            5 => self.take(4).map(|_| Value::Fixed)?,
            _ => return None,
        };
        (tag >> 3 > 0).then_some((tag >> 3, value))
    }

    /// The next field; nothing at the end.
    ///
    /// # Errors
    /// The bytes are no message.
    fn next(&mut self) -> Result<Option<(u64, Value<'a>)>, Diagnostic> {
        if self.0.is_empty() {
            return Ok(None);
        }
        let broken = || Diagnostic::new("input-syntax", "", "a field is cut short or of no known wire type");
        self.field().map(Some).ok_or_else(broken)
    }
}

/// Whether the bytes are such a document: field 1 comes first and holds a version, a control character before it,
/// and fields fill the rest to the byte. No text and no archive begins so.
pub(super) fn recognise(bytes: &[u8]) -> bool {
    let version = matches!(bytes, [0x0a, 3, b'1', b'.', digit, ..] if digit.is_ascii_digit());
    let mut wire = Wire(bytes);
    version && std::iter::from_fn(|| wire.next().transpose()).all(|f| f.is_ok_and(|(n, _)| n < 1000))
}

/// Reads a document.
///
/// # Errors
/// It is no message, or nests too deep.
pub(super) fn read(bytes: &[u8], options: &ReadOptions) -> Result<Bom, Vec<Diagnostic>> {
    let context = Context { limits: &options.limits, remarks: Default::default() };
    let version = match Wire(bytes).next() {
        Ok(Some((1, Value::Bytes(version)))) => String::from_utf8_lossy(version),
        _ => Cow::Borrowed(""),
    };
    let mut builder = Builder::new("protobuf", options.strict.then(|| Strict::new(&version)));
    let mut counts = [0usize; 3];
    let mut wire = Wire(bytes);
    while let Some((number, value)) = wire.next().map_err(|d| vec![d])? {
        let (key, node) = match (number, value) {
            (1, Value::Bytes(b)) => ("specVersion", text(b, &context)),
            (2, Value::Number(n)) => ("version", Node::Number(n as f64)),
            (3, Value::Bytes(b)) => ("serialNumber", text(b, &context)),
            (4, Value::Bytes(b)) => {
                ("metadata", message(b, &METADATA, &context, 1).map(tools).map_err(|d| vec![d])?)
            }
            (n @ (5 | 8 | 10), Value::Bytes(b)) => {
                let (key, fields, at) = match n {
                    5 => ("components", &COMPONENT[..], 0),
                    8 => ("dependencies", &DEPENDENCY[..], 1),
                    _ => ("vulnerabilities", &VULNERABILITY[..], 2),
                };
                let count = counts.get_mut(at).map_or(0, |c| std::mem::replace(c, *c + 1));
                let path = format!("{key}[{count}]");
                let node = message(b, fields, &context, 2).map_err(|mut d| {
                    d.path.clone_from(&path);
                    vec![d]
                })?;
                builder.remarks(context.take(&path));
                builder.item(key, &path, &node);
                continue;
            }
            _ => continue,
        };
        builder.remarks(context.take(key));
        builder.member(key, node);
    }
    builder.end_of_members(&|key| key == "bomFormat");
    Ok(builder.finish())
}

/// 1.5 and later: one tool message holds components and services, which JSON has as an object.
fn tools(mut metadata: Node<'_>) -> Node<'_> {
    if let Node::Map(members) = &mut metadata
        && let Some((_, tools)) = members.iter_mut().find(|(k, _)| k == "tools")
        && let Node::List(list) = tools
        && let Some(at) = list.iter().position(|t| t.get("components").is_some())
    {
        *tools = list.swap_remove(at);
    }
    metadata
}

fn text<'a>(bytes: &'a [u8], context: &Context<'_>) -> Node<'a> {
    let text = String::from_utf8_lossy(bytes);
    if matches!(text, Cow::Owned(_)) {
        context.say("input-encoding", "bytes that are not UTF-8 were replaced".to_owned());
    }
    context.string(text)
}

/// A message as JSON has it.
fn message<'a>(
    bytes: &'a [u8],
    fields: &'static [Field],
    context: &Context<'_>,
    depth: u32,
) -> Result<Node<'a>, Diagnostic> {
    if depth > context.limits.depth {
        return Err(Diagnostic::new("limit-depth", "", context.too_deep()));
    }
    let mut members: Vec<(Cow<'a, str>, Node<'a>)> = Vec::new();
    let mut wire = Wire(bytes);
    while let Some((number, value)) = wire.next()? {
        let Some((_, key, kind)) = fields.iter().find(|(n, ..)| *n == number) else { continue };
        let node = match (kind, value) {
            (Text | Texts, Value::Bytes(b)) => text(b, context),
            (One(inner) | Many(inner), Value::Bytes(b)) => message(b, inner, context, depth + 1)?,
            (Refs, Value::Bytes(b)) => match message(b, &DEPENDENCY[..1], context, depth + 1)? {
                Node::Map(inner) => inner.into_iter().next().map_or(Node::Null, |(_, v)| v),
                other => other,
            },
            (Time, Value::Bytes(b)) => Node::Text(time(b)?.into()),
            (Word(words), Value::Number(n)) => {
                let word = usize::try_from(n).ok().and_then(|n| words.split_whitespace().nth(n));
                match word {
                    Some("-") => continue,
                    Some(word) => Node::Text(Cow::Borrowed(word)),
                    None => Node::Text(n.to_string().into()),
                }
            }
            _ => continue,
        };
        let known = members.iter_mut().find(|(k, _)| k == key);
        match (kind, known, node) {
            (Many(_) | Texts | Refs, Some((_, Node::List(list))), node) => {
                if list.len() < context.limits.list_items || *key == "components" {
                    list.push(node);
                } else if list.len() == context.limits.list_items {
                    context.list_cut();
                    list.push(Node::Null);
                }
            }
            (Many(_) | Texts | Refs, _, node) => members.push((Cow::Borrowed(key), Node::List(vec![node]))),
            // A message that comes in parts is one message.
            (One(_), Some((_, Node::Map(old))), Node::Map(new)) => old.extend(new),
            // 1.7: an expression with details is an expression, as it is in JSON.
            (One(_), None, Node::Map(inner)) if *key == "detailed" => members.extend(inner),
            (_, _, node) => members.push((Cow::Borrowed(key), node)),
        }
    }
    Ok(Node::Map(members))
}

/// `google.protobuf.Timestamp` as RFC 3339, to the second.
fn time(bytes: &[u8]) -> Result<String, Diagnostic> {
    let mut seconds = 0i64;
    let mut wire = Wire(bytes);
    while let Some((number, value)) = wire.next()? {
        if let (1, Value::Number(n)) = (number, value) {
            // Years 1 to 9999, as the type allows.
            seconds = n.cast_signed().clamp(-62_135_596_800, 253_402_300_799);
        }
    }
    let (days, second) = (seconds.div_euclid(86_400), seconds.rem_euclid(86_400));
    // Civil date of a day number: eras of 400 years that begin in March.
    let z = days + 719_468;
    let (era, doe) = (z.div_euclid(146_097), z.rem_euclid(146_097));
    let yoe = (doe - doe / 1460 + doe / 36_524 - doe / 146_096) / 365;
    let doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
    let mp = (5 * doy + 2) / 153;
    let (day, month) = (doy - (153 * mp + 2) / 5 + 1, if mp < 10 { mp + 3 } else { mp - 9 });
    let year = yoe + era * 400 + i64::from(month <= 2);
    let (h, m, s) = (second / 3600, second / 60 % 60, second % 60);
    Ok(format!("{year:04}-{month:02}-{day:02}T{h:02}:{m:02}:{s:02}Z"))
}
