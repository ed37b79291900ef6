//! From bytes to the numbers that a network takes: `x = (pixel · scale − mean) / std`.

use rayon::prelude::*;
use referee_scoring::model_form::{Channels, Preprocessing};

/// What each pixel value becomes in each of the network's channels.
pub struct Normalization {
    /// The value of each of the 256 bytes, by the network's channel.
    tables: Vec<[f32; 256]>,
    /// Blue first.
    is_reversed: bool,
}

impl Normalization {
    pub fn of(preprocessing: &Preprocessing) -> Self {
        let tables = preprocessing.mean.iter().zip(&preprocessing.std);
        let table = |(mean, std): (&f64, &f64)| {
            std::array::from_fn(|pixel| {
                #[expect(
                    clippy::cast_possible_truncation,
                    clippy::cast_precision_loss,
                    reason = "computed in double precision, rounded once; a byte is exact"
                )]
                let value = ((pixel as f64 * preprocessing.scale - mean) / std) as f32;
                value
            })
        };
        Self {
            tables: tables.map(table).collect(),
            is_reversed: preprocessing.channels == Some(Channels::Bgr),
        }
    }

    /// The network's channels.
    pub fn channels(&self) -> usize {
        self.tables.len()
    }

    /// `[images, height, width, channels]` to `[images, network's channels, height, width]`; one channel is repeated for all.
    ///
    /// # Panics
    /// If there are neither one nor as many channels as the network has.
    pub fn apply(&self, pixels: &[u8], pixels_per_image: usize, channels: usize) -> Vec<f32> {
        assert!(
            channels == 1 || channels == self.channels(),
            "geometry has brought images to the network's channels"
        );
        let mut normalized = vec![0.0; pixels.len() / channels * self.channels()];
        let planes = normalized.par_chunks_exact_mut(pixels_per_image);
        planes.enumerate().for_each(|(plane, values)| {
            let (image, channel) = (plane / self.channels(), plane % self.channels());
            let table = &self.tables[channel];
            let stored = match (channels, self.is_reversed) {
                (1, _) => 0,
                (_, true) => channels - 1 - channel,
                (_, false) => channel,
            };
            let first = image * pixels_per_image * channels + stored;
            let bytes = pixels[first..].iter().step_by(channels);
            for (value, &byte) in values.iter_mut().zip(bytes) {
                *value = table[usize::from(byte)];
            }
        });
        normalized
    }
}
