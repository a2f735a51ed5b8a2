//! SPDX 2.x as RDF/XML (SPDX 2.3 clause 4.1; RDF 1.1 XML Syntax): descriptions may nest anywhere, be split, and
//! refer to one another in any order, so the properties of every resource are gathered first and read after.

use std::collections::HashMap;

use roxmltree::Node;

use super::document::{Checksum, CreationInfo, Document, ExternalRef, Package, Present, Relationship, told};

const RDF: &str = "http://www.w3.org/1999/02/22-rdf-syntax-ns#";

/// The namespace of every 1.x and 2.x term.
pub(super) const TERMS: &str = "http://spdx.org/rdf/terms#";

/// Most members looked at in one licence expression: sets may share members, and so grow without end.
const MOST_MEMBERS: usize = 10_000;

/// Deepest nesting of licence sets.
const MOST_DEPTH: usize = 50;

/// What a property holds.
enum Object {
    Text(String),
    /// Index of the resource.
    Resource(usize),
}

/// A resource and what is told of it, wherever it is told.
struct Resource<'a> {
    iri: String,
    /// Local name of its type, empty until it is told.
    kind: String,
    /// Where its type was told, in document order.
    at: usize,
    properties: Vec<(&'a str, Object)>,
}

#[derive(Default)]
struct Graph<'a> {
    resources: Vec<Resource<'a>>,
    by_iri: HashMap<String, usize>,
    base: String,
}

/// Reads `rdf:RDF` into the shape that JSON has.
pub(super) fn parse(root: Node<'_, '_>) -> Document {
    let base = root.attribute(("http://www.w3.org/XML/1998/namespace", "base")).unwrap_or("");
    let mut graph = Graph { base: base.trim_end_matches('#').to_owned(), ..Graph::default() };
    graph.gather(root);
    graph.document()
}

impl<'a> Graph<'a> {
    fn resource(&mut self, iri: Option<String>) -> usize {
        let fresh = self.resources.len();
        let iri = iri.unwrap_or_else(|| format!("_:made:{fresh}"));
        let index = *self.by_iri.entry(iri.clone()).or_insert(fresh);
        if index == fresh {
            self.resources.push(Resource {
                iri,
                kind: String::new(),
                at: usize::MAX,
                properties: Vec::new(),
            });
        }
        index
    }

    fn resolve(&self, iri: &str) -> String {
        if iri.starts_with('#') { format!("{}{iri}", self.base) } else { iri.to_owned() }
    }

    /// The resource a node element describes.
    fn open(&mut self, e: Node<'a, 'a>) -> usize {
        let iri = (e.attribute((RDF, "about")).map(|a| self.resolve(a)))
            .or_else(|| e.attribute((RDF, "ID")).map(|id| self.resolve(&format!("#{id}"))))
            .or_else(|| e.attribute((RDF, "nodeID")).map(|id| format!("_:{id}")));
        let index = self.resource(iri);
        if !e.has_tag_name((RDF, "Description")) {
            self.typed(index, e.tag_name().name(), e);
        }
        for attribute in e.attributes() {
            match attribute.namespace() {
                Some(RDF) if attribute.name() == "type" => {
                    self.typed(index, last(attribute.value()), e);
                }
                Some(TERMS) => self.tell(index, attribute.name(), Object::Text(attribute.value().to_owned())),
                _ => {}
            }
        }
        index
    }

    fn typed(&mut self, index: usize, kind: &str, e: Node<'a, 'a>) {
        if let Some(r) = self.resources.get_mut(index)
            && r.kind.is_empty()
        {
            r.kind = kind.to_owned();
            r.at = e.id().get() as usize;
        }
    }

    fn tell(&mut self, index: usize, property: &'a str, object: Object) {
        if let Some(r) = self.resources.get_mut(index) {
            r.properties.push((property, object));
        }
    }

