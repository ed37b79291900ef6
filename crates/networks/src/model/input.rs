//! The input that takes the image.

use candle_core::{DType, Tensor};
use referee_scoring::Notice;

use super::error::{ModelError, Result, lengths};
use crate::{
    ElementType, Network,
    onnx::{Declared, Feed, OnnxFile},
};

/// What a network says of its images; `None` where it leaves that open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ImageShape {
    pub channels: Option<usize>,
    /// Height and width.
    pub size: Option<[usize; 2]>,
    /// It takes pixels as they are, 0 to 255.
    pub raw: bool,
}

/// The order of the dimensions after the batch's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Layout {
    /// Channels, height, width.
    ChannelsFirst,
    /// Height, width, channels, as TensorFlow and Keras have it.
    ChannelsLast,
    /// Height and width; one channel is understood.
    NoChannels,
    /// All pixels of an image in one row.
    Flat { length: Option<usize> },
}

/// What happens to images that have another number of channels than the network takes; `None` where nothing does. `images` is
/// none for the pictures of a tar, each of which may be gray or in colour.
pub fn channels_notice(images: Option<usize>, network: usize) -> Option<Notice> {
    let detail = match (images, network) {
        (Some(1), 3) => "the images have 1 channel, the network takes 3: it gets three equal ones",
        (Some(3), 1) => {
            "the images have 3 channels, the network takes 1: they are made grey as Pillow's mode L"
        }
        (None, 1) => {
            "the network takes 1 channel: pictures in colour are made grey as Pillow's mode L"
        }
        _ => return None,
    };
    Some(Notice {
        code: "channels".into(),
        detail: detail.into(),
    })
}

/// The image input of a network.
#[derive(Clone, Debug)]
pub(super) struct Input {
    pub shape: ImageShape,
    pub layout: Layout,
    pub fixed_batch: Option<usize>,
}

/// The only input that `output` is computed from.
pub(super) fn only_image(file: &OnnxFile, output: &str) -> Result<Declared> {
    let mut inputs = file.inputs_of(output)?;
    match (inputs.pop(), inputs.len()) {
        (Some(only), 0) => Ok(only),
        (last, _) => Err(ModelError::Inputs(
            inputs
                .into_iter()
                .chain(last)
                .map(|input| input.name)
                .collect(),
        )),
    }
}

impl Input {
    pub fn of(image: &Declared, notices: &mut Vec<Notice>) -> Result<Self> {
        let refuse = |found: String| ModelError::NoImage {
            name: image.name.clone(),
            found,
        };
        if !image.element.is_float() && image.element != ElementType::U8 {
            return Err(refuse(format!("{:?}", image.element)));
        }
        let Some(dims) = &image.dims else {
            return Err(refuse("of unknown shape".into()));
        };
        let is_channels = |length: Option<usize>| matches!(length, Some(1 | 3));
        let (layout, channels, height, width) = match *dims.as_slice() {
            [_, height, width, channels] if is_channels(channels) && !is_channels(dims[1]) => {
                (Layout::ChannelsLast, channels, height, width)
            }
            [_, channels, height, width] => (Layout::ChannelsFirst, channels, height, width),
            // Three images of one channel each would be rare, and rows of three pixels; one image of three channels is not.
            [Some(3), _, _] | [_, _, Some(1 | 3)] => {
                return Err(ModelError::OneImage {
                    name: image.name.clone(),
                    dims: dims.clone(),
                });
            }
            [_, height, width] => (Layout::NoChannels, Some(1), height, width),
            [_, length] => (Layout::Flat { length }, None, None, None),
            _ => return Err(refuse(format!("[{}]", lengths(dims)))),
        };
        if layout == Layout::ChannelsLast {
            notices.push(Notice {
                code: "channels_last".into(),
                detail: format!(
                    "input {} is [batch, height, width, channels]; images are given in that order",
                    image.name
                ),
            });
        }
        let shape = ImageShape {
            channels,
            size: height.zip(width).map(|(height, width)| [height, width]),
            raw: image.element == ElementType::U8,
        };
        Ok(Self {
            shape,
            layout,
            fixed_batch: dims[0],
        })
    }

