//! Weights files as training scripts leave them, loaded into a small network. What PyTorch's safetensors library wrote lies in
//! `tests/checkpoints`; other names and types are made of it, laid out by the same library.

use std::collections::BTreeMap;
use std::path::Path;

use bytes::Bytes;
use candle_core::Device;
use referee_networks::weights::{Loaded, WeightsError, WeightsFile};
use referee_networks::{
    BatchNorm, Builder, Convolution, ElementType, Network, Op, Padding, ParameterKind, PoolKind,
};
use safetensors::tensor::TensorView;
use safetensors::{Dtype, SafeTensors};

/// The network of `tests/checkpoints/make.py`.
fn network() -> Network {
    let mut net = Builder::new("small", &[1, 5, 5], ElementType::F32);
    let trained = |net: &mut Builder, name: &str, dims: &[usize]| {
        net.parameter(name, dims, ParameterKind::Trainable)
    };
    let image = net.input();
    let weight = trained(&mut net, "conv1.weight", &[2, 1, 3, 3]);
    let bias = trained(&mut net, "conv1.bias", &[2]);
    let convolution = Convolution {
        stride: vec![1, 1],
        dilation: vec![1, 1],
        padding: Padding::Explicit {
            begin: vec![0, 0],
            end: vec![0, 0],
        },
        groups: 1,
    };
    let x = net.node(
        "conv1",
        Op::Convolution(convolution),
        &[image, weight, bias],
    );
    let scale = trained(&mut net, "bn1.weight", &[2]);
    let shift = trained(&mut net, "bn1.bias", &[2]);
    let mean = net.parameter("bn1.running_mean", &[2], ParameterKind::Buffer);
    let variance = net.parameter("bn1.running_var", &[2], ParameterKind::Buffer);
    let batch_norm = BatchNorm {
        epsilon: 1e-5,
        momentum: 0.1,
    };
    let x = net.node(
        "bn1",
        Op::BatchNorm(batch_norm),
        &[x, scale, shift, mean, variance],
    );
    let x = net.node("pool", Op::GlobalPool(PoolKind::Average), &[x]);
    let x = net.node("flatten", Op::Flatten { axis: 1 }, &[x]);
    let weight = trained(&mut net, "fc.weight", &[3, 2]);
    let bias = trained(&mut net, "fc.bias", &[3]);
    let logits = net.node("fc", Op::Linear, &[x, weight, bias]);
    net.finish(logits).expect("a network")
}

fn fixture(name: &str) -> Vec<u8> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/checkpoints");
    std::fs::read(directory.join(name)).expect("readable")
}

/// A file's tensors, to be changed and written again.
#[derive(Clone)]
struct File(BTreeMap<String, (Dtype, Vec<usize>, Vec<u8>)>);

impl File {
    /// What PyTorch wrote.
    fn new() -> Self {
        let bytes = fixture("zip.safetensors");
        let file = SafeTensors::deserialize(&bytes).expect("safetensors");
        let tensors = file.tensors().into_iter().map(|(name, tensor)| {
            let content = (
                tensor.dtype(),
                tensor.shape().to_vec(),
                tensor.data().to_vec(),
            );
            (name, content)
        });
        Self(tensors.collect())
    }

    fn renamed(self, name: impl Fn(&str) -> String) -> Self {
        Self(
            self.0
                .into_iter()
                .map(|(old, tensor)| (name(&old), tensor))
                .collect(),
        )
    }

    fn with(mut self, name: &str, shape: &[usize]) -> Self {
        let bytes = vec![0; 4 * shape.iter().product::<usize>()];
        self.0
            .insert(name.to_owned(), (Dtype::F32, shape.to_vec(), bytes));
        self
    }

    fn without(mut self, name: &str) -> Self {
        self.0.remove(name);
        self
    }

    /// With the floating-point tensors stored as `dtype`.
    fn stored_as(self, dtype: Dtype, encode: impl Fn(f32) -> Vec<u8>) -> Self {
        let stored = self.0.into_iter().map(|(name, (old, shape, bytes))| {
            if old != Dtype::F32 {
                return (name, (old, shape, bytes));
            }
            let (values, _) = bytes.as_chunks();
            let bytes = values
                .iter()
                .flat_map(|value| encode(f32::from_le_bytes(*value)));
            (name, (dtype, shape, bytes.collect()))
        });
        Self(stored.collect())
    }

