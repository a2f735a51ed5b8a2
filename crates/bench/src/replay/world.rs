//! What the publishers have to tell, day by day: flaws with their editions, rendered in each publisher's format. The
//! volumes are those of 2025: about 130 new CVE ids a day, five times as many changed, 290,000 scores.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::Write as _;

use serde_json::{Value, json};

use crate::seed::Seed;

/// New CVE ids a day.
const NEW: u64 = 131;
/// CVE ids of which something changes on a day.
const CHANGED: u64 = 600;
/// Ids that have an EPSS score beside our own.
const SCORED: u64 = 190_000;
/// Followed ecosystems with records changed on an ordinary day.
pub const ECOSYSTEMS: [(&str, u64); 5] =
    [("npm", 60), ("PyPI", 30), ("Debian", 130), ("Maven", 15), ("crates.io", 5)];
/// The day on which a distribution touches very many records at once, and how many.
const WAVE: (u64, u64) = (11, 5_000);
/// Advisories of the CSAF provider a day.
const ADVISORIES: u64 = 12;

/// A flaw with a CVE id.
#[derive(Debug, Clone)]
pub struct Flaw {
    /// Its number; [`Flaw::cve`] is its name.
    pub n: u64,
    /// How often it was told anew.
    edition: u64,
    /// When it was last told.
    pub at: String,
}

impl Flaw {
    /// Its CVE id.
    pub fn cve(&self) -> String {
        format!("CVE-{}-{}", 2015 + self.n % 11, 10_000 + self.n)
    }

    /// An NVD item.
    pub fn nvd(&self) -> Value {
        let part = self.n % 9_000;
        json!({"cve": {"id": self.cve(), "sourceIdentifier": "cna@example.org",
            "published": "2025-01-01T00:00:00.000", "lastModified": self.at.trim_end_matches('Z'),
            "vulnStatus": "Analyzed",
            "descriptions": [{"lang": "en", "value": format!("Part {part} reads out of bounds ({}).", self.edition)}],
            "metrics": {"cvssMetricV31": [{"source": "nvd@nist.gov", "type": "Primary", "cvssData": {"version": "3.1",
                "vectorString": "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:N/I:N/A:H", "baseScore": 7.5, "baseSeverity": "HIGH"}}]},
            "weaknesses": [], "references": [], "configurations": [{"nodes": [{"operator": "OR", "negate": false,
                "cpeMatch": [{"vulnerable": true, "criteria": format!("cpe:2.3:a:vendor{}:part{part}:*:*:*:*:*:*:*:*", part % 900),
                    "versionEndExcluding": format!("{}.0", 1 + self.edition)}]}]}]}})
    }

    /// A CVE record, with CISA's container where `cisa`.
    pub fn record(&self, cisa: bool) -> Value {
        let org = "00000000-0000-4000-8000-000000000000";
        let mut v = json!({"dataType": "CVE_RECORD", "dataVersion": "5.1",
            "cveMetadata": {"cveId": self.cve(), "assignerOrgId": org, "state": "PUBLISHED",
                "datePublished": "2025-01-01T00:00:00.000Z", "dateUpdated": self.at},
            "containers": {"cna": {"providerMetadata": {"orgId": org},
                "descriptions": [{"lang": "en", "value": format!("A part reads out of bounds ({}).", self.edition)}],
                "affected": [{"vendor": "vendor", "product": format!("part{}", self.n % 9_000),
                    "versions": [{"version": "0", "lessThan": format!("{}.0", 1 + self.edition), "status": "affected",
                        "versionType": "semver"}]}], "references": []}}});
        if cisa {
            v["containers"]["adp"] = json!([{"title": "CISA ADP Vulnrichment",
                "providerMetadata": {"orgId": "134c704f-9b21-4f2e-91b3-4a467353bcc0", "dateUpdated": self.at},
                "metrics": [{"other": {"type": "ssvc", "content": {"id": self.cve(), "role": "CISA Coordinator",
                    "version": "2.0.3", "timestamp": self.at, "options": [{"Exploitation": "none"},
                    {"Automatable": "no"}, {"Technical Impact": "partial"}]}}}]}]);
        }
        v
    }
}

