//! What submitted models may use of this machine.

use std::num::NonZero;
use std::path::{Path, PathBuf};
use std::thread::available_parallelism;
use std::time::Duration;

use anyhow::Context as _;
use referee_networks::DeviceChoice;
use referee_workers::InferenceConfig;

/// Limits of a model's process.
#[derive(Clone, Debug, clap::Args)]
pub struct ModelOptions {
    /// Memory that a model's process may write to, in MiB [default: three quarters of the machine's]
    #[arg(long, value_name = "MIB", env = "REFEREE_MODEL_MEMORY_MB", value_parser = clap::value_parser!(u64).range(64..))]
    model_memory_mb: Option<u64>,
    /// Threads that a model runs on [default: one for each processor]
    #[arg(long, value_name = "N", env = "REFEREE_MODEL_THREADS")]
    model_threads: Option<NonZero<usize>>,
    /// Seconds that a model may take on one worker
    #[arg(long, value_name = "S", env = "REFEREE_MODEL_SECONDS", default_value = "21600", value_parser = clap::value_parser!(u64).range(1..))]
    model_seconds: u64,
    /// Seconds that a worker is to be busy with one range of images; then another worker may take the next
    #[arg(long, value_name = "S", hide = true, default_value = "10")]
    model_shard_seconds: f64,
    /// Where test sets are kept once decoded and resized [default: DIR/image-cache]
    #[arg(long, value_name = "DIR", env = "REFEREE_IMAGE_CACHE")]
    image_cache: Option<PathBuf>,
    /// The most that they may take, in MiB
    #[arg(
        long,
        value_name = "MIB",
        env = "REFEREE_IMAGE_CACHE_MB",
        default_value = "51200"
    )]
    image_cache_mb: u64,
}

impl Default for ModelOptions {
    fn default() -> Self {
        Self {
            model_memory_mb: None,
            model_threads: None,
            model_seconds: 21_600,
            model_shard_seconds: 10.0,
            image_cache: None,
            image_cache_mb: 51_200,
        }
    }
}

impl ModelOptions {
    /// For a worker that calculates on `device` and whose server keeps its data in `data`.
    pub fn config(&self, device: DeviceChoice, data: &Path) -> anyhow::Result<InferenceConfig> {
        let cache = self.image_cache.clone();
        let cache = cache.unwrap_or_else(|| data.join("image-cache"));
        Ok(InferenceConfig {
            program: std::env::current_exe()
                .context("the path of this program is unknown, so that no model can be run")?,
            device: device.present()?,
            memory_mb: self.model_memory_mb.unwrap_or_else(three_quarters),
            threads: self
                .model_threads
                .or(available_parallelism().ok())
                .map_or(1, NonZero::get),
            seconds: self.model_seconds,
            // The processes that run models have a working directory of their own.
            cache: std::path::absolute(cache)?,
            cache_mb: self.image_cache_mb,
            shard: Duration::from_secs_f64(self.model_shard_seconds.clamp(0.001, 3600.0)),
        })
    }
}

/// Of the machine's memory, in MiB; 4 GiB where the kernel does not say how much there is.
fn three_quarters() -> u64 {
    let described = std::fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let kilobytes = described
        .lines()
        .find_map(|line| line.strip_prefix("MemTotal:")?.trim().strip_suffix(" kB"))
        .and_then(|number| number.trim().parse::<u64>().ok());
    kilobytes.map_or(4096, |kilobytes| kilobytes / 1024 * 3 / 4)
}
