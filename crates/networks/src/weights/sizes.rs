use referee_scoring::model_form::Architecture;

use super::file::WeightsFile;
use super::matching::Matching;
use crate::error::Result;
use crate::graph::Network;
use crate::zoo::{self, ZooOptions};

/// What the tensors' shapes show of the sizes that an architecture leaves open.
impl WeightsFile {
    /// The architecture's usual sizes, with the file's number of classes and of channels.
    ///
    /// A network that begins with a linear layer shows only how many pixels times channels it sees: where they are not the usual
    /// number, its input is a row of them.
    ///
    /// # Errors
    /// Where the architecture cannot be built.
    pub fn options(&self, architecture: &Architecture) -> Result<ZooOptions> {
        let mut options = zoo::usual_options(architecture);
        let network = zoo::build(architecture, &options)?;
        let matching = Matching::new(self.tensors(), &network);
        if let Some(classes) = matching.classes(&network) {
            options.num_classes = classes;
        }
        let first = network
            .parameters()
            .iter()
            .find(|parameter| parameter.dims.len() >= 2);
        let shape = first
            .and_then(|first| matching.shape(&first.name))
            .unwrap_or_default();
        match *shape {
            [_, channels, _, _] if channels > 0 => options.input[0] = channels,
            [_, pixels] if pixels > 0 && pixels != options.input.iter().product::<usize>() => {
                options.input = [1, 1, pixels];
            }
            _ => {}
        }
        Ok(options)
    }

    /// The network of the zoo whose tensors these are, in whatever sizes; the first where two have the same.
    pub fn architecture(&self) -> Option<Architecture> {
        Architecture::names()
            .map(Architecture::Named)
            .find(|architecture| {
                let network = self.network(architecture);
                network.is_ok_and(|network| self.differs(&network).is_none())
            })
    }

    /// The architecture in the file's sizes.
    ///
    /// # Errors
    /// Where the architecture cannot be built in them.
    pub fn network(&self, architecture: &Architecture) -> Result<Network> {
        zoo::build(architecture, &self.options(architecture)?)
    }
}
