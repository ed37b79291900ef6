//! Speed and memory of the zoo's networks, for `scripts/bench networks`.
//!
//!     bench_networks speed NAME BATCH SECONDS     images per second
//!     bench_networks memory NAME BATCH            peak memory of the process in MB
//!     bench_networks export NAME FILE             the same network and weights as ONNX
//!     bench_networks names                        every network
//!
//! `REFEREE_DEVICE` (`cuda`, say) names another device than the processor.

use std::time::{Duration, Instant};

use candle_core::Tensor;
use referee_networks::train::initial_weights;
use referee_networks::zoo::{self, ZooOptions};
use referee_networks::{DeviceChoice, Executor, Network, Weights, fuse, onnx};
use referee_scoring::model_form::Architecture;

type Failure = Box<dyn std::error::Error>;

fn main() -> Result<(), Failure> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments.as_slice() {
        ["speed", name, batch, seconds] => {
            let rate = images_per_second(
                name,
                batch.parse()?,
                Duration::from_secs_f64(seconds.parse()?),
            )?;
            println!("{rate:.2}");
        }
        ["memory", name, batch] => {
            images_per_second(name, batch.parse()?, Duration::ZERO)?;
            println!("{}", peak_memory_mb()?);
        }
        ["export", name, file] => {
            let (network, weights, _) = network(name)?;
            std::fs::write(file, onnx::encode(&network, &weights)?)?;
        }
        ["names"] => Architecture::names()
            .chain(["mlp(512,256)"])
            .for_each(|name| println!("{name}")),
        _ => return Err("usage: see the top of this example".into()),
    }
    Ok(())
}

/// The network at its paper's image size, with random weights.
fn network(name: &str) -> Result<(Network, Weights, [usize; 3]), Failure> {
    let input = match name {
        "perceptron" | "lenet5" => [1, 28, 28],
        name if name.starts_with("mlp") => [1, 28, 28],
        "resnet20" | "resnet32" | "resnet44" | "resnet56" | "resnet110" | "plain20" | "plain56"
        | "wrn_28_10" => [3, 32, 32],
        _ => [3, 224, 224],
    };
    let num_classes = if input[1] == 224 { 1000 } else { 10 };
    let network = zoo::build(&name.parse()?, &ZooOptions { num_classes, input })?;
    let weights = initial_weights(&network, 1)?;
    Ok((network, weights, input))
}

/// Runs batches until `least` has passed, after one that warms up.
fn images_per_second(name: &str, batch: usize, least: Duration) -> Result<f64, Failure> {
    let (network, weights, [channels, height, width]) = network(name)?;
    let (network, weights) = fuse(&network, &weights)?;
    let device = DeviceChoice::open_from_environment()?;
    let executor = Executor::new(&network, &weights, &device)?;
    drop(weights);
    let images = Tensor::rand(0_f32, 1., (batch, channels, height, width), &device)?;
    executor.infer(&images)?;
    device.synchronize()?;
    let (started, mut runs) = (Instant::now(), 0);
    while runs == 0 || started.elapsed() < least {
        executor.infer(&images)?;
        // A GPU answers before it has done the work.
        device.synchronize()?;
        runs += 1;
    }
    Ok(f64::from(u32::try_from(runs * batch)?) / started.elapsed().as_secs_f64())
}

/// The most memory that the process ever had resident, as Linux counts it.
fn peak_memory_mb() -> Result<u64, Failure> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status
        .lines()
        .find(|line| line.starts_with("VmHWM:"))
        .ok_or("no VmHWM")?;
    let kilobytes: u64 = line.split_whitespace().nth(1).ok_or("no number")?.parse()?;
    Ok(kilobytes / 1024)
}
