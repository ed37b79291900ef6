//! What networks run on: the processor, or a GPU.

use std::fmt;
use std::str::FromStr;

use candle_core::{DType, Device, DeviceLocation, Tensor};

/// A device as `--device` names it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum DeviceChoice {
    /// The first GPU, where there is one that this build can use, else the processor.
    #[default]
    Auto,
    Cpu,
    /// The GPU with this number, as `nvidia-smi` counts them.
    Cuda(usize),
}

/// Neither a processor nor a GPU.
#[derive(Debug, thiserror::Error)]
#[error("write auto, cpu, cuda or cuda:N, such as cuda:0")]
pub struct NoSuchDevice;

/// Why networks cannot run on a GPU.
#[derive(Debug, thiserror::Error)]
pub enum NoGpu {
    #[error(
        "this build of referee runs models on the processor only: use --device cpu, or build it with `cargo build --release --package referee-cli --features cuda`"
    )]
    Build,
    #[error(
        "cuda:{number} cannot be used ({reason}): use --device cpu, or see `nvidia-smi` for what is there"
    )]
    Machine { number: usize, reason: String },
}

impl DeviceChoice {
    /// What the variable `REFEREE_DEVICE` says; the processor where it is unset. For examples and benchmarks.
    ///
    /// # Errors
    /// If it names no device, or a GPU that cannot be used.
    pub fn open_from_environment() -> Result<Device, Box<dyn std::error::Error>> {
        match std::env::var("REFEREE_DEVICE") {
            Ok(name) => Ok(name.parse::<Self>()?.open()?),
            Err(_) => Ok(Device::Cpu),
        }
    }

    /// The device itself. A GPU's driver is started by it, which takes memory and up to seconds.
    ///
    /// # Errors
    /// If it is a GPU that cannot be used.
    pub fn open(self) -> Result<Device, NoGpu> {
        match self.present()? {
            Self::Cuda(number) => Device::new_cuda(number).map_err(|error| no_gpu(number, &error)),
            Self::Auto | Self::Cpu => Ok(Device::Cpu),
        }
    }

    /// The same, and has a GPU's driver load from files and start whatever calculations need, so that a process may forbid itself
    /// to open files from then on.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub fn open_completely(self) -> Result<Device, NoGpu> {
        let device = self.open()?;
        if let Self::Cuda(number) = Self::from(&device) {
            warm_up(&device).map_err(|error| no_gpu(number, &error))?;
        }
        Ok(device)
    }

    /// The kind of device and the maker's name for it, such as `cpu: AMD EPYC 9B14`.
    #[must_use]
    pub fn hardware(self) -> String {
        match self {
            Self::Cuda(number) => {
                let name = gpu_name(number);
                format!("{self}: {}", name.as_deref().unwrap_or("unknown GPU"))
            }
            Self::Auto | Self::Cpu => {
                let name = processor_name();
                format!("cpu: {}", name.as_deref().unwrap_or("unknown processor"))
            }
        }
    }

    /// The same choice with `Auto` decided, after a look at which GPUs there are; none is opened.
    ///
    /// # Errors
    /// If it is a GPU that this build or this machine does not have.
    pub fn present(self) -> Result<Self, NoGpu> {
        match self {
            Self::Cpu => Ok(Self::Cpu),
            Self::Auto => Ok(match gpus() {
                Ok(1..) => Self::Cuda(0),
                Ok(0) | Err(_) => Self::Cpu,
            }),
            Self::Cuda(number) => {
                let reason = match gpus()? {
                    count if number < count => return Ok(self),
                    0 => "there is none".to_owned(),
                    count => format!("there are {count}, counted from 0"),
                };
                Err(NoGpu::Machine { number, reason })
            }
        }
    }
}

fn no_gpu(number: usize, error: &dyn fmt::Display) -> NoGpu {
    NoGpu::Machine {
        number,
        reason: error.to_string(),
    }
}

