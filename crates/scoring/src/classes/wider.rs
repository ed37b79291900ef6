//! A challenge with fewer classes than the networks that enter it know, such as 200 of ImageNet's 1000.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::record::Row;

use super::{Class, ClassEntry, ClassList, is_canonical_integer};

/// A longer list that holds every class of a challenge. What competitors send is over this list: their indices and the record are
/// its, and what they say of a class that is none of the challenge's is wrong.
#[derive(Clone, Debug)]
pub struct WiderClasses {
    list: ClassList,
    /// The place in the list of each class of the challenge.
    places: Vec<Class>,
    /// Of each class of the list, whether it is the challenge's too.
    is_own: Vec<bool>,
}

/// Which of the two lists a file is over: the form field `classes`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Over {
    #[default]
    Wider,
    Challenge,
}

/// Why a list is not one of a challenge's; each variant is a sentence with its remedy.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WiderClassesError {
    #[error(
        "the wider list has no class with the name or id of class {class} (`{name}`): it must hold every class of the challenge"
    )]
    Missing { class: usize, name: String },
    #[error(
        "class {class} is called `{name}`, which is class {by_name} of the wider list, but its id `{id}` is that of class {by_id} there: make the two lists agree"
    )]
    Disagree {
        class: usize,
        name: String,
        by_name: usize,
        id: String,
        by_id: usize,
    },
    #[error("classes {first} and {second} are both class {wider} (`{name}`) of the wider list")]
    Repeated {
        first: usize,
        second: usize,
        wider: usize,
        name: String,
    },
    #[error(
        "the wider list has {wider} classes and the challenge {own}: it must hold others, too, or be left out"
    )]
    NotWider { wider: usize, own: usize },
}

impl WiderClasses {
    /// Finds each class of the challenge in the list, by its id or its name.
    ///
    /// # Errors
    /// A class that is not there, or that two of the challenge's would be.
    pub fn new(mut list: ClassList, challenge: &ClassList) -> Result<Self, WiderClassesError> {
        if list.len() <= challenge.len() {
            return Err(WiderClassesError::NotWider {
                wider: list.len(),
                own: challenge.len(),
            });
        }
        let mut places = Vec::with_capacity(challenge.len());
        let mut own: Vec<Option<usize>> = vec![None; list.len()];
        for (class, entry) in challenge.entries().iter().enumerate() {
            let place = place(&list, class, entry)?;
            if let Some(first) = own[usize::from(place.0)].replace(class) {
                return Err(WiderClassesError::Repeated {
                    first,
                    second: class,
                    wider: place.0.into(),
                    name: list.entries[usize::from(place.0)].name.clone(),
                });
            }
            places.push(place);
        }
        // A file may call a class as the challenge does, too. What the list itself calls so comes first; `place` has seen to it
        // that this is the same.
        for (entry, place) in challenge.entries().iter().zip(&places) {
            let names = std::iter::once(&entry.name).chain(&entry.id);
            // A number is an index of the list, whatever the challenge calls so.
            for name in names.filter(|name| !is_canonical_integer(name)) {
                list.by_name.entry(name.clone()).or_insert(*place);
            }
        }
        Ok(Self {
            list,
            places,
            is_own: own.into_iter().map(|class| class.is_some()).collect(),
        })
    }

    /// The list, which also knows the names that the challenge has for its classes.
    pub fn list(&self) -> &ClassList {
        &self.list
    }

    /// The place in the list of each class of the challenge.
    pub fn places(&self) -> &[Class] {
        &self.places
    }

    /// A row whose classes are the challenge's, with the list's instead.
    ///
    /// # Panics
    /// If it holds what is no class of the challenge.
    pub fn row(&self, row: Row) -> Row {
        row.map(|class| match usize::try_from(class) {
            Ok(class) => self.places[class].0.into(),
            Err(_) => class,
        })
    }

    /// Whether a class of the list is the challenge's, too.
    pub fn is_own(&self, class: Class) -> bool {
        self.is_own.get(usize::from(class.0)) == Some(&true)
    }
}