    pub fn of_network(network: &Network) -> Result<Self> {
        let input = network.input();
        let shape = match *input.dims.as_slice() {
            [channels, height, width] => ImageShape {
                channels: Some(channels),
                size: Some([height, width]),
                raw: input.element == ElementType::U8,
            },
            ref dims => {
                return Err(ModelError::NoImage {
                    name: network.name().into(),
                    found: format!("{dims:?}"),
                });
            }
        };
        Ok(Self {
            shape,
            layout: Layout::ChannelsFirst,
            fixed_batch: input.fixed_batch,
        })
    }

    /// How many pixels it takes, where it takes them in one row.
    pub fn flat_length(&self) -> Option<usize> {
        match self.layout {
            Layout::Flat { length } => length,
            _ => None,
        }
    }

    /// Whether the input could also be one image without a batch.
    pub fn may_lack_a_batch(&self) -> bool {
        let without_channels = matches!(self.layout, Layout::NoChannels | Layout::Flat { .. });
        without_channels && self.fixed_batch.is_none()
    }

    /// Whether the graph takes three dimensions of which none is a batch: one image of three channels, first or last. Asked where it does
    /// not take them as gray images.
    pub fn is_one_image(
        &self,
        file: &OnnxFile,
        image: &Declared,
        output: &str,
        [height, width]: [usize; 2],
    ) -> bool {
        let open = |index: usize| {
            let dims = image.dims.as_deref().unwrap_or_default();
            dims.get(index).copied().flatten()
        };
        let taken = |usual: [usize; 3]| {
            let [first, rest @ ..]: [usize; 3] =
                std::array::from_fn(|index| open(index).unwrap_or(usual[index]));
            let feed = Feed::Image {
                dims: rest.to_vec(),
                element: image.element,
                fixed_batch: Some(first),
            };
            file.network("image", vec![(image.name.clone(), feed)], output)
                .is_ok_and(|imported| imported.network.infer_shapes(first).is_ok())
        };
        self.layout == Layout::NoChannels
            && self.fixed_batch.is_none()
            && (taken([3, height, width]) || taken([height, width, 3]))
    }

    /// The network's dimensions after the batch's, for images of this size.
    pub fn dims(&self, size: [usize; 2], channels: usize) -> Result<Vec<usize>> {
        let [height, width] = size;
        let given = vec![channels, height, width];
        let says = |takes: Vec<usize>| {
            Err(ModelError::ImageSize {
                takes,
                given: given.clone(),
            })
        };
        if self.shape.channels.is_some_and(|own| own != channels)
            || self.shape.size.is_some_and(|own| own != size)
        {
            let [own_height, own_width] = self.shape.size.unwrap_or(size);
            return says(vec![
                self.shape.channels.unwrap_or(channels),
                own_height,
                own_width,
            ]);
        }
        Ok(match self.layout {
            Layout::ChannelsFirst => vec![channels, height, width],
            Layout::ChannelsLast => vec![height, width, channels],
            Layout::NoChannels => vec![height, width],
            Layout::Flat { length } => {
                let pixels = channels * height * width;
                match length {
                    Some(length) if length != pixels => return says(vec![length]),
                    _ => vec![pixels],
                }
            }
        })
    }

    /// `[batch, channels, height, width]` in the network's own layout and element type.
    pub fn arrange(&self, images: &Tensor) -> Result<Tensor> {
        let arranged = match self.layout {
            Layout::ChannelsFirst => images.clone(),
            Layout::ChannelsLast => images.permute((0, 2, 3, 1))?.contiguous()?,
            Layout::NoChannels => images.squeeze(1)?,
            Layout::Flat { .. } => images.flatten_from(1)?,
        };
        // At run time integers are stored wide.
        Ok(arranged.to_dtype(if self.shape.raw {
            DType::I64
        } else {
            DType::F32
        })?)
    }
}
