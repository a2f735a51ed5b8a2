//! What fuzzing found stays found: the inputs under `testdata/fuzz/` through the bodies of their targets.

use std::fs;
use std::path::Path;

#[path = "../../../../fuzz/src/lib.rs"]
mod targets;

#[test]
fn every_finding_is_still_fixed() {
    let base = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../testdata/fuzz");
    let mut replayed = 0;
    for folder in fs::read_dir(&base).unwrap().map(|e| e.unwrap().path()) {
        let target = folder.file_name().unwrap().to_str().unwrap();
        for case in fs::read_dir(&folder).unwrap().map(|e| e.unwrap().path()) {
            eprintln!("{target} {}", case.display());
            targets::run(target, &fs::read(&case).unwrap());
            replayed += 1;
        }
    }
    assert!(replayed >= 5, "{replayed}");
}

/// No target may fail on nothing, nor on the first bytes that choose among readers.
#[test]
fn every_target_runs() {
    for (name, body) in targets::TARGETS {
        body(&[]);
        (0..=u8::MAX).for_each(|choice| body(&[choice, b'{', b'}']));
        eprintln!("{name}");
    }
}
