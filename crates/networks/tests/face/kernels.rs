//! Convolution and pooling against their definitions, written as loops.

use candle_core::{Device, Tensor};
use proptest::prelude::*;
use referee_networks::{
    Builder, Convolution, ElementType, Executor, Op, Padding, ParameterKind, Pool, PoolKind,
    Weights,
};

use crate::{difference, random};

/// One operator on an image of `[batch, channels, height, width]`, with at most a weight.
fn run(op: Op, image: &Tensor, weight: Option<&Tensor>) -> Tensor {
    let mut builder = Builder::new("kernel", &image.dims()[1..], ElementType::F32);
    let mut inputs = vec![builder.input()];
    let mut weights = Weights::default();
    if let Some(weight) = weight {
        inputs.push(builder.parameter("weight", weight.dims(), ParameterKind::Trainable));
        weights.insert("weight", weight.clone());
    }
    let output = builder.node("op", op, &inputs);
    let network = builder.finish(output).unwrap();
    let shape = network
        .infer_shapes(image.dims()[0])
        .unwrap()
        .of(network.output())
        .to_vec();
    let result = Executor::new(&network, &weights, &Device::Cpu)
        .unwrap()
        .infer(image)
        .unwrap();
    assert_eq!(result.dims(), shape, "inferred shape");
    result
}

fn at(x: &[f32], dims: &[usize], [n, c]: [usize; 2], [h, w]: [isize; 2]) -> Option<f32> {
    let (h, w) = (usize::try_from(h).ok()?, usize::try_from(w).ok()?);
    (h < dims[2] && w < dims[3]).then(|| x[((n * dims[1] + c) * dims[2] + h) * dims[3] + w])
}

fn flat(x: &Tensor) -> Vec<f32> {
    x.flatten_all().unwrap().to_vec1().unwrap()
}