    fn bytes(&self) -> Vec<u8> {
        let views = self.0.iter().map(|(name, (dtype, shape, bytes))| {
            let view = TensorView::new(*dtype, shape.clone(), bytes).expect("consistent");
            (name, view)
        });
        let views: Vec<_> = views.collect();
        safetensors::serialize(views.iter().map(|(name, view)| (name, view)), None)
            .expect("written")
    }

    fn load(&self) -> Result<Loaded, WeightsError> {
        WeightsFile::read(&Bytes::from(self.bytes()))?.load(&network(), 3, &Device::Cpu)
    }

    fn sentence(&self) -> String {
        self.load().expect_err("refused").to_string()
    }
}

/// The values of all parameters, one after the other.
fn values(loaded: &Loaded) -> Vec<f32> {
    let mut values = Vec::new();
    for (_, tensor) in loaded.weights.iter() {
        let flat = tensor.flatten_all().expect("a tensor");
        values.extend(flat.to_vec1::<f32>().expect("float32"));
    }
    values
}

fn notices(loaded: &Loaded) -> Vec<(&str, &str)> {
    let notices = loaded.notices.iter();
    notices
        .map(|notice| (notice.code.as_str(), notice.detail.as_str()))
        .collect()
}

#[test]
fn what_pytorch_wrote_loads_without_a_word() {
    // With bn1.num_batches_tracked in it.
    let loaded = File::new().load().expect("loaded");
    assert_eq!(loaded.weights.len(), network().parameters().len());
    loaded.weights.check(&network()).expect("the network's");
    assert_eq!(loaded.stored_as, "float32");
    assert!(loaded.notices.is_empty());
    let scale = loaded.weights.get("bn1.running_var").expect("there");
    assert!(
        scale
            .to_vec1::<f32>()
            .expect("float32")
            .iter()
            .all(|value| *value != 0.0)
    );
}

#[test]
fn wrappers_prefixes_are_stripped() {
    let plain = values(&File::new().load().expect("loaded"));
    for prefix in [
        "module.",
        "_orig_mod.",
        "model.",
        "module._orig_mod.",
        "_orig_mod.model.module.",
    ] {
        let loaded = File::new()
            .renamed(|name| format!("{prefix}{name}"))
            .load()
            .expect("loaded");
        assert_eq!(values(&loaded), plain);
        let detail = format!("`{prefix}` was stripped from the names of 9 tensors");
        assert_eq!(notices(&loaded), [("prefix_stripped", detail.as_str())]);
    }
    // DistributedDataParallel's, as PyTorch's ImageNet example saves them.
    let file = Bytes::from(fixture("imagenet_example.safetensors"));
    let file = WeightsFile::read(&file).expect("readable");
    let loaded = file.load(&network(), 3, &Device::Cpu).expect("loaded");
    assert_eq!(values(&loaded), plain);
    // torch.optim.swa_utils.AveragedModel.
    let averaged = File::new()
        .renamed(|name| format!("module.{name}"))
        .with("n_averaged", &[]);
    let codes: Vec<_> = averaged.load().expect("loaded").notices;
    let codes: Vec<_> = codes.iter().map(|notice| notice.code.as_str()).collect();
    assert_eq!(codes, ["prefix_stripped", "training_state_ignored"]);
}

#[test]
fn a_complete_averaged_copy_beside_prefixed_names_is_ignored() {
    let plain = values(&File::new().load().expect("loaded"));
    // As Lightning saves a model beside its EMA, and with torch.optim.swa_utils.AveragedModel as that EMA.
    for copy in ["ema_model.", "ema.module."] {
        let mut both = File::new().renamed(|name| format!("model.{name}"));
        let averaged = File::new().renamed(|name| format!("{copy}{name}"));
        both.0.extend(averaged.0);
        for file in [both.clone(), both.with("ema.n_averaged", &[])] {
            let loaded = file.load().expect("loaded");
            assert_eq!(values(&loaded), plain);
            let codes = loaded.notices.iter().map(|notice| notice.code.as_str());
            let codes: Vec<_> = codes.collect();
            assert_eq!(codes, ["prefix_stripped", "training_state_ignored"]);
        }
    }
}

