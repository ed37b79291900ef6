//! Makes sure that the folder of the web build exists (it is embedded, empty or not) and that a new web build is noticed.

fn main() {
    let web_build = concat!(env!("CARGO_MANIFEST_DIR"), "/../../web/build");
    if let Err(error) = std::fs::create_dir_all(web_build) {
        println!("cargo::warning=cannot create {web_build}: {error}; the web UI will be missing");
    }
    println!("cargo::rerun-if-changed={web_build}");
}
