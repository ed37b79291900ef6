/// What is wrong with a network, its weights or its input, as a sentence for the person who made it.
#[derive(Debug, thiserror::Error)]
pub enum NetworkError {
    /// An operator cannot be applied to what arrives at it.
    #[error("node {node} ({op}): {detail}")]
    Node {
        node: String,
        op: &'static str,
        detail: String,
    },
    /// The graph as a whole is not a network: a value without origin, a cycle, no output.
    #[error("{0}")]
    Graph(String),
    /// The weights do not fit the network.
    #[error("{0}")]
    Weights(String),
    /// The input's shape is not the network's.
    #[error("{0}")]
    Input(String),
    /// No such architecture, or options that it cannot be built with.
    #[error("{0}")]
    Architecture(String),
    #[error(transparent)]
    Candle(#[from] candle_core::Error),
}

pub type Result<T, E = NetworkError> = std::result::Result<T, E>;
