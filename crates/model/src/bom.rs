//! What an SBOM or lock file says, in one shape for every format.

pub use thin_vec::ThinVec;

use crate::cpe::Cpe;
use crate::diagnostic::Diagnostic;
use crate::purl::Purl;
use crate::vex::VexStatement;

/// The format a document came in.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct BomFormat {
    /// `CycloneDX`, `SPDX`, or the kind of lock file (`Cargo.lock`, `dpkg`).
    pub name: String,
    /// Specification version (`1.6`, `SPDX-2.3`), empty where there is none.
    pub version: String,
    /// How it was written: `json`, `xml`, `protobuf`, `tag-value`, `yaml`, `rdf`, `json-ld`, `text`, `binary`.
    pub encoding: String,
}

/// A bill of materials: components, the edges between them, and what it says of vulnerabilities.
#[derive(Debug, Clone, Default)]
pub struct Bom {
    /// Format it was read from.
    pub format: BomFormat,
    /// Serial number or document namespace.
    pub serial: Option<String>,
    /// Document version (CycloneDX `version`).
    pub version: Option<u64>,
    /// When it was made, as written.
    pub timestamp: Option<String>,
    /// Document name (SPDX `name`).
    pub name: Option<String>,
    /// Who or what made it, as written.
    pub creators: Vec<String>,
    /// Index into `components` of what the document describes.
    pub root: Option<usize>,
    /// All components in document order, nested ones after their parent.
    pub components: Vec<Component>,
    /// Dependency edges: (index of the dependent, index of what it depends on).
    pub dependencies: Vec<(usize, usize)>,
    /// VEX statements carried by the document.
    pub vex: Vec<VexStatement>,
    /// What the reader had to say.
    pub diagnostics: Vec<Diagnostic>,
}

/// What kind of thing a component is (CycloneDX 1.6 `component.type`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum ComponentKind {
    /// A program.
    Application,
    /// A framework.
    Framework,
    /// A library or package; also what is not told.
    #[default]
    Library,
    /// A container image.
    Container,
    /// A platform or runtime.
    Platform,
    /// An operating system.
    OperatingSystem,
    /// A hardware device.
    Device,
    /// A device driver.
    DeviceDriver,
    /// Firmware.
    Firmware,
    /// One file.
    File,
    /// A machine learning model.
    MachineLearningModel,
    /// Data.
    Data,
    /// A cryptographic asset.
    CryptographicAsset,
}

/// One component as a document tells of it. A document may have a million; its lists, most of them empty, take one
/// word each.
#[derive(Debug, Clone, Default)]
pub struct Component {
    /// The document's own reference (`bom-ref`, `SPDXID`), or one made by the reader where it has none.
    pub reference: String,
    /// What kind of thing it is.
    pub kind: ComponentKind,
    /// Group, namespace or scope that is not part of `name`.
    pub group: Option<String>,
    /// Name.
    pub name: String,
    /// Version as written.
    pub version: Option<String>,
    /// Package URL.
    pub purl: Option<Purl>,
    /// CPE names, the first being the document's main one.
    pub cpes: ThinVec<Cpe>,
    /// Who supplies it.
    pub supplier: Option<String>,
    /// Licences: SPDX expressions, ids, names.
    pub licenses: ThinVec<License>,
    /// Hashes: (algorithm as CycloneDX spells it, e.g. `SHA-256`; lower-case hex).
    pub hashes: ThinVec<(String, String)>,
    /// External references: (kind, URL).
    pub references: ThinVec<(String, String)>,
    /// Properties and annotations: (name, value).
    pub properties: ThinVec<(String, String)>,
    /// Where it was seen (evidence occurrences, `sourceInfo`), as written.
    pub locations: ThinVec<String>,
    /// Index of the component that contains this one.
    pub parent: Option<usize>,
    /// Ids of vulnerabilities that patches in its pedigree resolve (a fix taken into the build).
    pub resolves: ThinVec<String>,
    /// Path of the component in the input, for diagnostics: `components[17]`.
    pub path: String,
}

/// A licence of a component.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum License {
    /// A valid SPDX id or expression.
    Expression(String),
    /// A licence by name or text that is not in SPDX.
    Named(String),
}

impl Component {
    /// Gives back what its lists reserved and do not need. A list with one item has room for four, which in a document
    /// of a million components is a quarter of the memory.
    pub fn shrink_to_fit(&mut self) {
        self.cpes.shrink_to_fit();
        self.licenses.shrink_to_fit();
        self.hashes.shrink_to_fit();
        self.references.shrink_to_fit();
        self.properties.shrink_to_fit();
        self.locations.shrink_to_fit();
        self.resolves.shrink_to_fit();
        if let Some(purl) = &mut self.purl {
            purl.qualifiers.shrink_to_fit();
        }
    }

    /// The component's name with its group, as people write it.
    pub fn full_name(&self) -> String {
        match &self.group {
            Some(g) if !g.is_empty() => format!("{g}/{}", self.name),
            _ => self.name.clone(),
        }
    }
}