    /// Takes in every description. A list of what is still to do stands in for recursion: relationships nest as
    /// deep as the longest path between packages.
    fn gather(&mut self, root: Node<'a, 'a>) {
        let mut open: Vec<(Node<'a, 'a>, usize)> = Vec::new();
        for e in root.children().filter(Node::is_element) {
            let index = self.open(e);
            open.push((e, index));
        }
        while let Some((subject, index)) = open.pop() {
            for property in subject.children().filter(Node::is_element) {
                let name = property.tag_name().name();
                let named = (property.attribute((RDF, "resource")).map(|r| self.resolve(r)))
                    .or_else(|| property.attribute((RDF, "nodeID")).map(|id| format!("_:{id}")));
                if let Some(iri) = named {
                    if property.has_tag_name((RDF, "type")) {
                        self.typed(index, last(&iri), property);
                    } else {
                        let object = self.resource(Some(iri));
                        self.tell(index, name, Object::Resource(object));
                    }
                } else if property.attribute((RDF, "parseType")) == Some("Resource") {
                    let object = self.resource(None);
                    self.tell(index, name, Object::Resource(object));
                    open.push((property, object));
                } else if property.children().any(|c| c.is_element()) {
                    for e in property.children().filter(Node::is_element) {
                        let object = self.open(e);
                        self.tell(index, name, Object::Resource(object));
                        open.push((e, object));
                    }
                } else {
                    let text = property.children().filter_map(|c| c.text()).collect::<String>();
                    self.tell(index, name, Object::Text(text.trim().to_owned()));
                }
            }
        }
    }

    fn objects(&self, index: usize, property: &str) -> impl Iterator<Item = &Object> {
        let all = self.resources.get(index).map_or(&[][..], |r| r.properties.as_slice());
        all.iter().filter(move |(name, _)| *name == property).map(|(_, object)| object)
    }

    fn nodes(&self, index: usize, property: &str) -> impl Iterator<Item = usize> {
        self.objects(index, property).filter_map(|o| match o {
            Object::Resource(i) => Some(*i),
            Object::Text(_) => None,
        })
    }

    fn iri(&self, index: usize) -> &str {
        self.resources.get(index).map_or("", |r| r.iri.as_str())
    }

    fn text_of(&self, object: &Object) -> String {
        let iri = match object {
            Object::Text(text) => return text.clone(),
            Object::Resource(i) => self.iri(*i),
        };
        match iri.strip_prefix(TERMS) {
            Some("noassertion") => "NOASSERTION".to_owned(),
            Some("none") => "NONE".to_owned(),
            _ => iri.to_owned(),
        }
    }

    fn text(&self, index: usize, property: &str) -> Option<String> {
        self.objects(index, property).next().map(|o| self.text_of(o))
    }

    /// A term such as `relationshipType_dependsOn` as JSON spells it: `DEPENDS_ON`.
    fn term(&self, index: usize, property: &str) -> Option<String> {
        let text = self.text(index, property)?;
        let word = text.rsplit(['#', '_']).next().unwrap_or_default();
        let mut out = String::with_capacity(word.len() + 4);
        for (at, c) in word.char_indices() {
            if at > 0 && c.is_ascii_uppercase() && word.bytes().any(|b| b.is_ascii_lowercase()) {
                out.push('_');
            }
            out.push(c.to_ascii_uppercase());
        }
        Some(out)
    }

