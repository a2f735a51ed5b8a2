//! `tocsin db show`: weaknesses by name, and what a vendor says one can do.

use serde_json::Value;

use crate::tocsin;

fn show(data: &std::path::Path, id: &str) -> Value {
    let out = tocsin(data, &["db", "--format", "json", "show", id]);
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    serde_json::from_slice(&out.stdout).unwrap()
}

#[test]
fn weaknesses_are_named_and_remediations_told() {
    let dir = tempfile::tempdir().unwrap();
    let (data, input) = (dir.path().join("data"), dir.path().join("in"));
    std::fs::create_dir(&input).unwrap();
    std::fs::write(input.join("cwe_4.20_2026-04-30.csv"), "79\tStable\tScripting\t1\tAllowed\n").unwrap();
    let csaf = r#"{"document":{"csaf_version":"2.0","tracking":{"id":"ACME-1","current_release_date":"2024-01-01T00:00:00Z"}},
        "product_tree":{"branches":[{"category":"vendor","name":"Acme","branches":[{"category":"product_name","name":"Pump","branches":[
          {"category":"product_version_range","name":"prior to V3.1","product":{"product_id":"p","name":"Pump before 3.1"}}]}]}]},
        "vulnerabilities":[{"cve":"CVE-2024-0001","cwe":{"id":"CWE-79"},"product_status":{"known_affected":["p"]},
          "remediations":[{"category":"vendor_fix","details":"Update to 3.1","product_ids":["p"]}]}]}"#;
    std::fs::write(input.join("acme.json"), csaf).unwrap();
    let out = tocsin(&data, &["db", "import", input.to_str().unwrap()]);
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    let shown = show(&data, "CVE-2024-0001");
    assert_eq!(shown["weaknesses"][0]["name"], "Scripting");
    assert_eq!(shown["remediations"][0]["category"], "vendor_fix");
    assert_eq!(shown["remediations"][0]["products"][0], "Pump before 3.1");
    assert_eq!(show(&data, "cwe-79")["release"], "4.20");
    assert!(!tocsin(&data, &["db", "show", "CWE-1"]).status.success());
}
