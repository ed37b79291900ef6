use referee_scoring::model_form::Architecture;

use super::ZooOptions;

/// The sizes that an architecture was made for, or is shown with: ImageNet's, CIFAR-10's or MNIST's.
pub fn usual_options(architecture: &Architecture) -> ZooOptions {
    let (input, num_classes) = match architecture {
        Architecture::Mlp { .. } | Architecture::Named("perceptron") => ([1, 28, 28], 10),
        Architecture::Named("lenet5") => ([1, 32, 32], 10),
        Architecture::Named(
            "resnet20" | "resnet32" | "resnet44" | "resnet56" | "resnet110" | "plain20" | "plain56"
            | "wrn_28_10",
        ) => ([3, 32, 32], 10),
        Architecture::Named(_) => ([3, 224, 224], 1000),
    };
    ZooOptions { num_classes, input }
}
