//! JVN iPedia (IPA, Japan): entries of VULDEF 3.x documents and lists of the MyJVN API
//! (https://jvndb.jvn.jp/apis/myjvn/, feed `hnd`).
//!
//! An entry tells of one or several CVEs and is no flaw of its own where it does. Its products are CPE names with versions
//! in Japanese prose, of which the two commonest comparisons are read; others are undecidable.

use roxmltree::Node;
use tocsin_model::cpe::Cpe;
use tocsin_model::diagnostic::{Diagnostic, excerpt};
use tocsin_model::ecosystem::plain_name;
use tocsin_model::record::{
    Affected, Record, Remediation, Score, Source, Target, VersionEntry, VersionStatus, Versions,
};
use tocsin_model::severity::Cvss;
use tocsin_model::version::Scheme;

/// Elements of an entry nest no deeper.
const DEPTH: u32 = 20;
/// Products, references and CVEs of one entry that are kept.
const MOST: usize = 5000;

/// What stands around an entry that was cut out of its document, so that it can be read by itself.
pub(crate) const OPEN: &str = "<VULDEF-Document xmlns=\"http://jvn.jp/vuldef/\" xmlns:vuldef=\"http://jvn.jp/vuldef/\" \
    xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\" xmlns:sec=\"http://jvn.jp/rss/mod_sec/3.0/\" \
    xmlns:marking=\"http://data-marking.mitre.org/Marking-1\" xmlns:status=\"http://jvndb.jvn.jp/myjvn/Status\" \
    xmlns:tlpMarking=\"http://data-marking.mitre.org/extensions/MarkingStructure#TLP-1\">";
/// See [`OPEN`].
pub(crate) const CLOSE: &str = "</VULDEF-Document>";

/// Whether a text begins like a VULDEF document.
pub(crate) fn recognise(head: &[u8]) -> bool {
    let head = head.get(..head.len().min(4096)).unwrap_or(head);
    head.trim_ascii_start().starts_with(b"<") && head.windows(16).any(|w| w == b"<VULDEF-Document")
}

fn child<'a, 'i>(node: Node<'a, 'i>, name: &str) -> Option<Node<'a, 'i>> {
    node.children().find(|n| n.tag_name().name() == name)
}

fn children<'a, 'i>(node: Option<Node<'a, 'i>>, name: &'static str) -> impl Iterator<Item = Node<'a, 'i>> {
    node.into_iter().flat_map(move |n| n.children().filter(move |c| c.tag_name().name() == name)).take(MOST)
}

fn text(node: Option<Node<'_, '_>>) -> String {
    node.and_then(|n| n.text()).unwrap_or_default().trim().to_owned()
}

/// The id of the entry in a document with one, where it tells of CVEs.
pub(crate) fn document_id(bytes: &[u8]) -> Option<String> {
    let text = std::str::from_utf8(bytes).ok()?;
    let begin = text.find("<VulinfoID>")? + "<VulinfoID>".len();
    let rest = text.get(begin..)?;
    let id = rest.get(..rest.find('<')?)?.trim();
    id.starts_with("JVNDB-").then(|| id.to_owned())
}

