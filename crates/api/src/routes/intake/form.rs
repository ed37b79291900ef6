use referee_client::documents::Kind;
use referee_scoring::Over;
use referee_scoring::model_form::{self, ClassOrder, ClassOrderError, ModelForm};
use serde_json::json;

use crate::routes::submissions::wording;

/// The fields of the form that come once. `file` is no text; `data` may come often.
const FIELDS: [&str; 14] = [
    "kind",
    "method",
    "description",
    "architecture",
    "preprocess",
    "class_order",
    "class_offset",
    "output",
    "classes",
    "boxes",
    "outside_data",
    "paper_url",
    "code_url",
    "file",
];

/// What a submission's form says, checked field by field as it arrives.
#[derive(Debug, Default)]
pub struct Form {
    forbids_outside_data: bool,
    /// Of the challenge.
    classes: usize,
    /// Of the longer list that it names.
    wider_classes: Option<usize>,
    seen: Vec<&'static str>,
    kind: Kind,
    method: String,
    description: String,
    boxes: bool,
    model: ModelForm,
    outside_data: bool,
    paper_url: Option<String>,
    code_url: Option<String>,
    complaints: Vec<String>,
}

/// A form without faults.
#[derive(Debug, PartialEq)]
pub struct Completed {
    pub kind: Kind,
    pub method: String,
    pub description: String,
    pub outside_data: bool,
    pub paper_url: Option<String>,
    pub code_url: Option<String>,
    pub class_order: Option<ClassOrder>,
    /// Which of the challenge's two class lists the file is over.
    pub classes: Option<Over>,
    /// How to read the file, as the workers find it in the submission's `form`.
    pub reading: serde_json::Value,
}

impl Form {
    /// The longest text that any field may have, in bytes.
    pub const LONGEST: usize = 4 * wording::DESCRIPTION_CHARACTERS;

    pub fn new(forbids_outside_data: bool, classes: usize, wider_classes: Option<usize>) -> Self {
        Self {
            forbids_outside_data,
            classes,
            wider_classes,
            ..Self::default()
        }
    }

    /// Takes a field; what is wrong with it is kept until [`Self::so_far`] or [`Self::complete`] tells.
    pub fn add(&mut self, name: &str, text: String) {
        if let Some(name) = self.expect(name)
            && let Err(complaint) = self.set(name, text)
        {
            self.complaints.push(complaint);
        }
    }

