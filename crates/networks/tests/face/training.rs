use candle_core::Device;
use referee_networks::train::{
    Augmentation, Loss, Schedule, Sgd, Trained, TrainingOptions, TrainingSet, initial_weights,
    train,
};
use referee_networks::zoo::{self, ZooOptions};

/// 240 images of 8 × 8: a bright bar, upright or lying (which is the class), somewhere in noise.
fn bars() -> (Vec<u8>, Vec<u32>) {
    let mut rng = fastrand::Rng::with_seed(1);
    let mut pixels = Vec::new();
    let labels: Vec<u32> = (0..240).map(|image| image % 2).collect();
    for label in &labels {
        let place = rng.usize(0..8);
        for y in 0..8 {
            for x in 0..8 {
                let bright = if *label == 0 { x == place } else { y == place };
                pixels.push(rng.u8(0..60) + if bright { 150 } else { 0 });
            }
        }
    }
    (pixels, labels)
}

fn trained(architecture: &str, options: &TrainingOptions) -> Trained {
    let (pixels, labels) = bars();
    let set = TrainingSet {
        pixels: &pixels,
        labels: &labels,
        mean: &[0.3],
        deviation: &[0.3],
    };
    let zoo_options = ZooOptions {
        num_classes: 2,
        input: [1, 8, 8],
    };
    let network = zoo::build(&architecture.parse().unwrap(), &zoo_options).unwrap();
    let weights = initial_weights(&network, 4).unwrap();
    let mut steps = 0;
    let trained = train(
        &network,
        &weights,
        &set,
        options,
        &Device::Cpu,
        |progress| {
            steps += 1;
            assert!(progress.done <= progress.total && progress.epoch <= options.epochs);
        },
    );
    assert_eq!(steps, options.epochs * (240 / options.batch));
    trained.unwrap()
}

fn options(loss: Loss, learning_rate: f64) -> TrainingOptions {
    TrainingOptions {
        loss,
        epochs: 15,
        batch: 16,
        sgd: Sgd {
            learning_rate,
            momentum: 0.9,
            weight_decay: 1e-4,
            schedule: Schedule::Cosine,
        },
        augmentation: Augmentation {
            shift: 0,
            flip: true,
        },
        seed: 5,
    }
}

/// A bar's direction is no linear function of the pixels: the perceptron stays near chance, a hidden layer learns it.
#[test]
fn learns() {
    let perceptron = trained("perceptron", &options(Loss::CrossEntropy, 0.01));
    assert!(
        perceptron.training_error > 0.2,
        "{}",
        perceptron.training_error
    );
    for loss in [Loss::CrossEntropy, Loss::Squared] {
        let mlp = trained("mlp(32;relu)", &options(loss, 0.01));
        assert!(
            mlp.training_error < 0.02,
            "{loss:?}: {}",
            mlp.training_error
        );
    }
}

/// Convolutions, batch normalisation and a shortcut: weights and running statistics fit each other after training.
#[test]
fn learns_with_batch_norm() {
    let mut options = options(Loss::CrossEntropy, 0.05);
    options.epochs = 2;
    let resnet = trained("resnet20", &options);
    assert!(resnet.training_error < 0.1, "{}", resnet.training_error);
}

#[test]
fn the_seed_decides() {
    let mut options = options(Loss::CrossEntropy, 0.01);
    options.epochs = 1;
    let weight = |options: &TrainingOptions| {
        let trained = trained("mlp(8;tanh)", options);
        trained
            .weights
            .get("fc1.weight")
            .unwrap()
            .to_vec2::<f32>()
            .unwrap()
    };
    let first = weight(&options);
    assert_eq!(first, weight(&options));
    options.seed += 1;
    assert_ne!(first, weight(&options));
}