/// Parses a document with one entry: a record for each CVE, or one of its own id where it names none.
///
/// # Errors
/// It is not well-formed, or has no entry with a JVNDB id.
pub fn parse(bytes: &[u8]) -> Result<(Vec<Record>, Vec<Diagnostic>), Diagnostic> {
    let bad = |e: &str| Diagnostic::new("record-invalid", "", e);
    let source = std::str::from_utf8(bytes).map_err(|_| bad("it is no UTF-8"))?;
    let document = crate::xml::parse(source, Some(DEPTH))?;
    let root = document.root_element();
    let entry = child(root, "Vulinfo").ok_or_else(|| bad("there is no Vulinfo"))?;
    let id = text(child(entry, "VulinfoID"));
    if !id.starts_with("JVNDB-") {
        return Err(bad(&format!("`{}` is no id of JVN iPedia", excerpt(&id))));
    }
    let data = child(entry, "VulinfoData").ok_or_else(|| bad("there is no VulinfoData"))?;
    let mut remarks = Vec::new();
    let mut record = Record {
        title: text(child(data, "Title")),
        description: text(child(data, "VulinfoDescription").and_then(|d| child(d, "Overview"))),
        published: some(text(child(data, "DateFirstPublished"))),
        modified: some(text(child(data, "DateLastUpdated"))),
        ..Record::default()
    };
    let impact = child(data, "Impact");
    for vector in children(impact, "Cvss").map(|c| text(child(c, "Vector"))).filter(|v| !v.is_empty()) {
        match Cvss::parse(&vector) {
            Ok(cvss) => record.scores.push(Score { cvss, by: "JVN iPedia".to_owned() }),
            Err(e) => {
                remarks.push(Diagnostic::new("value-ignored", "Impact.Cvss", e.to_string()));
            }
        }
    }
    for item in children(child(data, "Solution"), "SolutionItem") {
        let details = text(child(item, "Description"));
        if !details.is_empty() {
            record.remediations.push(Remediation {
                category: "mitigation".to_owned(),
                details,
                ..Remediation::default()
            });
        }
    }
    let mut cves: Vec<String> = Vec::new();
    for item in children(child(data, "Related"), "RelatedItem") {
        let (named, url) = (text(child(item, "VulinfoID")), text(child(item, "URL")));
        if named.starts_with("CWE-") && !record.cwes.contains(&named) {
            record.cwes.push(named);
        } else if named.starts_with("CVE-") && !named.contains(char::is_whitespace) && !cves.contains(&named)
        {
            cves.push(named);
        }
        if url.contains("://") {
            record.references.push((item.attribute("type").unwrap_or_default().to_owned(), url));
        }
    }
    record.affected = affected(child(data, "Affected"), &mut remarks);
    Ok((flaws(record, id, cves), remarks))
}

/// One record for each CVE; of one alone the entry is an alias, of several it is not.
fn flaws(record: Record, id: String, cves: Vec<String>) -> Vec<Record> {
    match cves.as_slice() {
        [] => vec![Record { id, ..record }],
        [one] => vec![Record { id: one.clone(), aliases: vec![id], ..record }],
        several => several
            .iter()
            .map(|cve| Record { id: cve.clone(), related: vec![id.clone()], ..record.clone() })
            .collect(),
    }
}

fn some(text: String) -> Option<String> {
    Some(text).filter(|t| !t.is_empty())
}

fn affected(list: Option<Node<'_, '_>>, remarks: &mut Vec<Diagnostic>) -> Vec<Affected> {
    let mut all = Vec::new();
    for (n, item) in children(list, "AffectedItem").enumerate() {
        let mut versions = Versions::new(Scheme::Generic);
        versions.default = VersionStatus::Unknown;
        let mut told = false;
        for number in children(Some(item), "VersionNumber").map(|v| text(Some(v))) {
            told = true;
            version(&number, &mut versions);
        }
        if !told {
            versions.undecidable = Some("no versions are told".to_owned());
        }
        let name = text(child(item, "ProductName"));
        let cpe = text(child(item, "Cpe"));
        let target = match Cpe::parse(&cpe) {
            // `misc` is a vendor that JVN gives to whoever has none in the dictionary
            Ok(cpe) => {
                Target::Cpe(Box::new(Cpe { version: Default::default(), update: Default::default(), ..cpe }))
            }
            Err(e) => {
                if !cpe.is_empty() {
                    let place = format!("Affected.AffectedItem[{n}].Cpe");
                    let what = format!("{}: {e}", excerpt(&cpe));
                    remarks.push(Diagnostic::new("cpe-invalid", place, what));
                }
                if name.is_empty() {
                    continue;
                }
                Target::Named { vendor: plain_name(&text(child(item, "Name"))), product: plain_name(&name) }
            }
        };
        all.push(Affected { target, source: Source::Jvn, versions, symbols: Vec::new(), note: None });
    }
    all
}