    /// Notes that a field is there; nothing if it is not expected.
    pub fn expect(&mut self, name: &str) -> Option<&'static str> {
        let Some(name) = FIELDS.into_iter().find(|field| *field == name) else {
            let name: String = name.chars().take(40).collect();
            self.complaints.push(format!(
                "`{name}` is no field of a submission (there are {})",
                FIELDS.join(", ") + " and data"
            ));
            return None;
        };
        if self.seen.contains(&name) {
            self.complaints
                .push(format!("`{name}` is given twice; send it once"));
            return None;
        }
        self.seen.push(name);
        Some(name)
    }

    fn set(&mut self, name: &'static str, text: String) -> Result<(), String> {
        if text.contains('\0') {
            return Err(format!("`{name}` holds the character NUL; leave it out"));
        }
        match name {
            "kind" => self.kind = text.parse()?,
            "method" => self.method = wording::method(&text)?,
            "description" => self.description = wording::description(text)?,
            "paper_url" => self.paper_url = web_address(name, &text)?,
            "code_url" => self.code_url = web_address(name, &text)?,
            "boxes" => self.boxes = truth(name, &text)?,
            "outside_data" => {
                self.outside_data = truth(name, &text)?;
                if self.outside_data && self.forbids_outside_data {
                    return Err("this challenge forbids data from elsewhere, and `outside_data` says that some was used".into());
                }
            }
            _ => {
                self.model
                    .set(name, &text)
                    .map_err(|error| error.to_string())?;
                self.check_class_count()?;
                if name == "classes"
                    && self.model.classes == Some(Over::Wider)
                    && self.wider_classes.is_none()
                {
                    return Err(
                        "`classes` is wider, but this challenge names no wider list: leave it out"
                            .into(),
                    );
                }
            }
        }
        Ok(())
    }

    /// A list of another length is none of this challenge's classes; which they are is looked at when all is there.
    fn check_class_count(&mut self) -> Result<(), String> {
        match &self.model.class_order {
            Some(ClassOrder::Listed(names))
                if names.len() != self.classes && Some(names.len()) != self.wider_classes =>
            {
                let (found, expected) = (names.len(), self.wider_classes.unwrap_or(self.classes));
                self.model.class_order = None;
                let error = ClassOrderError::Count { found, expected };
                Err(format!("`class_order`: {error}"))
            }
            _ => Ok(()),
        }
    }

    /// What the file is, once its form has said so.
    pub fn kind(&self) -> Option<Kind> {
        self.seen.contains(&"kind").then_some(self.kind)
    }

    /// What is wrong with the fields that have arrived.
    pub fn so_far(&mut self) -> Result<(), String> {
        if self.complaints.is_empty() {
            return Ok(());
        }
        Err(std::mem::take(&mut self.complaints).join("; "))
    }

    /// The form, now that all its parts have arrived.
    pub fn complete(mut self) -> Result<Completed, String> {
        if !self.seen.contains(&"method") {
            self.complaints
                .push("`method` is missing: name what made the predictions".into());
        }
        if !self.seen.contains(&"file") {
            self.complaints.push(
                "`file` is missing: send the predictions or the model as a part with that name"
                    .into(),
            );
        }
        self.check_kind();
        self.so_far()?;
        Ok(Completed {
            kind: self.kind,
            method: self.method,
            description: self.description,
            outside_data: self.outside_data,
            paper_url: self.paper_url,
            code_url: self.code_url,
            class_order: self.model.class_order.clone(),
            classes: self.model.classes,
            reading: match self.kind {
                Kind::Predictions => match self.model.classes {
                    None => json!({ "boxes": self.boxes }),
                    Some(classes) => json!({ "boxes": self.boxes, "classes": classes }),
                },
                Kind::Model => json!(self.model),
            },
        })
    }

    /// Fields of the other kind are a misunderstanding that is better cleared up now.
    fn check_kind(&mut self) {
        let empty = ModelForm {
            classes: self.model.classes,
            ..ModelForm::default()
        };
        if self.kind == Kind::Predictions && self.model != empty {
            let given = model_form::FIELDS
                .iter()
                .filter(|field| self.seen.contains(*field));
            let given: Vec<String> = given.map(|field| format!("`{field}`")).collect();
            self.complaints.push(format!(
                "{} describes a model: leave it out for predictions, or send kind=model",
                given.join(", ")
            ));
        }
        if self.kind == Kind::Model && self.boxes {
            self.complaints
                .push("`boxes` describes predictions: leave it out for a model".into());
        }
    }
}

/// Forms of browsers send what was left empty.
fn web_address(name: &str, text: &str) -> Result<Option<String>, String> {
    if text.is_empty() {
        Ok(None)
    } else {
        wording::web_address(name, text).map(Some)
    }
}