/// y\[n, o, h, w\] = Σ x\[n, c, h·s + i·d − p, …\] · weight\[o, c, i, j\] over the group's channels and the window.
fn convolution(
    x: &Tensor,
    weight: &Tensor,
    attributes: &Convolution,
    output: &[usize],
) -> Vec<f32> {
    let Padding::Explicit { begin, .. } = &attributes.padding else {
        unreachable!()
    };
    let (x_dims, w_dims) = (x.dims(), weight.dims());
    let (x, weight) = (flat(x), flat(weight));
    let out_per_group = w_dims[0] / attributes.groups;
    let mut y = Vec::new();
    for n in 0..output[0] {
        for o in 0..output[1] {
            for h in 0..output[2] {
                for w in 0..output[3] {
                    let mut sum = 0.;
                    for c in 0..w_dims[1] {
                        for i in 0..w_dims[2] {
                            for j in 0..w_dims[3] {
                                let place = |at: usize, tap: usize, axis: usize| {
                                    (at * attributes.stride[axis] + tap * attributes.dilation[axis])
                                        as isize
                                        - begin[axis] as isize
                                };
                                let channel = o / out_per_group * w_dims[1] + c;
                                let pixel =
                                    at(&x, x_dims, [n, channel], [place(h, i, 0), place(w, j, 1)]);
                                let tap = ((o * w_dims[1] + c) * w_dims[2] + i) * w_dims[3] + j;
                                sum += pixel.unwrap_or(0.) * weight[tap];
                            }
                        }
                    }
                    y.push(sum);
                }
            }
        }
    }
    y
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn convolution_is_its_definition(
        batch in 1_usize..3,
        groups in 1_usize..4,
        (in_per_group, out_per_group) in (1_usize..4, 1_usize..4),
        size in prop::array::uniform2(3_usize..9),
        window in prop::array::uniform2(1_usize..4),
        stride in prop::array::uniform2(1_usize..3),
        dilation in prop::array::uniform2(1_usize..3),
        begin in prop::array::uniform2(0_usize..3),
        end in prop::array::uniform2(2_usize..4),
        seed in any::<u64>(),
    ) {
        let image = random(&[batch, groups * in_per_group, size[0], size[1]], seed);
        let weight = random(&[groups * out_per_group, in_per_group, window[0], window[1]], seed ^ 1);
        let attributes = Convolution {
            stride: stride.to_vec(),
            dilation: dilation.to_vec(),
            padding: Padding::Explicit { begin: begin.to_vec(), end: end.to_vec() },
            groups,
        };
        let y = run(Op::Convolution(attributes.clone()), &image, Some(&weight));
        let expected = convolution(&image, &weight, &attributes, y.dims());
        let expected = Tensor::from_vec(expected, y.dims(), &Device::Cpu).unwrap();
        prop_assert!(difference(&y, &expected) < 1e-5);
    }

    #[test]
    fn pooling_is_its_definition(
        size in prop::array::uniform2(3_usize..9),
        window in prop::array::uniform2(1_usize..4),
        stride in prop::array::uniform2(1_usize..3),
        pad in prop::array::uniform2(0_usize..2),
        (average, ceil_mode, count_include_pad) in any::<(bool, bool, bool)>(),
        seed in any::<u64>(),
    ) {
        let pad = [pad[0].min(window[0] / 2), pad[1].min(window[1] / 2)];
        let image = random(&[2, 3, size[0], size[1]], seed);
        let kind = if average { PoolKind::Average } else { PoolKind::Max };
        let pool = Pool {
            kind,
            window: window.to_vec(),
            stride: stride.to_vec(),
            dilation: vec![1; 2],
            padding: Padding::Explicit { begin: pad.to_vec(), end: pad.to_vec() },
            ceil_mode,
            count_include_pad,
        };
        let y = run(Op::Pool(pool), &image, None);
        let pixels = flat(&image);
        let mut expected = Vec::new();
        for n in 0..2 {
            for c in 0..3 {
                for h in 0..y.dims()[2] {
                    for w in 0..y.dims()[3] {
                        let (mut covered, mut counted) = (Vec::new(), 0);
                        for i in 0..window[0] {
                            for j in 0..window[1] {
                                let row = (h * stride[0] + i) as isize - pad[0] as isize;
                                let column = (w * stride[1] + j) as isize - pad[1] as isize;
                                covered.extend(at(&pixels, image.dims(), [n, c], [row, column]));
                                // torch.nn.AvgPool2d: the padding counts, what ceil_mode adds beyond it does not.
                                let inside = row < (size[0] + pad[0]) as isize && column < (size[1] + pad[1]) as isize;
                                counted += usize::from(inside);
                            }
                        }
                        let divisor = if count_include_pad { counted } else { covered.len() };
                        expected.push(match kind {
                            PoolKind::Average => covered.iter().sum::<f32>() / divisor as f32,
                            PoolKind::Max => covered.iter().copied().fold(f32::NEG_INFINITY, f32::max),
                        });
                    }
                }
            }
        }
        let expected = Tensor::from_vec(expected, y.dims(), &Device::Cpu).unwrap();
        prop_assert!(difference(&y, &expected) < 1e-5);
    }
}

/// Outlook attention (VOLO) multiplies `[batch, heads, places, 9, 9]` by as many matrices: numpy's rule holds for any rank.
#[test]
fn matrices_in_many_dimensions_are_multiplied_one_by_one() {
    let (a, b) = (random(&[2, 3, 2, 4, 5], 1), random(&[3, 1, 5, 6], 2));
    let product = run(Op::MatMul, &a, Some(&b));
    assert_eq!(product.dims(), [2, 3, 2, 4, 6]);
    for image in 0..2 {
        for head in 0..3 {
            for place in 0..2 {
                let single = |x: &Tensor, path: &[usize]| {
                    path.iter().fold(x.clone(), |x, &at| x.get(at).unwrap())
                };
                let expected = single(&a, &[image, head, place])
                    .matmul(&single(&b, &[head, 0]))
                    .unwrap();
                let found = single(&product, &[image, head, place]);
                assert!(difference(&found, &expected) < 1e-6);
            }
        }
    }
}