#[test]
fn a_prefix_that_only_some_names_have_leaves_the_others_unknown() {
    let file = File::new()
        .renamed(|name| format!("model.{name}"))
        .with("criterion.weight", &[3]);
    assert_eq!(
        file.sentence(),
        "the tensors are not those of small: 1 is not the network's: criterion.weight; leave them out: save {k: v for k, v in state_dict.items() if not k.startswith(\"criterion.\")}"
    );
}

/// What stands before all names, and is no wrapper's that is known, is named as what to cut.
#[test]
fn an_unknown_common_prefix_is_named() {
    for prefix in ["backbone.", "net.", "module.encoder."] {
        let file = File::new()
            .renamed(|name| format!("{prefix}{name}"))
            .with("n_averaged", &[]);
        let sentence = file.sentence();
        let remedy = format!(
            ". Without `{prefix}` before the names they are: save {{k.removeprefix(\"{prefix}\"): v for k, v in state_dict.items()}}"
        );
        assert!(sentence.ends_with(&remedy), "{sentence}");
    }
    // Not where something else is wrong too.
    let incomplete = File::new()
        .without("conv1.bias")
        .renamed(|name| format!("backbone.{name}"));
    let sentence = incomplete.sentence();
    assert!(!sentence.contains("removeprefix"), "{sentence}");
}

#[test]
fn auxiliary_heads_and_training_state_are_ignored_with_a_notice() {
    let file = File::new()
        .with("aux1.fc.weight", &[3, 2])
        .with("AuxLogits.fc.weight", &[3, 2])
        .with("optimizer.conv1.weight.exp_avg", &[2])
        .with("model_ema.conv1.weight", &[2, 1, 3, 3]);
    let loaded = file.load().expect("loaded");
    assert_eq!(
        notices(&loaded),
        [
            (
                "auxiliary_ignored",
                "2 are part of auxiliary heads, which only training uses: AuxLogits.fc.weight, aux1.fc.weight; they are ignored"
            ),
            (
                "training_state_ignored",
                "2 are the state of an optimizer or of averaged weights: model_ema.conv1.weight, optimizer.conv1.weight.exp_avg; they are ignored"
            ),
        ]
    );
}

#[test]
fn the_first_five_of_each_difference_are_listed() {
    let mut file = File::new()
        .without("conv1.bias")
        .with("bn1.weight", &[4])
        .with("fc.weight", &[7, 5]);
    for layer in 1..8 {
        file = file.with(&format!("layer{layer}.weight"), &[1]);
    }
    assert_eq!(
        file.sentence(),
        "the tensors are not those of small: 1 is missing: conv1.bias; \
         2 are of another shape: bn1.weight is [4], expected [2], fc.weight is [7,5], expected [3,2]; \
         7 are not the network's: layer1.weight, layer2.weight, layer3.weight, layer4.weight, layer5.weight, …"
    );
}

/// Without them the file would load, as the network from before training.
#[test]
fn adapters_and_other_forms_of_weights_are_named_with_what_undoes_them() {
    let wrapped = "conv1._checkpoint_wrapped_module.weight";
    let files = [
        (
            File::new()
                .with("fc.lora_A", &[4, 2])
                .with("fc.lora_B", &[3, 4]),
            "merge_and_unload()",
        ),
        (
            File::new().renamed(|name| format!("base_model.model.{name}")),
            "merge_and_unload()",
        ),
        (
            File::new().with("fc.weight.absmax", &[1]),
            "model.dequantize()",
        ),
        (
            File::new().without("fc.weight").with("_flat_param", &[9]),
            "get_model_state_dict(",
        ),
        (
            File::new().without("conv1.weight").with(wrapped, &[1]),
            "k.replace(\"_checkpoint_wrapped_module.\", \"\")",
        ),
    ];
    for (file, mend) in files {
        let sentence = file.sentence();
        assert!(
            sentence.contains(mend) && !sentence.contains("leave them out"),
            "{sentence}"
        );
    }
}

