use candle_core::{DType, Device, Tensor, Var};
use referee_networks::train::Loss;
use referee_networks::{
    Activation, BatchNorm, Builder, Convolution, ElementType, Executor, LocalResponseNorm, Network,
    Op, Padding, ParameterKind, Pool, PoolKind, ValueId, Weights,
};

use crate::{random, random_weights};

fn square_convolution(window: usize, stride: usize, groups: usize) -> Op {
    let padding = vec![window / 2; 2];
    Op::Convolution(Convolution {
        stride: vec![stride; 2],
        dilation: vec![1; 2],
        padding: Padding::Explicit {
            begin: padding.clone(),
            end: padding,
        },
        groups,
    })
}

fn pool(kind: PoolKind, window: usize, stride: usize) -> Op {
    Op::Pool(Pool {
        kind,
        window: vec![window; 2],
        stride: vec![stride; 2],
        dilation: vec![1; 2],
        padding: Padding::Explicit {
            begin: vec![0; 2],
            end: vec![0; 2],
        },
        ceil_mode: true,
        count_include_pad: true,
    })
}

/// Every kind of layer that the zoo trains: convolution with and without groups and stride, batch and response
/// normalisation, overlapping max-pooling, average pooling, a shortcut, tanh, a linear layer.
fn small_network() -> Network {
    let mut builder = Builder::new("small", &[2, 9, 9], ElementType::F32);
    let parameter = |builder: &mut Builder, name: &str, dims: &[usize]| {
        let kind = if name.contains("running") {
            ParameterKind::Buffer
        } else {
            ParameterKind::Trainable
        };
        builder.parameter(name, dims, kind)
    };
    let image = builder.input();
    let weight = parameter(&mut builder, "conv1.weight", &[4, 2, 3, 3]);
    let bias = parameter(&mut builder, "conv1.bias", &[4]);
    let mut x = builder.node("conv1", square_convolution(3, 1, 1), &[image, weight, bias]);
    let mut norm: Vec<ValueId> = vec![x];
    for name in [
        "bn1.weight",
        "bn1.bias",
        "bn1.running_mean",
        "bn1.running_var",
    ] {
        norm.push(parameter(&mut builder, name, &[4]));
    }
    x = builder.node(
        "bn1",
        Op::BatchNorm(BatchNorm {
            epsilon: 1e-5,
            momentum: 0.1,
        }),
        &norm,
    );
    x = builder.node("tanh", Op::Activation(Activation::Tanh), &[x]);
    let lrn = LocalResponseNorm {
        size: 3,
        alpha: 0.5,
        beta: 0.75,
        bias: 1.,
    };
    x = builder.node("lrn", Op::LocalResponseNorm(lrn), &[x]);
    x = builder.node("maxpool", pool(PoolKind::Max, 3, 2), &[x]);
    let weight = parameter(&mut builder, "conv2.weight", &[4, 2, 3, 3]);
    let branch = builder.node("conv2", square_convolution(3, 1, 2), &[x, weight]);
    x = builder.node(
        "sum",
        Op::Binary(referee_networks::Binary::Add),
        &[branch, x],
    );
    let weight = parameter(&mut builder, "conv3.weight", &[4, 1, 3, 3]);
    x = builder.node("conv3", square_convolution(3, 2, 4), &[x, weight]);
    x = builder.node("avgpool", pool(PoolKind::Average, 2, 1), &[x]);
    x = builder.node("sigmoid", Op::Activation(Activation::Sigmoid), &[x]);
    x = builder.node("flatten", Op::Flatten { axis: 1 }, &[x]);
    let weight = parameter(&mut builder, "fc.weight", &[3, 4]);
    let bias = parameter(&mut builder, "fc.bias", &[3]);
    let logits = builder.node("fc", Op::Linear, &[x, weight, bias]);
    builder.finish(logits).unwrap()
}

/// A network whose weights are variables in double precision.
struct Double {
    executor: Executor,
    variables: Vec<(String, Var)>,
}

