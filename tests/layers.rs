//! The modules are layers: each uses those before it, never those after it.

use std::fs;
use std::path::Path;

/// The layers, lowest first, as `src/lib.rs` and the README have them.
const LAYERS: [&[&str]; 9] = [
    &["time", "rng", "id", "slot", "resp"],
    &["node"],
    &["network"],
    &["world"],
    &["admin", "workload"],
    &["scenario"],
    &["sweep"],
    &["report"],
    &["cli"],
];

fn layer(module: &str) -> Option<usize> {
    LAYERS.iter().position(|layer| layer.contains(&module))
}

/// Every source file below a path, with the name of the module at the top that it belongs to.
fn sources(path: &Path, module: &str, found: &mut Vec<(String, String)>) {
    if path.is_dir() {
        for entry in fs::read_dir(path).unwrap() {
            sources(&entry.unwrap().path(), module, found);
        }
    } else if path.extension().is_some_and(|extension| extension == "rs") {
        found.push((module.to_owned(), fs::read_to_string(path).unwrap()));
    }
}

/// The modules at the top that code names: what stands behind `crate::`, comments left out.
fn used(code: &str) -> impl Iterator<Item = &str> {
    let code = code.lines().map(str::trim_start).filter(|line| !line.starts_with("//"));
    code.flat_map(|line| line.split("crate::").skip(1))
        .filter_map(|rest| rest.split(|c: char| !c.is_alphanumeric() && c != '_').next())
}

#[test]
fn a_layer_uses_only_those_below_it() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    for entry in fs::read_dir(root).unwrap() {
        let path = entry.unwrap().path();
        let module = path.file_stem().unwrap().to_str().unwrap().to_owned();
        if module != "lib" && module != "main" {
            assert!(layer(&module).is_some(), "`{module}` is in no layer");
            sources(&path, &module, &mut files);
        }
    }
    let mut uses = 0;
    for (module, code) in &files {
        for other in used(code).filter(|other| other != module) {
            let (Some(own), Some(its)) = (layer(module), layer(other)) else { continue };
            assert!(its < own || its == 0 && own == 0, "`{module}` uses `{other}`");
            uses += 1;
        }
    }
    assert!(files.len() > 100 && uses > 500, "the sources are there: {}, {uses}", files.len());
}
