//! `application/x-www-form-urlencoded`, as token endpoints read it.

use super::endpoint::Ask;

/// A form.
#[derive(Default)]
pub(super) struct Form(String);

impl Form {
    /// Adds a field.
    pub(super) fn add(&mut self, name: &str, value: &[u8]) {
        if !self.0.is_empty() {
            self.0.push('&');
        }
        self.0.push_str(name);
        self.0.push('=');
        self.0.push_str(&encoded(value));
    }

    /// The form as it stands in a query.
    pub(super) fn as_str(&self) -> &str {
        &self.0
    }

    /// The form, sent to a path.
    pub(super) fn ask(self, path: &str) -> Ask<'_> {
        let media_type = "application/x-www-form-urlencoded".to_owned();
        let headers = vec![("content-type".to_owned(), media_type)];
        Ask { method: "POST", path, headers, body: self.0.into_bytes() }
    }
}

/// Percent-encoded but for what RFC 3986, section 2.3 leaves as it is.
pub(super) fn encoded(value: &[u8]) -> String {
    let mut text = String::with_capacity(value.len());
    for byte in value {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                text.push(char::from(*byte));
            }
            byte => text.push_str(&format!("%{byte:02X}")),
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_cannot_add_a_field() {
        let mut form = Form::default();
        form.add("a", b"1&b=2 +\xc3\xa4");
        form.add("c", b"~x");
        assert_eq!(form.as_str(), "a=1%26b%3D2%20%2B%C3%A4&c=~x");
    }
}