/// A record of an ecosystem.
#[derive(Debug, Clone)]
pub struct Package {
    n: u64,
    edition: u64,
    /// When it was last told.
    pub at: String,
}

impl Package {
    /// Its id.
    pub fn id(&self, ecosystem: &str) -> String {
        match ecosystem {
            "Debian" => format!("DSA-{}-1", 10_000 + self.n),
            "PyPI" => format!("PYSEC-2025-{}", self.n),
            "crates.io" => format!("RUSTSEC-2025-{:04}", self.n),
            "npm" => format!("MAL-2025-{}", self.n),
            _ => format!("OSV-2025-{}", self.n),
        }
    }

    /// Its record.
    pub fn osv(&self, ecosystem: &str) -> String {
        let name = if ecosystem == "Maven" {
            format!("org.sample:p{}", self.n % 700)
        } else {
            format!("p{}", self.n % 900)
        };
        let place = if ecosystem == "Debian" { "Debian:12" } else { ecosystem };
        json!({"schema_version": "1.6.0", "id": self.id(ecosystem), "modified": self.at,
            "summary": format!("A flaw ({})", self.edition), "affected": [{"package": {"ecosystem": place, "name": name},
                "ranges": [{"type": "ECOSYSTEM", "events": [{"introduced": "0"}, {"fixed": format!("{}.0", 1 + self.edition)}]}]}]})
        .to_string()
    }
}

/// All that there is to tell on a day.
pub struct World {
    seed: Seed,
    /// The day, from 0 (before the replay) on.
    pub day: u64,
    /// Flaws by number.
    pub flaws: Vec<Flaw>,
    /// Numbers of flaws that changed today, oldest first.
    pub today: Vec<u64>,
    /// Releases of the CVE list: name, when, and the flaws in it.
    pub releases: Vec<(String, String, Vec<u64>)>,
    /// Records by ecosystem.
    pub packages: BTreeMap<&'static str, Vec<Package>>,
    /// Advisories of the CSAF provider: number, edition, when.
    pub advisories: Vec<(u64, u64, String)>,
    /// Exploited flaws, by number, with the day.
    exploited: Vec<(u64, String)>,
    /// Flaws with a public exploit.
    public: Vec<u64>,
}

/// An instant of a simulated day.
fn at(day: u64, minute: u64) -> String {
    // thirty days from the first of June 2025 on
    let (month, of_month) = if day < 30 { (6, day + 1) } else { (7, day - 29) };
    format!("2025-{month:02}-{of_month:02}T{:02}:{:02}:00.000Z", minute / 60, minute % 60)
}

impl World {
    /// A world with so many flaws and half as many records of packages, before the first day.
    pub fn new(base: u64) -> World {
        let mut seed = Seed::new(31);
        let long_ago = "2025-05-01T00:00:00.000Z";
        let flaws = (0..base).map(|n| Flaw { n, edition: 0, at: long_ago.to_owned() }).collect();
        let package = |n| Package { n, edition: 0, at: long_ago.to_owned() };
        let packages =
            ECOSYSTEMS.map(|(name, share)| (name, (0..base / 2 * share / 240).map(package).collect())).into();
        let exploited = (0..1_300).map(|_| (seed.below(base), "2024-05-01".to_owned())).collect();
        let public = (0..40_000).map(|_| seed.below(base)).collect();
        World {
            seed,
            day: 0,
            flaws,
            today: Vec::new(),
            releases: vec![("cve_0000Z".to_owned(), at(0, 5), Vec::new())],
            packages,
            advisories: (0..400).map(|n| (n, 0, long_ago.to_owned())).collect(),
            exploited,
            public,
        }
    }

