use std::fs;

use super::InferenceConfig;

/// The name of the GPU with this number, if models can run on it.
///
/// # Errors
/// A sentence where this build or this machine has none.
pub fn gpu_device(number: usize) -> Result<String, NoGpu> {
    if !candle_core::utils::cuda_is_available() {
        return Err(NoGpu::Build);
    }
    match candle_core::Device::new_cuda(number) {
        Ok(_) => Ok(format!("cuda:{number}")),
        Err(error) => Err(NoGpu::Machine {
            number,
            reason: error.to_string(),
        }),
    }
}

/// Why models cannot run on a GPU.
#[derive(Debug, thiserror::Error)]
pub enum NoGpu {
    #[error(
        "this build of referee runs models on the processor only: use --device cpu, or build it with `cargo build --release --features cuda`"
    )]
    Build,
    #[error(
        "cuda:{number} cannot be used ({reason}): use --device cpu, or see `nvidia-smi` for what is there"
    )]
    Machine { number: usize, reason: String },
}

impl InferenceConfig {
    /// What a speed was measured on: the kind of device, the machine, threads and batch.
    pub(super) fn described_device(&self, batch: usize) -> String {
        let Self {
            device, threads, ..
        } = self;
        if device != "cpu" {
            return format!("{device}, batch {batch}");
        }
        let processors = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
        let model = processors
            .lines()
            .find_map(|line| Some(line.strip_prefix("model name")?.split_once(':')?.1.trim()))
            .unwrap_or("unknown processor");
        let plural = if *threads == 1 { "" } else { "s" };
        format!("cpu: {model}, {threads} thread{plural}, batch {batch}")
    }
}
