//! Finds the crate's migrations, which it ships as files and does not run.

use std::error::Error;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

fn main() -> Result<(), Box<dyn Error>> {
    let args = ["metadata", "--format-version", "1", "--locked", "--offline"];
    let output = Command::new(std::env::var("CARGO")?).args(args).output()?;
    let metadata: Value = serde_json::from_slice(&output.stdout)?;
    let packages = metadata["packages"].as_array().ok_or("there are no packages")?;
    let sqlxmq = packages.iter().find(|package| package["name"] == "sqlxmq");
    let manifest = sqlxmq.and_then(|package| package["manifest_path"].as_str());
    let folder = Path::new(manifest.ok_or("sqlxmq is no dependency")?).with_file_name("migrations");
    println!("cargo::rustc-env=SQLXMQ_MIGRATIONS={}", folder.display());
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed=../Cargo.lock");
    Ok(())
}