/// A convolution, a matrix product and a sum: the compiler of kernels and the library for matrices are loaded with the first.
fn warm_up(device: &Device) -> candle_core::Result<()> {
    let images = Tensor::ones((1, 3, 8, 8), DType::F32, device)?;
    let filters = Tensor::ones((4, 3, 3, 3), DType::F32, device)?;
    let maps = images.conv2d(&filters, 1, 1, 1, 1)?.relu()?;
    let rows = maps.flatten_from(1)?;
    rows.matmul(&rows.t()?.contiguous()?)?
        .sum_all()?
        .to_scalar::<f32>()?;
    device.synchronize()
}

#[cfg(feature = "cuda")]
fn gpu_name(number: usize) -> Option<String> {
    use candle_core::cuda_backend::cudarc::driver::result;
    result::init().ok()?;
    let device = result::device::get(i32::try_from(number).ok()?).ok()?;
    result::device::get_name(device).ok()
}

#[cfg(not(feature = "cuda"))]
const fn gpu_name(_: usize) -> Option<String> {
    None
}

/// As Linux names it.
fn processor_name() -> Option<String> {
    let processors = std::fs::read_to_string("/proc/cpuinfo").ok()?;
    let name = processors
        .lines()
        .find_map(|line| Some(line.strip_prefix("model name")?.split_once(':')?.1.trim()))?;
    Some(name.to_owned())
}

#[cfg(feature = "cuda")]
fn gpus() -> Result<usize, NoGpu> {
    use candle_core::cuda_backend::cudarc::driver::result;
    let count = result::init().and_then(|()| result::device::get_count());
    let count = count.map_err(|error| no_gpu(0, &error))?;
    Ok(usize::try_from(count).unwrap_or(0))
}

#[cfg(not(feature = "cuda"))]
const fn gpus() -> Result<usize, NoGpu> {
    Err(NoGpu::Build)
}

impl FromStr for DeviceChoice {
    type Err = NoSuchDevice;

    fn from_str(text: &str) -> Result<Self, NoSuchDevice> {
        match text {
            "auto" => Ok(Self::Auto),
            "cpu" => Ok(Self::Cpu),
            "cuda" => Ok(Self::Cuda(0)),
            _ => text
                .strip_prefix("cuda:")
                .and_then(|number| number.parse::<u8>().ok())
                .map(|number| Self::Cuda(number.into()))
                .ok_or(NoSuchDevice),
        }
    }
}

impl fmt::Display for DeviceChoice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Auto => f.write_str("auto"),
            Self::Cpu => f.write_str("cpu"),
            Self::Cuda(number) => write!(f, "cuda:{number}"),
        }
    }
}

impl From<&Device> for DeviceChoice {
    fn from(device: &Device) -> Self {
        match device.location() {
            DeviceLocation::Cuda { gpu_id } => Self::Cuda(gpu_id),
            DeviceLocation::Cpu | DeviceLocation::Metal { .. } => Self::Cpu,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names() {
        for (text, choice) in [
            ("auto", DeviceChoice::Auto),
            ("cpu", DeviceChoice::Cpu),
            ("cuda:0", DeviceChoice::Cuda(0)),
            ("cuda:3", DeviceChoice::Cuda(3)),
        ] {
            assert_eq!(text.parse::<DeviceChoice>().ok(), Some(choice), "{text}");
            assert_eq!(choice.to_string(), text);
        }
        assert_eq!(
            "cuda".parse::<DeviceChoice>().ok(),
            Some(DeviceChoice::Cuda(0))
        );
        for text in ["", "gpu", "cuda:", "cuda:x", "cuda:-1", "cpu:0", "auto:0"] {
            assert!(text.parse::<DeviceChoice>().is_err(), "{text}");
        }
    }

    #[test]
    #[cfg(not(feature = "cuda"))]
    fn a_build_without_cuda_says_how_to_get_it() {
        assert_eq!(DeviceChoice::Auto.present().ok(), Some(DeviceChoice::Cpu));
        let error = DeviceChoice::Cuda(0)
            .open()
            .expect_err("no GPU")
            .to_string();
        assert!(error.contains("--features cuda"), "{error}");
    }
}
