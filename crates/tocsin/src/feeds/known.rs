//! Feeds and lists that are well known, as suggestions: none is followed until somebody takes it.

/// A feed or list that is well known.
pub struct Known {
    /// What kind of publisher it is.
    pub kind: &'static str,
    /// Its line in a list: address, name, reliability.
    pub line: &'static str,
}

impl Known {
    /// Its address.
    pub fn address(&self) -> &'static str {
        self.line.split(' ').next().unwrap_or_default()
    }

    /// Its name.
    pub fn name(&self) -> &'static str {
        let rest = self.line.split_once(' ').map_or("", |(_, rest)| rest);
        rest.rsplit_once(' ').map_or(rest, |(name, _)| name)
    }
}

const fn cert(line: &'static str) -> Known {
    Known { kind: "public CERT", line }
}

const fn maker(line: &'static str) -> Known {
    Known { kind: "maker", line }
}

const fn press(line: &'static str) -> Known {
    Known { kind: "news", line }
}

const fn research(line: &'static str) -> Known {
    Known { kind: "research", line }
}

const fn list(line: &'static str) -> Known {
    Known { kind: "mailing list", line }
}

/// Feeds, by kind and name.
pub const FEEDS: &[Known] = &[
    cert("https://www.cert.at/cert-at.de.warnings.rss_2.0.xml CERT.at warnings B"),
    cert("https://wid.cert-bund.de/content/public/securityAdvisory/rss CERT-Bund WID B"),
    cert("https://www.cert.ssi.gouv.fr/feed/ CERT-FR B"),
    cert("https://cert.europa.eu/publications/security-advisories-rss CERT-EU B"),
    cert("https://www.cisa.gov/cybersecurity-advisories/all.xml CISA B"),
    cert("https://www.cisa.gov/cybersecurity-advisories/ics-advisories.xml CISA ICS advisories B"),
    cert(
        "https://www.cisa.gov/cybersecurity-advisories/ics-medical-advisories.xml CISA ICS medical advisories B",
    ),
    cert("https://www.jpcert.or.jp/english/rss/jpcert-en.rdf JPCERT/CC B"),
    cert("https://jvn.jp/en/rss/jvn.rdf JVN B"),
    cert("https://advisories.ncsc.nl/rss/advisories NCSC-NL B"),
    cert("https://www.ncsc.gov.uk/api/1/services/v1/all-rss-feed.xml NCSC UK B"),
    cert(
        "https://www.cyber.gc.ca/api/cccs/rss/v1/get?feed=alerts_advisories&lang=en Canadian Centre for Cyber Security B",
    ),
    maker("https://chromereleases.googleblog.com/feeds/posts/default Chrome releases B"),
    maker(
        "https://sec.cloudapps.cisco.com/security/center/psirtrss20/CiscoSecurityAdvisory.xml Cisco PSIRT B",
    ),
    maker("https://www.debian.org/security/dsa-long Debian DSA B"),
    maker("https://filestore.fortinet.com/fortiguard/rss/ir.xml Fortinet PSIRT B"),
    maker("https://github.blog/tag/security/feed/ GitHub blog on security B"),
    maker("https://googleprojectzero.blogspot.com/feeds/posts/default Project Zero B"),
    maker("https://api.msrc.microsoft.com/update-guide/rss Microsoft MSRC B"),
    maker("https://security.paloaltonetworks.com/rss.xml Palo Alto Networks PSIRT B"),
    maker("https://cert-portal.siemens.com/productcert/rss/advisories.atom Siemens ProductCERT B"),
    maker("https://ubuntu.com/security/notices/rss.xml Ubuntu USN B"),
    list("https://seclists.org/rss/fulldisclosure.rss Full Disclosure C"),
    list("https://seclists.org/rss/oss-sec.rss oss-security B"),
    press("https://www.bleepingcomputer.com/feed/ BleepingComputer C"),
    press("https://www.darkreading.com/rss.xml Dark Reading C"),
    press("https://www.heise.de/security/feed.xml heise security C"),
    press("https://krebsonsecurity.com/feed/ Krebs on Security C"),
    press("https://www.securityweek.com/feed/ SecurityWeek C"),
    press("https://feeds.feedburner.com/TheHackersNews The Hacker News C"),
    press("https://www.theregister.com/security/headlines.atom The Register on security C"),
    research("https://isc.sans.edu/rssfeed_full.xml SANS Internet Storm Center B"),
    research("https://securelist.com/feed/ Securelist C"),
    research("https://blog.talosintelligence.com/rss/ Cisco Talos B"),
    research("https://unit42.paloaltonetworks.com/feed/ Unit 42 B"),
    research("https://www.zerodayinitiative.com/rss/published/ Zero Day Initiative B"),
];

/// Archives of mailing lists.
pub const LISTS: &[Known] = &[
    Known {
        kind: "mbox by month",
        line: "https://lists.apache.org/api/mbox.lua?list=announce&domain=apache.org&d={yyyy}-{mm} Apache announce B",
    },
    Known { kind: "public-inbox", line: "https://inbox.sourceware.org/libc-announce/ libc-announce B" },
    Known { kind: "public-inbox", line: "https://lore.kernel.org/linux-cve-announce/ linux-cve-announce B" },
];

#[cfg(test)]
mod tests {
    use super::super::parts::listed;
    use super::*;

    #[test]
    fn what_is_suggested_can_be_taken() {
        let lists: Vec<&str> = LISTS.iter().map(|k| k.line).collect();
        assert_eq!(listed(&lists.join("\n")).unwrap().len(), LISTS.len());
        let text: Vec<&str> = FEEDS.iter().map(|k| k.line).collect();
        let all = listed(&text.join("\n")).unwrap();
        assert_eq!(all.len(), FEEDS.len());
        for (place, known) in all.iter().zip(FEEDS) {
            assert_eq!((place.address.as_str(), place.name.as_str()), (known.address(), known.name()));
            assert!(place.address.starts_with("https://") && matches!(place.reliability.as_str(), "B" | "C"));
        }
    }
}
