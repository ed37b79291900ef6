//! What people may write about a submission, at intake and later.

pub const METHOD_CHARACTERS: usize = 100;
pub const DESCRIPTION_CHARACTERS: usize = 10_000;
const REASON_CHARACTERS: usize = 1_000;
const ADDRESS_CHARACTERS: usize = 2_000;

/// The name of a method: one line.
pub fn method(text: &str) -> Result<String, String> {
    let name = text.trim();
    if name.is_empty()
        || name.chars().count() > METHOD_CHARACTERS
        || name.contains(char::is_control)
    {
        return Err(format!(
            "`method` is one line of 1 to {METHOD_CHARACTERS} characters"
        ));
    }
    if name.contains(turns_text_around) {
        return Err(
            "`method` holds an invisible character that changes the direction of text; type the name anew".into(),
        );
    }
    Ok(name.to_owned())
}

/// Characters that are not seen and make what follows them look like something else (Unicode's bidirectional controls).
pub fn turns_text_around(character: char) -> bool {
    matches!(
        character,
        '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}'
    )
}

pub fn description(text: String) -> Result<String, String> {
    if text.chars().count() > DESCRIPTION_CHARACTERS || text.contains('\0') {
        return Err(format!(
            "`description` has at most {DESCRIPTION_CHARACTERS} characters"
        ));
    }
    Ok(text)
}

/// Why a submission is hidden.
pub fn reason(text: &str) -> Result<String, String> {
    let reason = text.trim();
    if reason.is_empty() || reason.chars().count() > REASON_CHARACTERS || reason.contains('\0') {
        return Err(format!(
            "hiding a submission needs a `reason` of 1 to {REASON_CHARACTERS} characters"
        ));
    }
    Ok(reason.to_owned())
}

/// An address that is safe to link to: nothing but http and https.
pub fn web_address(field: &str, text: &str) -> Result<String, String> {
    let rest = ["http://", "https://"].iter().find_map(|scheme| {
        let start = text.get(..scheme.len())?;
        start
            .eq_ignore_ascii_case(scheme)
            .then(|| &text[scheme.len()..])
    });
    let named_host =
        rest.is_some_and(|rest| !rest.is_empty() && !rest.starts_with(['/', '?', '#']));
    let printable = !text.contains(|character: char| {
        character.is_control() || character.is_whitespace() || "<>\"\\".contains(character)
    });
    if !named_host || !printable || text.chars().count() > ADDRESS_CHARACTERS {
        return Err(format!(
            "`{field}` is an http:// or https:// address of at most {ADDRESS_CHARACTERS} characters"
        ));
    }
    Ok(text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_web_addresses_may_be_linked_to() {
        for good in [
            "https://example.org/a?b#c",
            "http://localhost:8080",
            "HTTPS://Example.org",
        ] {
            assert_eq!(web_address("paper_url", good).as_deref(), Ok(good));
        }
        for bad in [
            "",
            "https://",
            "https:///path",
            "javascript:alert(1)",
            "ftp://example.org",
            "https://a b",
            "https://a\"b",
            "ht\u{1F600}",
        ] {
            assert!(web_address("paper_url", bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_method_is_one_line() {
        assert_eq!(method(" kNN, k = 5 ").as_deref(), Ok("kNN, k = 5"));
        assert!(method(&"é".repeat(100)).is_ok());
        assert!(method("שיטה").is_ok());
        for bad in [
            "",
            "   ",
            "two\nlines",
            "nul\0",
            &"é".repeat(101),
            "\u{202e}gnirts",
            "a\u{2066}b",
        ] {
            assert!(method(bad).is_err(), "{bad}");
        }
    }
}
