//! Evidence of which the attester signed every byte, with one of them another.

use std::sync::Arc;

use claviger_tests::vectors::Case;

use super::forms::{self, Form};
use super::{Bench, authority};

impl Bench {
    /// Flips a bit in every byte of a case's evidence, one after the other, and cuts the evidence at every
    /// length: nothing of that may be genuine. Answers how many changes there were.
    pub(crate) fn change(&self, case: &Case) -> Result<usize, String> {
        let [trial] = case.trials().try_into().map_err(|_| "not one verdict".to_owned())?;
        let mut forms = forms::of(case, &trial).into_iter().filter_map(Form::bare);
        let form = forms.next().ok_or("no evidence in bare bytes")?;
        let verifier = self.verifiers.get(case.tee()).ok_or("no verifier")?;
        let authority = authority(case);
        let verify = |data: Vec<u8>| {
            let form = Form { data, ..form.clone() };
            self.verify_by(Arc::clone(&authority), verifier, case, &trial, form)
        };
        verify(form.data.clone()).map_err(|refusal| refusal.to_string())?;
        for place in 0..form.data.len() {
            let mut data = form.data.clone();
            data[place] ^= 1 << (place % 8);
            if verify(data).is_ok() {
                return Err(format!("bit {} of byte {place} may be flipped", place % 8));
            }
            if verify(form.data[..place].to_vec()).is_ok() {
                return Err(format!("{place} bytes are enough"));
            }
        }
        Ok(2 * form.data.len())
    }
}
