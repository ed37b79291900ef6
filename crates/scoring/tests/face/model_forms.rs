//! What a form says about a model, but for recipes: everything that is accepted, and the exact sentence for what is not.

use proptest::prelude::*;
use referee_scoring::model_form::{Activation, Architecture, ClassOrder, ModelForm};
use referee_scoring::{Class, ClassEntry, ClassList};
use serde_json::json;

#[test]
fn architectures() {
    let mlp: Architecture = "mlp( 512, 256 ;tanh)".parse().expect("an mlp");
    assert_eq!(
        mlp,
        Architecture::Mlp {
            hidden: vec![512, 256],
            activation: Activation::Tanh
        }
    );
    assert_eq!(mlp.to_string(), "mlp(512,256;tanh)");
    for name in Architecture::names() {
        assert_eq!(name.parse::<Architecture>().expect(name).to_string(), name);
    }
    for (text, sentence) in [
        (
            "resnet50(3)",
            "`resnet50` takes no options: leave out what is in the brackets",
        ),
        (
            "mlp",
            "`mlp` is no multi-layer perceptron: write the widths of 1 to 64 hidden layers (each 1 to 65536) and perhaps an activation (relu, tanh or sigmoid), as in mlp(512,256;relu)",
        ),
        (
            "mlp(0)",
            "`mlp(0)` is no multi-layer perceptron: write the widths of 1 to 64 hidden layers (each 1 to 65536) and perhaps an activation (relu, tanh or sigmoid), as in mlp(512,256;relu)",
        ),
    ] {
        assert_eq!(
            text.parse::<Architecture>().expect_err(text).to_string(),
            sentence
        );
    }
    let unknown = "ResNet-50.a1_in1k"
        .parse::<Architecture>()
        .expect_err("unknown")
        .to_string();
    assert!(
        unknown.starts_with("no network is called `ResNet-50.a1_in1k` (did you mean `resnet50`?); there are perceptron, lenet5, alexnet,"),
        "{unknown}"
    );
}

fn three_animals() -> ClassList {
    let entry = |name: &str, id: &str| ClassEntry {
        name: name.into(),
        id: Some(id.into()),
    };
    ClassList::new(vec![
        entry("cat", "n3"),
        entry("dog", "n1"),
        entry("owl", "n2"),
    ])
    .expect("a class list")
}

#[test]
fn class_orders() {
    let classes = three_animals();
    let columns = |text: &str| {
        let order: ClassOrder = text.parse().expect(text);
        order.columns(&classes)
    };
    assert_eq!(columns("challenge"), Ok(vec![Class(0), Class(1), Class(2)]));
    assert_eq!(columns("wnid"), Ok(vec![Class(1), Class(2), Class(0)]));
    assert_eq!(
        columns("owl\r\nn3\r\n1\r\n"),
        Ok(vec![Class(2), Class(0), Class(1)])
    );
    let refusals = [
        (
            "cat\ndog",
            "2 lines, but this challenge has 3 classes: name each on a line",
        ),
        (
            "cat\ndog\nwolf",
            "line 3: no class is called `wolf`; expected a class index from 0, a name or an id",
        ),
        (
            "cat\ndog\nn3",
            "line 3: `n3` is the class of line 1 too; name each class once",
        ),
    ];
    for (text, sentence) in refusals {
        assert_eq!(columns(text).expect_err(text).to_string(), sentence);
    }
    let unnamed = ClassOrder::Wnid
        .columns(&ClassList::numbered(2))
        .expect_err("no ids");
    assert_eq!(
        unnamed.to_string(),
        "wnid orders classes by their ids, but class 0 (`0`) of this challenge has none: list the classes in a file"
    );
    assert_eq!(
        "sorted"
            .parse::<ClassOrder>()
            .expect_err("one word")
            .to_string(),
        "`sorted` is no order: write challenge, wnid, or the classes in the order of the model's columns, one a line"
    );
}

#[test]
fn a_form_is_stored_and_read_back() {
    let mut form = ModelForm::default();
    for (name, text) in [
        ("architecture", "mlp(64)"),
        ("preprocess", "torchvision:AlexNet_Weights.DEFAULT"),
        ("class_order", "wnid"),
        ("class_offset", "1"),
        ("output", "logits"),
        ("method", "no field of a model"),
    ] {
        form.set(name, text).expect(name);
    }
    let stored = serde_json::to_value(&form).expect("JSON");
    assert_eq!(stored["architecture"], "mlp(64;relu)");
    assert_eq!(stored["class_order"], "wnid");
    assert_eq!(stored["preprocess"]["resize"], 256);
    assert_eq!(
        serde_json::from_value::<ModelForm>(stored).expect("a form"),
        form
    );
    assert_eq!(ModelForm::default().or(form.clone()), form);
    assert_eq!(
        serde_json::from_value::<ModelForm>(json!({"boxes": false})).expect("a form"),
        ModelForm::default()
    );

    let listed = ModelForm {
        class_order: Some(ClassOrder::Listed(vec!["a".into(), "b".into()])),
        ..ModelForm::default()
    };
    let stored = serde_json::to_value(&listed).expect("JSON");
    assert_eq!(stored, json!({"class_order": ["a", "b"]}));
    assert_eq!(
        serde_json::from_value::<ModelForm>(stored).expect("a form"),
        listed
    );

    let error = form.set("class_offset", "-1").expect_err("negative");
    assert_eq!(
        error.to_string(),
        "`class_offset` is `-1`; expected how many of the first columns are no classes, from 0 to 100 (TensorFlow's `background` is 1)"
    );
    let error = form
        .set("preprocess", "{\"crop\":-1}")
        .expect_err("negative");
    assert_eq!(
        error.to_string(),
        "`preprocess`: `crop` is -1; expected pixels from 1 to 4096"
    );
}

proptest! {
    #[test]
    fn no_text_is_too_strange(text in "\\PC{0,60}", json in "[\\{\\}\\[\\]\",:a-z0-9.-]{0,60}") {
        for text in [&text, &json, &format!("{{{json}}}"), &format!("torchvision:{text}")] {
            let mut form = ModelForm::default();
            for field in referee_scoring::model_form::FIELDS {
                if let Err(error) = form.set(field, text) {
                    let named = error.to_string().starts_with(&format!("`{field}`"));
                    prop_assert!(named, "{}", error);
                }
            }
        }
    }
}
