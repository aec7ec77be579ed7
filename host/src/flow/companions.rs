//! Composite evidence: one challenge, several attesters, such as a confidential VM and its GPUs. The main
//! evidence binds the recipient key and vouches for the others (see [`super::ReportDataInput`]), so that
//! a GPU of another machine cannot be lent; each of them answers the same challenge itself. Each is
//! verified and judged by its own kind, and the worst of it is the result's status.

use std::collections::BTreeMap;

use super::report_data::Companion;
use super::request::Evidence;
use crate::audit::Digest;
use crate::error::{Code, Refusal};

/// So many may come along: a machine's GPUs and switches, and a few more.
const MOST: usize = 16;

/// What the main evidence must vouch for; refused where there are too many, where the same stands twice, or
/// where two would have one name in the result.
pub(super) fn named(main: &Evidence, companions: &[Evidence]) -> Result<Vec<Companion>, Refusal> {
    let refuse = |reason: String| Err(Refusal::new(Code::RequestMalformed, reason));
    if companions.len() > MOST {
        return refuse(format!("{} companions, and {MOST} are read", companions.len()));
    }
    let named: Vec<_> = companions
        .iter()
        .map(|one| Companion { tee: one.tee.clone(), evidence: Digest::of(&one.data).0 })
        .collect();
    for (index, one) in named.iter().enumerate() {
        if named.iter().take(index).any(|other| other.evidence == one.evidence) {
            return refuse(format!("companion {} stands twice", index + 1));
        }
    }
    let mut names = submods(std::iter::once(main).chain(companions).map(|one| one.tee.as_str()));
    names.sort_unstable();
    names.dedup();
    match names.len() == companions.len() + 1 {
        true => Ok(named),
        false => refuse("two attesters would have one name".to_owned()),
    }
}

/// The names of the result's submodules: the attester's kind; of a kind that stands there before, with the
/// number that it is of that kind: `nvidia`, `nvidia-2`.
pub(super) fn submods<'a>(tees: impl Iterator<Item = &'a str>) -> Vec<String> {
    let mut seen = BTreeMap::<&str, usize>::new();
    tees.map(|tee| {
        let number = seen.entry(tee).or_default();
        *number += 1;
        match number {
            1 => tee.to_owned(),
            number => format!("{tee}-{number}"),
        }
    })
    .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn evidence(tee: &str, data: &[u8]) -> Evidence {
        Evidence {
            tee: tee.to_owned(),
            media_type: None,
            data: data.to_vec(),
            attachments: Vec::new(),
        }
    }

    #[test]
    fn each_attester_has_a_name_of_its_own() {
        let names = submods(["snp", "nvidia", "tpm", "nvidia", "nvidia"].into_iter());
        assert_eq!(names, ["snp", "nvidia", "tpm", "nvidia-2", "nvidia-3"]);
    }

    #[test]
    fn what_stands_twice_or_is_too_much_is_refused() {
        let main = evidence("snp", b"report");
        let code = |companions: &[Evidence]| named(&main, companions).map_err(|e| e.code);
        let two = [evidence("nvidia", b"1"), evidence("nvidia", b"2")];
        assert_eq!(code(&two).unwrap().len(), 2);
        let twice = [evidence("nvidia", b"1"), evidence("tpm", b"1")];
        assert_eq!(code(&twice), Err(Code::RequestMalformed));
        let alike = [evidence("x", b"1"), evidence("x", b"2"), evidence("x-2", b"3")];
        assert_eq!(code(&alike), Err(Code::RequestMalformed));
        let many: Vec<_> = (0..17_u8).map(|number| evidence("nvidia", &[number])).collect();
        assert!(code(&many[..16]).is_ok());
        assert_eq!(code(&many), Err(Code::RequestMalformed));
    }
}
