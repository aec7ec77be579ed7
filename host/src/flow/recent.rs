//! Refusals of the last minutes, in memory. What costs nothing to provoke (a challenge that is none, a
//! token that is none) is not written to the disk, and is explained all the same.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde_json::Value;

use super::request::Caller;
use crate::audit::Record;
use crate::clock::Timestamp;
use crate::error::Refusal;

/// So many are remembered; the oldest make room.
pub(super) const REMEMBERED: usize = 512;

type Newest = VecDeque<(String, Record)>;

/// The newest refusals.
#[derive(Default)]
pub(super) struct Recent(Mutex<Newest>);

impl Recent {
    pub(super) fn remember(&self, caller: &Caller, refusal: &Refusal, at: Timestamp) {
        let record = Record::refused(at, refusal)
            .tenant(caller.tenant.as_str())
            .request(caller.request_id.as_str());
        let mut newest = self.newest();
        if newest.len() >= REMEMBERED {
            newest.pop_front();
        }
        newest.push_back((caller.request_id.clone(), record));
    }

    /// The record that would have been written.
    pub(super) fn find(&self, request: &str) -> Option<Value> {
        let newest = self.newest();
        let (_, record) = newest.iter().rev().find(|(id, _)| id == request)?;
        serde_json::to_value(record).ok()
    }

    fn newest(&self) -> MutexGuard<'_, Newest> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Code;
    use crate::tenant::Tenant;

    // attack 7
    #[test]
    fn a_flood_of_refusals_takes_bounded_memory_and_the_newest_are_remembered() {
        let recent = Recent::default();
        for number in 0..REMEMBERED * 3 {
            let request_id = format!("r{number}");
            let caller = Caller { request_id, tenant: Tenant::default() };
            let refusal = Refusal::new(Code::ChallengeInvalid, "x".repeat(9_000));
            recent.remember(&caller, &refusal, Timestamp(0));
        }
        assert_eq!(recent.newest().len(), REMEMBERED);
        assert!(recent.find("r0").is_none());
        let newest = recent.find(&format!("r{}", REMEMBERED * 3 - 1)).unwrap();
        assert_eq!(newest["code"], "challenge-invalid");
        assert!(newest["reason"].as_str().unwrap().len() < 2_100);
    }
}