impl Double {
    fn new(network: &Network) -> Self {
        let weights = random_weights(network, 3);
        let variables: Vec<(String, Var)> = weights
            .iter()
            .map(|(name, tensor)| {
                (
                    name.to_owned(),
                    Var::from_tensor(&tensor.to_dtype(DType::F64).unwrap()).unwrap(),
                )
            })
            .collect();
        let shared: Weights = variables
            .iter()
            .map(|(name, var)| (name.clone(), var.as_tensor().clone()))
            .collect();
        let executor =
            Executor::with_precision(network, &shared, &Device::Cpu, DType::F64).unwrap();
        Self {
            executor,
            variables,
        }
    }

    fn output(&self, images: &Tensor) -> Tensor {
        self.executor
            .train(images, &mut fastrand::Rng::with_seed(1))
            .unwrap()
            .output
    }
}

/// Backpropagation against (f(w + ε) − f(w − ε)) / 2ε, for every weight.
#[test]
fn finite_differences() {
    let network = small_network();
    let double = Double::new(&network);
    let images = random(&[3, 2, 9, 9], 4).to_dtype(DType::F64).unwrap();
    let labels = [0, 2, 1];
    for loss in [Loss::CrossEntropy, Loss::Squared] {
        let value = || loss.of(&double.output(&images), &labels).unwrap();
        let gradients = value().backward().unwrap();
        let mut compared = 0;
        for (name, variable) in double
            .variables
            .iter()
            .filter(|(name, _)| !name.contains("running"))
        {
            let gradient: Vec<f64> = gradients
                .get(variable)
                .unwrap()
                .flatten_all()
                .unwrap()
                .to_vec1()
                .unwrap();
            let weight: Vec<f64> = variable.flatten_all().unwrap().to_vec1().unwrap();
            for (index, gradient) in gradient.iter().enumerate() {
                let moved = |by: f64| {
                    let mut weight = weight.clone();
                    weight[index] += by;
                    let moved = Tensor::from_vec(weight, variable.dims(), &Device::Cpu).unwrap();
                    variable.set(&moved).unwrap();
                    value().to_scalar::<f64>().unwrap()
                };
                let numeric = (moved(1e-5) - moved(-1e-5)) / 2e-5;
                moved(0.);
                assert!(
                    (gradient - numeric).abs() < 1e-7,
                    "{loss:?}, {name}[{index}]: {gradient}, not {numeric}"
                );
                compared += 1;
            }
        }
        assert_eq!(compared, 72 + 4 + 8 + 72 + 36 + 12 + 3);
    }
}

/// The gradient of a convolution's weight is the sum over images and positions of the outgoing gradient times the pixel
/// under the tap: ∂/∂W\[o, c, i, j\] = Σ g\[n, o, h, w\] · x\[n, c, h + i − 1, w + j − 1\].
#[test]
fn convolution_gradient_is_a_sum_over_positions() {
    let mut builder = Builder::new("conv", &[2, 5, 6], ElementType::F32);
    let image = builder.input();
    let weight = builder.parameter("weight", &[3, 2, 3, 3], ParameterKind::Trainable);
    let y = builder.node("conv", square_convolution(3, 1, 1), &[image, weight]);
    let network = builder.finish(y).unwrap();
    let double = Double::new(&network);
    let images = random(&[4, 2, 5, 6], 5).to_dtype(DType::F64).unwrap();
    let outgoing = random(&[4, 3, 5, 6], 6).to_dtype(DType::F64).unwrap();

    let loss = (double.output(&images) * &outgoing)
        .unwrap()
        .sum_all()
        .unwrap();
    let gradients = loss.backward().unwrap();
    let gradient: Vec<f64> = gradients
        .get(&double.variables[0].1)
        .unwrap()
        .flatten_all()
        .unwrap()
        .to_vec1()
        .unwrap();

    let x: Vec<f64> = images.flatten_all().unwrap().to_vec1().unwrap();
    let g: Vec<f64> = outgoing.flatten_all().unwrap().to_vec1().unwrap();
    let mut taps = gradient.iter();
    for o in 0..3 {
        for c in 0..2 {
            for i in 0..3 {
                for j in 0..3 {
                    let mut sum = 0.;
                    for n in 0..4 {
                        for h in 0..5 {
                            for w in 0..6 {
                                let (row, column) = (h + i, w + j);
                                if (1..6).contains(&row) && (1..7).contains(&column) {
                                    let pixel = x[((n * 2 + c) * 5 + row - 1) * 6 + column - 1];
                                    sum += g[((n * 3 + o) * 5 + h) * 6 + w] * pixel;
                                }
                            }
                        }
                    }
                    let gradient = taps.next().unwrap();
                    assert!((gradient - sum).abs() < 1e-12, "{gradient}, not {sum}");
                }
            }
        }
    }
}