    fn document(&self) -> Document {
        let mut order: Vec<usize> = (0..self.resources.len()).collect();
        order.sort_by_key(|&i| self.resources.get(i).map_or(usize::MAX, |r| r.at));
        let of = |kind: &'static str| {
            let is = move |i: &usize| self.resources.get(*i).is_some_and(|r| r.kind == kind);
            order.iter().copied().filter(is)
        };
        let document = of("SpdxDocument").next();
        let namespace = document.map_or("", |d| self.iri(d)).split('#').next().unwrap_or_default();
        // An element of another document keeps its whole IRI, so that it is not taken for one of this.
        let id = |index: usize| {
            let iri = self.iri(index);
            match iri.split_once('#') {
                Some((space, id)) if space == namespace || space.is_empty() => id.to_owned(),
                _ => self.text_of(&Object::Resource(index)),
            }
        };
        let mut doc = Document {
            packages: Some(of("Package").map(|i| self.package(i, id(i))).collect()),
            files: Some(of("File").map(|i| self.package(i, id(i))).collect()),
            ..Document::default()
        };
        let mut relationships = Vec::new();
        for from in order.iter().copied() {
            for r in self.nodes(from, "relationship") {
                let related = self.objects(r, "relatedSpdxElement").next();
                relationships.push(Relationship {
                    spdx_element_id: id(from),
                    related_spdx_element: match related {
                        Some(Object::Resource(to)) => id(*to),
                        Some(Object::Text(text)) => text.clone(),
                        None => String::new(),
                    },
                    relationship_type: self.term(r, "relationshipType").unwrap_or_default(),
                });
            }
        }
        doc.relationships = Some(relationships);
        let Some(d) = document else { return doc };
        doc.id = Some(id(d));
        doc.spdx_version = self.text(d, "specVersion").unwrap_or_default();
        doc.name = self.text(d, "name");
        doc.data_license = self.text(d, "dataLicense").map(|l| last(&l).to_owned());
        doc.document_namespace = Some(namespace.to_owned()).filter(|n| !n.is_empty());
        doc.document_describes = Some(self.nodes(d, "describesPackage").map(id).collect());
        doc.creation_info = self.nodes(d, "creationInfo").next().map(|i| CreationInfo {
            created: self.text(i, "created"),
            creators: Some(self.objects(i, "creator").map(|o| self.text_of(o)).collect()),
        });
        doc
    }

    fn package(&self, i: usize, id: String) -> Package {
        let present = |property: &str| self.objects(i, property).next().map(|_| Present);
        let checksum = |c: usize| Checksum {
            algorithm: self.checksum_algorithm(c),
            checksum_value: self.text(c, "checksumValue").unwrap_or_default(),
        };
        let reference = |r: usize| ExternalRef {
            reference_type: self.text(r, "referenceType").unwrap_or_default(),
            reference_locator: self.text(r, "referenceLocator").unwrap_or_default(),
        };
        Package {
            id: Some(id),
            name: self.text(i, "name"),
            file_name: self.text(i, "fileName"),
            version_info: self.text(i, "versionInfo"),
            supplier: self.text(i, "supplier"),
            originator: self.text(i, "originator"),
            license_concluded: self.license(i, "licenseConcluded"),
            license_declared: self.license(i, "licenseDeclared"),
            checksums: Some(self.nodes(i, "checksum").map(checksum).collect()),
            external_refs: Some(self.nodes(i, "externalRef").map(reference).collect()),
            primary_package_purpose: self.term(i, "primaryPackagePurpose"),
            homepage: self.text(i, "homepage"),
            source_info: self.text(i, "sourceInfo"),
            download_location: present("downloadLocation"),
            copyright_text: present("copyrightText"),
        }
    }

    /// `checksumAlgorithm_sha3_256` is `SHA3-256`, `checksumAlgorithm_blake2b256` is `BLAKE2b-256`.
    fn checksum_algorithm(&self, checksum: usize) -> String {
        let text = self.text(checksum, "algorithm").unwrap_or_default();
        let word = last(&text).trim_start_matches("checksumAlgorithm_");
        match word.to_ascii_lowercase().replace('_', "-").as_str() {
            blake if blake.starts_with("blake2b") => {
                format!("BLAKE2b-{}", blake.trim_start_matches("blake2b").trim_start_matches('-'))
            }
            other => other.to_ascii_uppercase(),
        }
    }

    fn license(&self, index: usize, property: &str) -> Option<String> {
        let mut left = MOST_MEMBERS;
        let object = self.objects(index, property).next()?;
        Some(self.expression(object, 0, &mut left))
    }

    /// A licence, or set of licences, as an expression (SPDX 2.3 annex D). What is deeper or more than the bounds
    /// is left out: what remains is no valid expression and reported as such.
    fn expression(&self, object: &Object, depth: usize, left: &mut usize) -> String {
        *left = left.saturating_sub(1);
        let Object::Resource(index) = object else { return self.text_of(object) };
        let index = *index;
        if depth >= MOST_DEPTH || *left == 0 {
            return "…".to_owned();
        }
        let mut members = |word: &str| {
            let all = self.objects(index, "member").map(|m| self.expression(m, depth + 1, left));
            all.collect::<Vec<_>>().join(word)
        };
        match self.resources.get(index).map_or("", |r| r.kind.as_str()) {
            "ConjunctiveLicenseSet" => format!("({})", members(" AND ")),
            "DisjunctiveLicenseSet" => format!("({})", members(" OR ")),
            "OrLaterOperator" => format!("{}+", members("")),
            "WithExceptionOperator" => {
                let exception = self.nodes(index, "licenseException").next().map(|e| {
                    self.text(e, "licenseExceptionId").unwrap_or_else(|| last(self.iri(e)).to_owned())
                });
                format!("{} WITH {}", members(""), exception.unwrap_or_default())
            }
            _ => {
                let own = told(Some(self.text_of(object)));
                let named = || self.text(index, "licenseId");
                match own {
                    // NOASSERTION and NONE stay as they are.
                    None => self.text_of(object),
                    Some(iri) => named().unwrap_or_else(|| last(&iri).to_owned()),
                }
            }
        }
    }
}

/// The last part of an IRI.
fn last(iri: &str) -> &str {
    iri.rsplit(['#', '/']).next().unwrap_or(iri)
}