/// As a program may write it: Python's `True`, a shell's `1`. What was left empty is not so.
fn truth(name: &str, text: &str) -> Result<bool, String> {
    match text.trim().to_ascii_lowercase().as_str() {
        "true" | "1" => Ok(true),
        "false" | "0" | "" => Ok(false),
        _ => Err(format!("`{name}` is true or false")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filled(fields: &[(&str, &str)]) -> Result<Completed, String> {
        let mut form = Form::default();
        form.expect("file");
        for (name, text) in fields {
            form.add(name, (*text).to_owned());
        }
        form.complete()
    }

    #[test]
    fn a_form_needs_a_method_only() {
        let completed = filled(&[("method", "  nearest mean ")]).expect("complete");
        assert_eq!(completed.method, "nearest mean");
        assert_eq!(completed.kind, Kind::Predictions);
        assert!(!completed.outside_data);
        assert_eq!(completed.reading, json!({ "boxes": false }));
    }

    #[test]
    fn truth_is_read_as_programs_write_it() {
        for (text, meant) in [
            ("True", true),
            ("true", true),
            ("1", true),
            ("False", false),
            ("FALSE", false),
            ("0", false),
            ("", false),
        ] {
            let completed = filled(&[("method", "m"), ("boxes", text), ("outside_data", text)]);
            let completed = completed.expect("complete");
            assert_eq!(completed.outside_data, meant, "{text}");
            assert_eq!(completed.reading, json!({ "boxes": meant }), "{text}");
        }
    }

    #[test]
    fn no_field_holds_what_cannot_be_stored() {
        for field in [
            "method",
            "description",
            "output",
            "class_order",
            "paper_url",
        ] {
            let complaint = filled(&[(field, "a\0\nb")]).expect_err("refused");
            assert!(
                complaint.contains(&format!("`{field}` holds")),
                "{complaint}"
            );
        }
    }

    #[test]
    fn every_fault_is_named_at_once() {
        let complaint = filled(&[
            ("boxes", "yes"),
            ("colour", "red"),
            ("architecture", "resnet50"),
            ("code_url", "ftp://example.org"),
            ("outside_data", "true"),
            ("outside_data", "false"),
        ])
        .expect_err("six faults");
        for part in [
            "`boxes` is true or false",
            "`colour` is no field",
            " and data)",
            "`architecture` describes a model",
            "`code_url`",
            "`outside_data` is given twice",
            "`method` is missing",
        ] {
            assert!(complaint.contains(part), "{part} is not in: {complaint}");
        }
    }

    #[test]
    fn a_model_keeps_what_describes_it() {
        let completed = filled(&[
            ("architecture", "mlp(512,256)"),
            ("class_order", "wnid"),
            ("method", "m"),
            ("output", ""),
            ("kind", "model"),
        ])
        .expect("complete");
        assert_eq!(completed.kind, Kind::Model);
        assert_eq!(
            completed.reading,
            json!({ "architecture": "mlp(512,256;relu)", "class_order": "wnid" })
        );
        for fields in [
            [("kind", "model"), ("boxes", "true")],
            [("kind", "model"), ("architecture", "resnet51")],
            [("kind", "model"), ("preprocess", "{\"crop\":")],
            [("kind", "predictions"), ("output", "logits")],
        ] {
            let complaint = filled(&[fields[0], fields[1], ("method", "m")]).expect_err("refused");
            assert!(complaint.contains(fields[1].0), "{complaint}");
        }
    }

    #[test]
    fn forbidden_data_is_refused_where_it_is_forbidden_only() {
        for (forbids, accepted) in [(false, true), (true, false)] {
            let mut form = Form::new(forbids, 10, None);
            form.add("outside_data", "true".to_owned());
            assert_eq!(form.so_far().is_ok(), accepted);
        }
    }

    #[test]
    fn a_class_order_of_another_length_is_refused_before_the_file() {
        for (lines, accepted) in [("b\na", true), ("b\na\nc", false)] {
            let mut form = Form::new(false, 2, None);
            form.add("class_order", lines.to_owned());
            assert_eq!(form.so_far().is_ok(), accepted, "{lines}");
        }
        let mut form = Form::new(false, 2, None);
        form.add("class_order", "a\nb\nc".to_owned());
        assert_eq!(
            form.so_far().expect_err("three"),
            "`class_order`: 3 lines, but this challenge has 2 classes: name each on a line"
        );
    }

    #[test]
    fn a_form_without_a_file_says_so() {
        let mut form = Form::default();
        form.add("method", "m".to_owned());
        assert!(
            form.complete()
                .expect_err("no file")
                .starts_with("`file` is missing")
        );
    }
}
