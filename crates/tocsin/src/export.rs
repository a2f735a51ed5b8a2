//! A release written as a bill of materials, for pages and API: from what is held, in one of the formats.

use tocsin_core::inventory;
use tocsin_core::platform::access::Actor;
use tocsin_core::{Error, Result};
use tocsin_formats::{cyclonedx, spdx};

use crate::server::App;

/// Formats a release is written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// CycloneDX 1.6 JSON.
    CycloneDxJson,
    /// CycloneDX 1.6 XML.
    CycloneDxXml,
    /// SPDX 2.3 JSON.
    SpdxJson,
    /// SPDX 2.3 tag-value.
    SpdxTagValue,
}

/// All formats with the name they are asked for by and what they are.
pub const FORMATS: [(Format, &str, &str); 4] = [
    (Format::CycloneDxJson, "cyclonedx.json", "CycloneDX 1.6 JSON"),
    (Format::CycloneDxXml, "cyclonedx.xml", "CycloneDX 1.6 XML"),
    (Format::SpdxJson, "spdx.json", "SPDX 2.3 JSON"),
    (Format::SpdxTagValue, "spdx.txt", "SPDX 2.3 tag-value"),
];

impl Format {
    /// The format of a name of [`FORMATS`].
    pub fn parse(name: &str) -> Option<Format> {
        FORMATS.iter().find(|f| f.1 == name).map(|f| f.0)
    }

    /// Media type, and how file names end.
    pub fn kind(self) -> (&'static str, &'static str) {
        match self {
            Format::CycloneDxJson => ("application/vnd.cyclonedx+json; version=1.6", "cdx.json"),
            Format::CycloneDxXml => ("application/vnd.cyclonedx+xml; version=1.6", "cdx.xml"),
            Format::SpdxJson => ("application/spdx+json", "spdx.json"),
            Format::SpdxTagValue => ("text/spdx; charset=utf-8", "spdx"),
        }
    }
}

/// A written release.
pub struct Written {
    /// File name, safe for a header.
    pub name: String,
    /// Media type.
    pub kind: &'static str,
    /// The document.
    pub bytes: Vec<u8>,
}

/// A name for a file, of letters, digits, dots, hyphens and underscores.
pub fn file_name(text: &str) -> String {
    text.chars().map(|c| if c.is_ascii_alphanumeric() || "._-".contains(c) { c } else { '_' }).collect()
}

/// Writes a release; with `vulnerabilities`, its open findings too.
///
/// # Errors
/// As [`inventory::export`].
pub async fn write(
    app: &App,
    actor: &Actor,
    release: i64,
    format: Format,
    vulnerabilities: bool,
) -> Result<Written> {
    let tool = concat!("tocsin ", env!("CARGO_PKG_VERSION"));
    let out = inventory::export(app.db(), actor, release, tool, vulnerabilities).await?;
    let fault = |what: String| Error::Internal {
        doing: "writing a bill of materials".to_owned(),
        cause: what.into(),
    };
    let name = file_name(out.bom.name.as_deref().unwrap_or("release"));
    let (kind, end) = format.kind();
    let work = tokio::task::spawn_blocking(move || match format {
        Format::CycloneDxJson => {
            cyclonedx::to_json(&out.bom, &out.vulnerabilities).map_err(|d| d.to_string())
        }
        Format::CycloneDxXml => Ok(cyclonedx::to_xml(&out.bom, &out.vulnerabilities)),
        Format::SpdxJson => spdx::to_json(&out.bom, &out.advisories).map_err(|d| d.to_string()),
        Format::SpdxTagValue => Ok(spdx::to_tag_value(&out.bom, &out.advisories)),
    });
    let bytes = work.await.map_err(|e| fault(e.to_string()))?.map_err(fault)?;
    Ok(Written { name: format!("{name}.{end}"), kind, bytes })
}