/// The place of a class of the challenge in the list.
fn place(list: &ClassList, class: usize, entry: &ClassEntry) -> Result<Class, WiderClassesError> {
    let find = |name: &String| {
        if is_canonical_integer(name) {
            // A class may be called by its own index.
            let place = list.class(name.parse().ok()?)?;
            let found = &list.entries[usize::from(place.0)];
            return (found.name == *name || found.id.as_ref() == Some(name)).then_some(place);
        }
        list.by_name.get(name).copied()
    };
    let by_name = find(&entry.name);
    let by_id = entry
        .id
        .as_ref()
        .and_then(|id| find(id).map(|place| (id, place)));
    match (by_name, by_id) {
        (Some(by_name), Some((id, by_id))) if by_name != by_id => {
            Err(WiderClassesError::Disagree {
                class,
                name: entry.name.clone(),
                by_name: by_name.0.into(),
                id: id.clone(),
                by_id: by_id.0.into(),
            })
        }
        (_, Some((_, place))) | (Some(place), None) => Ok(place),
        (None, None) => Err(WiderClassesError::Missing {
            class,
            name: entry.name.clone(),
        }),
    }
}

impl FromStr for Over {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "wider" => Ok(Self::Wider),
            "challenge" => Ok(Self::Challenge),
            _ => Err("`classes` is wider or challenge: which of the challenge's two class lists the file is over".into()),
        }
    }
}

impl fmt::Display for Over {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Wider => "wider",
            Self::Challenge => "challenge",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(text: &str) -> ClassList {
        ClassList::parse(text).expect("a class list")
    }

    /// Digits as names are indices, and so the same in both lists.
    #[test]
    fn classes_called_by_their_index() {
        let wider = WiderClasses::new(list("0\n1\n2"), &list("0\n1")).expect("a wider list");
        assert_eq!(wider.places(), [0, 1].map(Class));
        let named = WiderClasses::new(list(TEN), &list("0\n1"));
        assert!(matches!(
            named,
            Err(WiderClassesError::Missing { class: 0, .. })
        ));
    }

    const TEN: &str = "n0\nn1\nn2\nn3\nn4\nn5\nn6\nn7\nn8\nn9";

    #[test]
    fn classes_are_found_by_id_or_name() {
        let own = list("nine\tn9\nn1\nfour and more\tn4");
        let wider = WiderClasses::new(list(TEN), &own).expect("a wider list");
        assert_eq!(wider.places(), [9, 1, 4].map(Class));
        assert!(wider.is_own(Class(4)) && !wider.is_own(Class(5)));
        for (name, class) in [
            ("nine", 9),
            ("n9", 9),
            ("n2", 2),
            ("2", 2),
            ("four and more", 4),
        ] {
            assert_eq!(wider.list().resolve(name), Some(Class(class)), "{name}");
        }
        assert_eq!(wider.list().resolve("10"), None);
    }

    #[test]
    fn lists_that_do_not_belong_together() {
        for (own, sentence) in [
            ("n1\nn10", "no class with the name or id of class 1 (`n10`)"),
            (
                "n1\nn2\tn3",
                "class 1 is called `n2`, which is class 2 of the wider list, but its id `n3` is that of class 3 there",
            ),
            (TEN, "the wider list has 10 classes and the challenge 10"),
        ] {
            let error = WiderClasses::new(list(TEN), &list(own));
            let error = error.expect_err(own).to_string();
            assert!(error.contains(sentence), "{error}");
        }
        // One is called by its id, the other by its name.
        let twice = WiderClasses::new(list("n0\nn1\tb\nn2"), &list("n1\nb"));
        assert_eq!(
            twice.expect_err("twice").to_string(),
            "classes 0 and 1 are both class 1 (`n1`) of the wider list"
        );
    }

    #[test]
    fn words_of_the_form() {
        assert_eq!("challenge".parse(), Ok(Over::Challenge));
        assert!("own".parse::<Over>().is_err());
    }
}