#[test]
fn a_head_of_another_length_is_called_that() {
    let head = |classes| {
        File::new()
            .with("fc.weight", &[classes, 2])
            .with("fc.bias", &[classes])
    };
    assert_eq!(
        head(21843).sentence(),
        "fc.weight is [21843,2]; this challenge has 3 classes; replace the head"
    );
    assert_eq!(
        head(4).sentence(),
        "4 columns for 3 classes; TensorFlow puts 'background' first: resubmit with class_offset=1"
    );
    // What `referee profile --classes 3` says: the number of the network that was asked for, not the file's.
    let file = WeightsFile::read(&Bytes::from(head(21843).bytes())).expect("readable");
    let misfit = file.misfit(&network()).expect("another head");
    assert_eq!(misfit.to_string(), head(21843).sentence());
}

#[test]
fn every_floating_point_type_is_cast_to_float32() {
    let plain = values(&File::new().load().expect("loaded"));
    let half = File::new().stored_as(Dtype::F16, |value| {
        half::f16::from_f32(value).to_le_bytes().to_vec()
    });
    let brain = File::new().stored_as(Dtype::BF16, |value| {
        half::bf16::from_f32(value).to_le_bytes().to_vec()
    });
    let double = File::new().stored_as(Dtype::F64, |value| f64::from(value).to_le_bytes().to_vec());
    // The relative precision: 11 bits, 8 bits, all.
    for (file, name, precision) in [
        (half, "float16", 1e-3),
        (brain, "bfloat16", 8e-3),
        (double, "float64", 0.0),
    ] {
        let loaded = file.load().expect("loaded");
        assert_eq!(loaded.stored_as, name);
        for (value, exact) in values(&loaded).into_iter().zip(&plain) {
            assert!(
                (value - exact).abs() <= precision * exact.abs(),
                "{name}: {value} {exact}"
            );
        }
    }
    let mut mixed = File::new();
    mixed
        .0
        .insert("fc.bias".to_owned(), (Dtype::F16, vec![3], vec![0; 6]));
    assert_eq!(mixed.load().expect("loaded").stored_as, "float16+float32");
    let mut integers = File::new();
    integers
        .0
        .insert("fc.bias".to_owned(), (Dtype::I8, vec![3], vec![0; 3]));
    assert_eq!(
        integers.sentence(),
        "fc.bias holds I8; weights are float16, bfloat16, float32 or float64"
    );
}

#[test]
fn a_file_that_lies_about_its_tensors_is_refused() {
    let refused = |bytes: Vec<u8>, part: &str| {
        let error = WeightsFile::read(&Bytes::from(bytes))
            .expect_err("refused")
            .to_string();
        assert!(error.contains(part), "{error}");
    };
    let whole = File::new().bytes();
    refused(
        whole[..whole.len() - 1].to_vec(),
        "not as long as its header says",
    );
    refused(
        [whole.as_slice(), b"x"].concat(),
        "not as long as its header says",
    );
    refused(Vec::new(), "not a safetensors file");
    let header = |text: &str, data: usize| {
        let length = (text.len() as u64).to_le_bytes();
        [&length, text.as_bytes(), &vec![0; data]].concat()
    };
    let overlap = r#"{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"b":{"dtype":"F32","shape":[2],"data_offsets":[4,12]}}"#;
    refused(header(overlap, 12), "overlaps");
    let longer = r#"{"a":{"dtype":"F32","shape":[3],"data_offsets":[0,8]}}"#;
    refused(header(longer, 8), "damaged");
    let huge = r#"{"a":{"dtype":"F32","shape":[4294967296,4294967296,4],"data_offsets":[0,0]}}"#;
    refused(header(huge, 0), "damaged");
    refused(
        [b"\xff\xff\xff\xff\xff\xff\xff\x7f".as_slice(), b"{}"].concat(),
        "not a safetensors file",
    );
    let pickle = fixture("zip.pth");
    refused(pickle, "referee convert model.pth model.safetensors");
}

#[test]
fn a_file_says_what_it_is_for() {
    let tensor = File::new().bytes();
    let tensors = SafeTensors::deserialize(&tensor).expect("safetensors");
    let metadata = [
        ("format", "pt"),
        ("architecture", "resnet50"),
        ("class_order", "wnid"),
    ];
    let metadata = metadata.map(|(key, value)| (key.to_owned(), value.to_owned()));
    let bytes = safetensors::serialize(tensors.iter(), Some(metadata.into())).expect("written");
    let file = WeightsFile::read(&Bytes::from(bytes)).expect("readable");
    assert_eq!(file.metadata()["architecture"], "resnet50");
    assert_eq!(file.metadata()["class_order"], "wnid");
}
