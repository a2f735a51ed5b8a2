//! `vulnerabilities` (1.4 and later) as VEX statements.

use tocsin_model::bom::Bom;
use tocsin_model::diagnostic::{Diagnostic, excerpt};
use tocsin_model::vex::{VexProduct, VexStatement, VexStatus};

use super::build::References;
use super::node::Node;

/// Adds what a vulnerability says of products. Without an analysis nothing is claimed but what versions claim.
pub(super) fn add(bom: &mut Bom, node: &Node<'_>, path: &str) {
    let Some(id) = node.text_of("id").filter(|id| !id.trim().is_empty()) else {
        let message = "the vulnerability has no id";
        return bom.diagnostics.push(Diagnostic::new("value-ignored", path, message));
    };
    let none = Node::Null;
    let analysis = node.get("analysis").unwrap_or(&none);
    let state = analysis.text_of("state");
    let status = state.and_then(status_of);
    if let (Some(word), None) = (state, status) {
        let message = format!("{:?} is no state of an analysis", excerpt(word));
        bom.diagnostics.push(Diagnostic::new("value-ignored", format!("{path}.analysis.state"), message));
    }
    let aliases = node.items("references").iter().filter_map(|r| r.text_of("id"));
    let template = VexStatement {
        vulnerability: id.to_owned(),
        aliases: aliases.filter(|a| *a != id).map(str::to_owned).collect(),
        products: Vec::new(),
        status: VexStatus::UnderInvestigation,
        justification: analysis.text_of("justification").map(str::to_owned),
        statement: analysis.text_of("detail").map(str::to_owned),
        timestamp: ["lastUpdated", "firstIssued"].iter().find_map(|k| analysis.text_of(k)).map(str::to_owned),
        author: None,
        document: None,
        path: path.to_owned(),
        wrong_match: false,
        response: analysis.items("response").iter().find_map(Node::text).map(str::to_owned),
    };
    let wrong_match = state == Some("false_positive");
    let mut by_status: Vec<(VexStatus, Vec<VexProduct>)> = Vec::new();
    let mut put =
        |status: VexStatus, product: VexProduct| match by_status.iter_mut().find(|(s, _)| *s == status) {
            Some((_, products)) => products.push(product),
            None => by_status.push((status, vec![product])),
        };
    for (i, target) in node.items("affects").iter().enumerate() {
        let Some(reference) = target.text_of("ref") else {
            let path = format!("{path}.affects[{i}]");
            bom.diagnostics.push(Diagnostic::new("value-ignored", path, "the target has no ref"));
            continue;
        };
        for (status, versions) in split(status, target.items("versions")) {
            put(
                status,
                VexProduct { identifiers: vec![reference.to_owned()], versions, ..VexProduct::default() },
            );
        }
    }
    if let (true, Some(status)) = (node.items("affects").is_empty(), status) {
        by_status.push((status, Vec::new()));
    }
    for (one, products) in by_status {
        // A justification explains why something is not affected; it says nothing of the other versions.
        let justification = template.justification.clone().filter(|_| status == Some(one));
        let wrong_match = wrong_match && status == Some(one);
        bom.vex.push(VexStatement { status: one, products, justification, wrong_match, ..template.clone() });
    }
}

/// The status an `analysis.state` stands for.
fn status_of(state: &str) -> Option<VexStatus> {
    Some(match state {
        "resolved" | "resolved_with_pedigree" => VexStatus::Fixed,
        "exploitable" => VexStatus::Affected,
        "in_triage" => VexStatus::UnderInvestigation,
        "false_positive" | "not_affected" => VexStatus::NotAffected,
        _ => return None,
    })
}

/// The versions of a target by the status they have, given the status of the analysis.
fn split(status: Option<VexStatus>, versions: &[Node<'_>]) -> Vec<(VexStatus, Vec<String>)> {
    let mut out: Vec<(VexStatus, Vec<String>)> = Vec::new();
    for entry in versions {
        let Some(version) = entry.text_of("version").or_else(|| entry.text_of("range")) else { continue };
        let own = match entry.text_of("status") {
            Some("unaffected") => Some(VexStatus::NotAffected),
            Some("unknown") => Some(VexStatus::UnderInvestigation),
            Some("affected") => Some(VexStatus::Affected),
            _ => None,
        };
        let settled = matches!(status, Some(VexStatus::Fixed | VexStatus::NotAffected));
        let said = match (status, own) {
            // A version that was affected is what the analysis is of.
            (Some(s), Some(VexStatus::Affected) | None) => s,
            (Some(s), _) if settled => s,
            (_, Some(own)) => own,
            (None, None) => continue,
        };
        match out.iter_mut().find(|(s, _)| *s == said) {
            Some((_, list)) => list.push(version.to_owned()),
            None => out.push((said, vec![version.to_owned()])),
        }
    }
    match status {
        Some(status) if out.is_empty() => vec![(status, Vec::new())],
        _ => out,
    }
}

/// Gives each product every identifier of the component it names.
pub(super) fn resolve(bom: &mut Bom, index: &References) {
    let own = bom.serial.as_deref().and_then(|s| s.strip_prefix("urn:uuid:")).map(str::to_owned);
    let link = own.as_ref().map(|uuid| format!("urn:cdx:{uuid}/{}#", bom.version.unwrap_or(1)));
    for statement in &mut bom.vex {
        statement.document.clone_from(&bom.serial);
        for product in &mut statement.products {
            let Some(written) = product.identifiers.first().cloned() else { continue };
            // A BOM-Link to this very document names a component as its bare reference does.
            let local =
                link.as_ref().and_then(|l| written.strip_prefix(l.as_str())).unwrap_or(&written).to_owned();
            let Some(component) = index.get(&bom.components, &local).and_then(|i| bom.components.get(i))
            else {
                if !written.starts_with("urn:cdx:") {
                    let message = format!("{:?} is no component of this document", excerpt(&written));
                    bom.diagnostics.push(Diagnostic::new("ref-unknown", "vulnerabilities", message));
                }
                continue;
            };
            let mut more = vec![local.clone()];
            more.extend(link.as_ref().map(|l| format!("{l}{local}")));
            more.extend(component.purl.as_ref().map(ToString::to_string));
            more.extend(component.cpes.iter().map(ToString::to_string));
            for identifier in more {
                if !product.identifiers.contains(&identifier) {
                    product.identifiers.push(identifier);
                }
            }
        }
    }
}