/// `1.2.3`, `1.2.3 より前のバージョン` and `… 未満` (before), `1.2.3 およびそれ以前` and `… 以前` (up to); a list with `から` or `~` and
/// everything else is prose.
fn version(text: &str, out: &mut Versions) {
    let text = text.trim();
    let bare = text.trim_end_matches("のバージョン").trim_end_matches("のファームウェア").trim_end();
    let ends = |words: &[&str]| words.iter().find_map(|w| bare.strip_suffix(w)).map(str::trim);
    let mut entry = VersionEntry::range(None, None, VersionStatus::Affected);
    let number = if let Some(high) = ends(&["より前", "未満", " and earlier than"]) {
        Some(high)
    } else if let Some(high) = ends(&["およびそれ以前", "及びそれ以前", "以前", "以下", "and earlier"])
    {
        entry.high_closed = true;
        Some(high)
    } else {
        None
    };
    let is_number = |v: &str| {
        v.starts_with(|c: char| c.is_ascii_digit())
            && v.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_' | '+'))
    };
    match number {
        Some(high) if is_number(high) => {
            if !entry.high_closed {
                out.fixed.push(high.to_owned());
            }
            entry.high = Some(high.to_owned());
            out.entries.push(entry);
        }
        None if is_number(text) => out.entries.push(VersionEntry::exact(text, VersionStatus::Affected)),
        _ => {
            let why = if text.is_empty() { "no versions are told".to_owned() } else { excerpt(text) };
            out.undecidable.get_or_insert(format!("versions are told in prose: {why}"));
        }
    }
}

/// A page of `getVulnOverviewList`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Overview {
    /// Ids of the entries of this page.
    pub ids: Vec<String>,
    /// Entries of all pages.
    pub total: u64,
    /// Number of the first entry of this page, from 1.
    pub first: u64,
}

