/// A file's name on its way up or down: `attachment`, with the name in ASCII and, where that loses something, in UTF-8
/// (`Content-Disposition` of RFC 6266).
pub fn disposition(filename: &str) -> String {
    let plain: String = filename
        .chars()
        .map(|character| {
            if character.is_ascii_graphic() && !matches!(character, '"' | '\\') || character == ' '
            {
                character
            } else {
                '_'
            }
        })
        .collect();
    if plain == filename {
        return format!("attachment; filename=\"{plain}\"");
    }
    let encoded: String = filename
        .bytes()
        .map(|byte| {
            if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
                char::from(byte).to_string()
            } else {
                format!("%{byte:02X}")
            }
        })
        .collect();
    format!("attachment; filename=\"{plain}\"; filename*=UTF-8''{encoded}")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 6266, section 5: the name in two spellings.
    #[test]
    fn a_name_beyond_ascii_is_given_in_utf_8_too() {
        assert_eq!(
            disposition("train images.npy"),
            "attachment; filename=\"train images.npy\""
        );
        assert_eq!(
            disposition("€ rates"),
            "attachment; filename=\"_ rates\"; filename*=UTF-8''%E2%82%AC%20rates"
        );
    }
}