    /// Goes on by a day; how many records and facts changed.
    pub fn pass(&mut self) -> u64 {
        self.day += 1;
        let mut changed: Vec<u64> = (0..CHANGED).map(|_| self.seed.below(self.flaws.len() as u64)).collect();
        let next = self.flaws.len() as u64;
        changed.extend(next..next + NEW);
        changed.sort_unstable();
        changed.dedup();
        for n in next..next + NEW {
            self.flaws.push(Flaw { n, edition: 0, at: String::new() });
        }
        // over the hours of the day
        let hours = changed.len().div_ceil(24);
        for (hour, list) in changed.chunks(hours).enumerate() {
            let when = at(self.day, hour as u64 * 60);
            for n in list {
                if let Some(flaw) = self.flaws.get_mut(*n as usize) {
                    flaw.edition += 1;
                    flaw.at.clone_from(&when);
                }
            }
            let name = format!("{}_{hour:02}00Z", when.get(..10).unwrap_or_default());
            self.releases.push((name, at(self.day, hour as u64 * 60 + 5), list.to_vec()));
        }
        let mut told = changed.len() as u64 * 2;
        self.today = changed;
        let (day, wave) = (self.day, self.day == WAVE.0);
        for (name, ordinary) in ECOSYSTEMS {
            let list = self.packages.entry(name).or_default();
            let many = if wave && name == "Debian" { WAVE.1 } else { ordinary };
            for k in 0..many {
                let n = self.seed.below(list.len() as u64 + many / 4);
                let minute = k * 1_400 / many;
                match list.get_mut(n as usize) {
                    Some(p) => {
                        p.edition += 1;
                        p.at = at(day, minute);
                    }
                    None => list.push(Package { n: list.len() as u64, edition: 0, at: at(day, minute) }),
                }
            }
            told += many;
        }
        for k in 0..ADVISORIES {
            let n = self.seed.below(self.advisories.len() as u64 + ADVISORIES);
            let when = at(day, k * 60);
            match self.advisories.get_mut(n as usize) {
                Some(a) => (a.1, a.2) = (a.1 + 1, when),
                None => self.advisories.push((self.advisories.len() as u64, 0, when)),
            }
        }
        let fresh = self.flaws.len() as u64 - 1;
        self.exploited.push((fresh, at(day, 0).get(..10).unwrap_or_default().to_owned()));
        self.public.extend([fresh - 1, fresh - 2, fresh - 3]);
        told + ADVISORIES + 4
    }

    /// The page of NVD from `start` on: of everything, or of what changed today.
    pub fn nvd(&self, start: u64, all: bool) -> Vec<u8> {
        const PAGE: usize = 2_000;
        let numbers: Vec<u64> = if all { (0..self.flaws.len() as u64).collect() } else { self.today.clone() };
        let page: Vec<Value> = numbers
            .iter()
            .skip(start as usize)
            .take(PAGE)
            .filter_map(|n| self.flaws.get(*n as usize))
            .map(Flaw::nvd)
            .collect();
        json!({"resultsPerPage": page.len(), "startIndex": start, "totalResults": numbers.len(), "format": "NVD_CVE",
            "version": "2.0", "timestamp": at(self.day, 1_439), "vulnerabilities": page})
        .to_string()
        .into_bytes()
    }

    /// CISA's catalogue.
    pub fn kev(&self) -> Vec<u8> {
        let list: BTreeMap<u64, &String> = self.exploited.iter().map(|(n, day)| (*n, day)).collect();
        let entry = |(n, day): (&u64, &&String)| {
            let cve = self.flaws.get(*n as usize).map(Flaw::cve).unwrap_or_default();
            json!({"cveID": cve, "vendorProject": "Vendor", "product": "Part", "vulnerabilityName": "A flaw",
                "dateAdded": day, "shortDescription": "Used.", "requiredAction": "Update.", "dueDate": "2026-01-01",
                "knownRansomwareCampaignUse": "Unknown", "notes": "", "cwes": []})
        };
        let list: Vec<Value> = list.iter().map(entry).collect();
        json!({"title": "CISA Catalog of Known Exploited Vulnerabilities", "catalogVersion": format!("2025.{}", self.day),
            "dateReleased": at(self.day, 0), "count": list.len(), "vulnerabilities": list})
        .to_string()
        .into_bytes()
    }

