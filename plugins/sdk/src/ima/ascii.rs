//! The form for people: a line for each entry, from which the template data are put together again. What was
//! lost on the way (spaces and ends of lines in names) shows when the register is replayed.

use super::{Entry, MAX_ENTRIES, template_data};
use crate::hex;

type Result<T> = std::result::Result<T, (usize, &'static str)>;

pub(super) fn read(list: &[u8]) -> Result<Vec<Entry>> {
    let text = std::str::from_utf8(list).map_err(|_| (0, "neither of the forms"))?;
    let mut entries = Vec::new();
    for (number, line) in text.lines().enumerate() {
        if number >= MAX_ENTRIES {
            return Err((number, "more entries than are read"));
        }
        entries.push(entry(line).map_err(|why| (number, why))?);
    }
    match entries.is_empty() {
        true => Err((0, "an empty list")),
        false => Ok(entries),
    }
}

fn entry(line: &str) -> std::result::Result<Entry, &'static str> {
    const FORM: &str = "a line that is none of a list";
    let words: Vec<&str> = line.split(' ').collect();
    let [register, listed, template, digest, path, rest @ ..] = words.as_slice() else {
        return Err(FORM);
    };
    if *register != "10" {
        return Err("measured into another register");
    }
    let listed = hex::decode(listed).filter(|listed| listed.len() == 20).ok_or(FORM)?;
    let violation = listed.iter().all(|byte| *byte == 0);
    let name = [path.as_bytes(), &[0]].concat();
    let (digest, data) = match (*template, rest) {
        ("ima", []) => {
            let bytes = hex::decode(digest).filter(|digest| digest.len() == 20).ok_or(FORM)?;
            let data = template_data(template, &[&bytes, path.as_bytes()]);
            (format!("sha1:{digest}"), data)
        }
        ("ima-ng", []) => {
            let field = digest_field(digest).ok_or(FORM)?;
            ((*digest).to_owned(), template_data(template, &[&field, &name]))
        }
        // Without a signature the line ends behind the path, with or without a space.
        ("ima-sig", [] | [_]) => {
            let field = digest_field(digest).ok_or(FORM)?;
            let signature = rest.first().copied().unwrap_or_default();
            let signature = hex::decode(signature).ok_or(FORM)?;
            ((*digest).to_owned(), template_data(template, &[&field, &name, &signature]))
        }
        ("ima" | "ima-ng" | "ima-sig", _) => return Err(FORM),
        _ => return Err("a template that only the binary form can have"),
    };
    let data = data.ok_or(FORM)?;
    let template = (*template).to_owned();
    let data = (!violation).then_some(data);
    Ok(Entry { template, data, digest: Some(digest), path: Some((*path).to_owned()) })
}

/// `sha256:…` as the template has it: the name with its colon, a zero, the bytes.
fn digest_field(digest: &str) -> Option<Vec<u8>> {
    let (algorithm, digits) = digest.split_once(':')?;
    let mut field = algorithm.as_bytes().to_vec();
    field.extend_from_slice(b":\0");
    field.extend(hex::decode(digits)?);
    Some(field)
}