/// Reads a page of `getVulnOverviewList` (RSS 1.0 with `sec` and `status`).
///
/// # Errors
/// It is none; the API answers with a fault, which is told then.
pub fn overview(bytes: &[u8]) -> Result<Overview, Diagnostic> {
    let bad = |e: String| Diagnostic::new("record-invalid", "", e);
    let source = std::str::from_utf8(bytes).map_err(|_| bad("it is no UTF-8".to_owned()))?;
    let document = crate::xml::parse(source.trim_start(), Some(DEPTH))?;
    let root = document.root_element();
    let status = child(root, "Status").ok_or_else(|| bad("the answer has no status".to_owned()))?;
    if status.attribute("retCd") != Some("0") {
        let told = |name| excerpt(status.attribute(name).unwrap_or_default());
        return Err(bad(format!("the API answers with fault {}: {}", told("errCd"), told("errMsg"))));
    }
    let number = |name: &str| {
        let value = status.attribute(name).unwrap_or_default();
        value.parse::<u64>().map_err(|_| bad(format!("`{name}` is no number")))
    };
    let ids: Vec<String> = children(Some(root), "item")
        .map(|i| text(child(i, "identifier")))
        .filter(|i| {
            i.starts_with("JVNDB-")
                && i.len() < 30
                && i.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
        })
        .collect();
    let returned = number("totalResRet")?;
    if ids.len() as u64 != returned {
        return Err(bad(format!("{returned} entries are announced and {} are there", ids.len())));
    }
    Ok(Overview { ids, total: number("totalRes")?, first: number("firstRes").unwrap_or(0) })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(related: &str, version: &str) -> String {
        format!(
            "{OPEN}<Vulinfo><VulinfoID>JVNDB-2025-000001</VulinfoID><VulinfoData><Title>ポンプの脆弱性</Title>
            <VulinfoDescription><Overview>ポンプには脆弱性があります。</Overview></VulinfoDescription>
            <Affected><AffectedItem><Name>Maker</Name><ProductName>Pump</ProductName><Cpe version=\"2.2\">cpe:/a:maker:pump</Cpe>
            <VersionNumber>{version}</VersionNumber></AffectedItem><AffectedItem><Name>Maker</Name><ProductName>Pump Two</ProductName>
            </AffectedItem></Affected>
            <Impact><Cvss version=\"2.0\"><Vector>AV:N/AC:M/Au:N/C:N/I:P/A:N</Vector></Cvss>
            <Cvss version=\"3.0\"><Vector>CVSS:3.0/AV:N/AC:L/PR:N/UI:R/S:C/C:L/I:L/A:N</Vector></Cvss></Impact>
            <Solution><SolutionItem><Description>アップデート</Description></SolutionItem></Solution>
            <Related>{related}<RelatedItem type=\"cwe\"><VulinfoID>CWE-79</VulinfoID><URL>https://cwe.example/79</URL></RelatedItem></Related>
            <DateFirstPublished>2025-03-08T12:02:28+09:00</DateFirstPublished>
            <DateLastUpdated>2025-03-09T12:02:28+09:00</DateLastUpdated></VulinfoData></Vulinfo>{CLOSE}"
        )
    }

    fn cve(n: u32) -> String {
        format!(
            "<RelatedItem type=\"advisory\"><VulinfoID>CVE-2025-{n:04}</VulinfoID><URL>https://cve.example/{n}</URL></RelatedItem>"
        )
    }

    #[test]
    fn an_entry_is_an_alias_of_one_cve_and_none_of_several() {
        let text = entry(&cve(1), "3.4.6 より前のバージョン");
        let (records, remarks) = parse(text.as_bytes()).unwrap();
        assert!(remarks.is_empty(), "{remarks:?}");
        let r = &records[0];
        assert_eq!(
            (r.id.as_str(), r.aliases.as_slice()),
            ("CVE-2025-0001", &["JVNDB-2025-000001".to_owned()][..])
        );
        assert_eq!((r.scores.len(), r.cwes.len(), r.references.len(), r.remediations.len()), (2, 1, 2, 1));
        assert_eq!(r.affected.len(), 2);
        assert!(matches!(r.affected[0].target, Target::Cpe(_)));
        assert!(matches!(r.affected[1].target, Target::Named { .. }));
        assert_eq!(r.affected[0].versions.fixed, ["3.4.6"]);
        assert!(r.affected[1].versions.undecidable.is_some());
        assert_eq!(document_id(text.as_bytes()).as_deref(), Some("JVNDB-2025-000001"));
        let several = parse(entry(&format!("{}{}", cve(1), cve(2)), "").as_bytes()).unwrap().0;
        assert_eq!(several.len(), 2);
        assert!(several.iter().all(|r| r.aliases.is_empty() && r.related == ["JVNDB-2025-000001"]));
        assert_eq!(parse(entry("", "1").as_bytes()).unwrap().0[0].id, "JVNDB-2025-000001");
    }

    #[test]
    fn versions_are_comparisons_or_undecidable() {
        for (text, high, closed, exact) in [
            ("3.4.6 より前のバージョン", Some("3.4.6"), false, false),
            ("1.0.2 未満", Some("1.0.2"), false, false),
            ("2.20 およびそれ以前", Some("2.20"), true, false),
            ("2.20 以前", Some("2.20"), true, false),
            ("1.2.3", Some("1.2.3"), true, true),
            ("ファームウエア 2.20 およびそれ以前", None, false, false),
            ("1.0 から 2.0", None, false, false),
            ("", None, false, false),
        ] {
            let mut v = Versions::new(Scheme::Generic);
            version(text, &mut v);
            let entry = v.entries.first();
            assert_eq!(entry.and_then(|e| e.high.as_deref()), high, "{text}");
            assert_eq!(entry.is_some_and(|e| e.high_closed), closed, "{text}");
            assert_eq!(entry.is_some_and(VersionEntry::is_exact), exact, "{text}");
            assert_eq!(v.undecidable.is_some(), high.is_none(), "{text}");
        }
    }

    #[test]
    fn a_page_tells_its_entries_or_its_fault() {
        let page = |items: &str, status: &str| {
            format!(
                "<?xml version=\"1.0\"?><rdf:RDF xmlns:rdf=\"http://www.w3.org/1999/02/22-rdf-syntax-ns#\" \
                 xmlns=\"http://purl.org/rss/1.0/\" xmlns:sec=\"http://jvn.jp/rss/mod_sec/3.0/\" \
                 xmlns:status=\"http://jvndb.jvn.jp/myjvn/Status\">{items}<status:Status {status}/></rdf:RDF>"
            )
        };
        let item = "<item><title>x</title><sec:identifier>JVNDB-2025-000001</sec:identifier></item>";
        let good = page(item, "retCd=\"0\" totalRes=\"51\" totalResRet=\"1\" firstRes=\"51\"");
        let want = Overview { ids: vec!["JVNDB-2025-000001".to_owned()], total: 51, first: 51 };
        assert_eq!(overview(good.as_bytes()), Ok(want));
        let fault = overview(page("", "retCd=\"1\" errCd=\"XX01\" errMsg=\"no\"").as_bytes()).unwrap_err();
        assert!(fault.message.contains("XX01"), "{fault}");
        for bad in ["<html/>", "", "{}", &page("", "retCd=\"0\" totalRes=\"5\" totalResRet=\"1\"")] {
            assert!(overview(bad.as_bytes()).is_err(), "{bad}");
        }
    }
}