/// The lecture's recursion for a perceptron of several layers without bias, loss ‖x(L) − y‖²: with A(ℓ) = W(ℓ) x(ℓ−1) and
/// x(ℓ) = f(A(ℓ)), z(L) = 2∇f(A(L))(y − x(L)), z(ℓ) = ∇f(A(ℓ)) W(ℓ+1)ᵀ z(ℓ+1), and W(ℓ) += λ Σ z(ℓ) x(ℓ−1)ᵀ.
#[test]
fn the_lectures_recursion() {
    const WIDTHS: [usize; 4] = [5, 7, 4, 3];
    let mut builder = Builder::new("mlp", &WIDTHS[..1], ElementType::F32);
    let mut x = builder.input();
    for (layer, widths) in WIDTHS.windows(2).enumerate() {
        let weight = builder.parameter(
            &format!("w{layer}"),
            &[widths[1], widths[0]],
            ParameterKind::Trainable,
        );
        x = builder.node(&format!("a{layer}"), Op::Linear, &[x, weight]);
        x = builder.node(&format!("x{layer}"), Op::Activation(Activation::Tanh), &[x]);
    }
    let double = Double::new(&builder.finish(x).unwrap());
    let inputs = random(&[6, 5], 9).to_dtype(DType::F64).unwrap();
    let labels = [0, 1, 2, 0, 1, 2];

    let weights: Vec<Vec<Vec<f64>>> = double
        .variables
        .iter()
        .map(|(_, w)| w.to_vec2().unwrap())
        .collect();
    let mut step: Vec<Vec<Vec<f64>>> = WIDTHS
        .windows(2)
        .map(|widths| vec![vec![0.; widths[0]]; widths[1]])
        .collect();
    for (input, label) in inputs.to_vec2::<f64>().unwrap().into_iter().zip(labels) {
        let mut x = vec![input];
        for w in &weights {
            let a = w.iter().map(|row| {
                row.iter()
                    .zip(x.last().unwrap())
                    .map(|(w, x)| w * x)
                    .sum::<f64>()
            });
            x.push(a.map(f64::tanh).collect());
        }
        // tanh′(A) = 1 − x², where x = tanh(A)
        let y = |class: usize| f64::from(u8::from(class == label as usize));
        let mut z: Vec<f64> = x[3]
            .iter()
            .enumerate()
            .map(|(class, x)| 2. * (1. - x * x) * (y(class) - x))
            .collect();
        for layer in (0..3).rev() {
            for (row, z) in step[layer].iter_mut().zip(&z) {
                row.iter_mut()
                    .zip(&x[layer])
                    .for_each(|(step, x)| *step += z * x);
            }
            let back = |input: usize| {
                weights[layer]
                    .iter()
                    .zip(&z)
                    .map(|(row, z)| row[input] * z)
                    .sum::<f64>()
            };
            z = x[layer]
                .iter()
                .enumerate()
                .map(|(input, x)| (1. - x * x) * back(input))
                .collect();
        }
    }

    // Our loss is the mean over the six images, the lecture's the sum; and it goes down against the gradient.
    let loss = Loss::Squared.of(&double.output(&inputs), &labels).unwrap();
    let gradients = loss.backward().unwrap();
    for ((name, variable), step) in double.variables.iter().zip(step) {
        let gradient: Vec<Vec<f64>> = gradients.get(variable).unwrap().to_vec2().unwrap();
        for (gradient, step) in gradient.iter().flatten().zip(step.iter().flatten()) {
            assert!(
                (-6. * gradient - step).abs() < 1e-12,
                "{name}: {gradient} against {step}"
            );
        }
    }
}