    /// FIRST's scores, packed: a twentieth of them move on a day.
    pub fn epss(&self) -> anyhow::Result<Vec<u8>> {
        let mut text =
            format!("#model_version:v2025.03.14,score_date:{}\ncve,epss,percentile\n", at(self.day, 0));
        let score = |n: u64| {
            let moved = (self.day + n % 20) / 20;
            let score = (n.wrapping_mul(2_654_435_761).wrapping_add(moved * 97) % 10_000) as f64 / 10_000.0;
            (score, score.sqrt())
        };
        for flaw in &self.flaws {
            let (score, percentile) = score(flaw.n);
            let _ = writeln!(text, "{},{score:.5},{percentile:.5}", flaw.cve());
        }
        for n in 0..SCORED {
            let (score, percentile) = score(n + 7);
            let _ = writeln!(text, "CVE-{}-{},{score:.5},{percentile:.5}", 2000 + n % 14, 100_000 + n);
        }
        let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        packed.write_all(text.as_bytes())?;
        Ok(packed.finish()?)
    }

    /// The index of Exploit-DB.
    pub fn exploitdb(&self) -> Vec<u8> {
        let mut text = "id,file,description,date_published,author,type,platform,port,date_added,date_updated,verified,codes\n".to_owned();
        for (k, n) in self.public.iter().enumerate() {
            let cve = self.flaws.get(*n as usize).map(Flaw::cve).unwrap_or_default();
            let _ = writeln!(
                text,
                "{k},exploits/x/remote/{k}.txt,A part - out of bounds,2025-01-01,x,remote,x,,2025-01-01,2025-01-01,1,{cve}"
            );
        }
        text.into_bytes()
    }

    /// The modules of Metasploit: one for every sixteenth exploit.
    pub fn metasploit(&self) -> Vec<u8> {
        let module = |n: &u64| {
            let (key, cve) =
                (format!("exploit/x/{n}"), self.flaws.get(*n as usize).map(Flaw::cve).unwrap_or_default());
            let v = json!({"fullname": key, "name": "A part", "rank": 600, "disclosure_date": "2025-01-01",
                "references": [cve], "mod_time": "2025-01-01 00:00:00 +0000"});
            (key, v)
        };
        let modules: serde_json::Map<String, Value> = self.public.iter().step_by(16).map(module).collect();
        Value::Object(modules).to_string().into_bytes()
    }

    /// An advisory.
    pub fn csaf(&self, n: u64) -> Option<Vec<u8>> {
        let (n, edition, when) = self.advisories.get(n as usize)?;
        let cve = self.flaws.get(*n as usize * 3).map(Flaw::cve)?;
        let document = json!({"document": {"category": "csaf_security_advisory", "csaf_version": "2.0",
            "title": format!("A part ({edition})"), "publisher": {"category": "vendor", "name": "Vendor", "namespace": "https://vendor.example"},
            "tracking": {"id": format!("V-{n}"), "status": "final", "version": (edition + 1).to_string(),
                "initial_release_date": "2025-01-01T00:00:00Z", "current_release_date": when,
                "revision_history": [{"number": (edition + 1).to_string(), "date": when, "summary": "Told"}]}},
            "product_tree": {"full_product_names": [{"name": "Part 1", "product_id": "P1"}]},
            "vulnerabilities": [{"cve": cve, "product_status": {"known_affected": ["P1"]}}]});
        Some(document.to_string().into_bytes())
    }
}
