//! Compiles `proto/onnx.proto` into Rust with `protox`, which needs no `protoc` on the machine.

fn main() -> Result<(), Box<dyn std::error::Error>> {
    println!("cargo::rerun-if-changed=proto/onnx.proto");
    let descriptors = protox::compile(["proto/onnx.proto"], ["proto"])?;
    // `bytes`: a tensor's data is a slice of the mapped file instead of a copy.
    prost_build::Config::new()
        .disable_comments(["."])
        .bytes(["."])
        .compile_fds(descriptors)?;
    Ok(())
}