/// Batch normalisation divides by the variance with 1/B, and moves the running variance towards the one with 1/(B − 1).
/// `torch.nn.BatchNorm1d(1, momentum=0.1)` on \[1, 2, 3, 6\] from mean 0 and variance 1: mean 3, variances 3.5 and 14/3.
#[test]
fn batch_norm_statistics() {
    let mut builder = Builder::new("norm", &[1], ElementType::F32);
    let mut inputs = vec![builder.input()];
    for name in ["weight", "bias", "running_mean", "running_var"] {
        inputs.push(builder.parameter(name, &[1], ParameterKind::Trainable));
    }
    let y = builder.node(
        "bn",
        Op::BatchNorm(BatchNorm {
            epsilon: 0.,
            momentum: 0.1,
        }),
        &inputs,
    );
    let network = builder.finish(y).unwrap();
    let device = Device::Cpu;
    let scalar = |value: f32| Tensor::new(&[value], &device).unwrap();
    let weights: Weights = [
        ("weight", 1.),
        ("bias", 0.),
        ("running_mean", 0.),
        ("running_var", 1.),
    ]
    .map(|(name, value)| (name.to_owned(), scalar(value)))
    .into_iter()
    .collect();
    let executor = Executor::new(&network, &weights, &device).unwrap();
    let x = Tensor::new(&[[1_f32], [2.], [3.], [6.]], &device).unwrap();
    let pass = executor
        .train(&x, &mut fastrand::Rng::with_seed(1))
        .unwrap();
    let y: Vec<f32> = pass.output.flatten_all().unwrap().to_vec1().unwrap();
    for (y, x) in y.iter().zip([1., 2., 3., 6.]) {
        assert!((y - (x - 3.) / 3.5_f32.sqrt()).abs() < 1e-6);
    }
    let statistic = |name: &str| {
        let (_, tensor) = pass
            .statistics
            .iter()
            .find(|(known, _)| known == name)
            .unwrap();
        tensor.to_vec1::<f32>().unwrap()[0]
    };
    assert!((statistic("running_mean") - 0.3).abs() < 1e-6);
    assert!((statistic("running_var") - (0.9 + 0.1 * 14. / 3.)).abs() < 1e-6);
}

/// Dropout as built (keep with p, divide by p, nothing at test time) has the expectation of the classic form (keep with
/// p, multiply the layer's result by p at test time), up to the factor p that the classic form moves to the test.
#[test]
fn dropout_expectation() {
    let mut builder = Builder::new("dropout", &[100], ElementType::F32);
    let x = builder.input();
    let y = builder.node("dropout", Op::Dropout { ratio: 0.3 }, &[x]);
    let network = builder.finish(y).unwrap();
    let executor = Executor::new(&network, &Weights::default(), &Device::Cpu).unwrap();
    let x = Tensor::ones((200, 100), DType::F32, &Device::Cpu).unwrap();
    let mut rng = fastrand::Rng::with_seed(2);
    let dropped: Vec<f32> = executor
        .train(&x, &mut rng)
        .unwrap()
        .output
        .flatten_all()
        .unwrap()
        .to_vec1()
        .unwrap();
    let kept = dropped.iter().filter(|x| **x != 0.).count() as f64 / 20_000.;
    assert!(
        (kept - 0.7).abs() < 0.013,
        "kept {kept}: four deviations of a binomial are 0.013"
    );
    assert!(
        dropped
            .iter()
            .all(|x| *x == 0. || (x - 1. / 0.7).abs() < 1e-6)
    );
    let mean = dropped.iter().map(|x| f64::from(*x)).sum::<f64>() / 20_000.;
    let tested: Vec<f32> = executor
        .infer(&x)
        .unwrap()
        .flatten_all()
        .unwrap()
        .to_vec1()
        .unwrap();
    assert!(
        tested.iter().all(|x| *x == 1.) && (mean - 1.).abs() < 0.019,
        "mean {mean}"
    );
}
